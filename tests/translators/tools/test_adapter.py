"""Tools into another format's bounds and back."""

import orjson
import pytest

from translators import Unsupported, hub
from translators.fold import Fold, unfold
from translators.format import ToolRules
from translators.tools import ToolAdapter

NARROW = ToolRules(name_pattern="[a-zA-Z0-9_-]{1,64}", id_pattern="[a-zA-Z0-9_-]{1,64}")
WIDE = ToolRules(custom=True, namespaces=True, deferred=True)
PATCH = hub.Tool(
    "apply_patch",
    "Edits files",
    custom=True,
    grammar={"type": "grammar", "syntax": "lark", "definition": "start: line+"},
)


def request(*tools: hub.Tool, said: tuple[hub.Part, ...] = (), choice: hub.ToolChoice | None = None) -> hub.Request:
    messages = (hub.Message("user", (hub.Text("hi"),)), *((hub.Message("assistant", said),) if said else ()))
    return hub.Request("m", messages, tools=tools, tool_choice=choice)


def lower(
    asked: hub.Request, rules: ToolRules = NARROW, max_tools: int | None = None
) -> tuple[ToolAdapter, hub.Request, list[str]]:
    losses: list[hub.Loss] = []
    adapter = ToolAdapter(rules, max_tools, NARROW)
    return adapter, adapter.lower(asked, losses), [loss.reason for loss in losses]


def lifted(adapter: ToolAdapter, *parts: hub.AnswerPart) -> tuple[hub.AnswerPart, ...]:
    """Through the events and through the whole answer, which must agree."""
    answer = hub.Response("r", "m", parts, hub.Stop("tool_calls"))
    fold = Fold()
    for event in unfold(answer):
        for out in adapter.lift(event):
            fold.add(out)
    return fold.response().parts


def names(asked: hub.Request) -> list[str]:
    return [tool.name for tool in asked.tools if isinstance(tool, hub.Tool)]


def test_tools_within_bounds_stay() -> None:
    asked = request(hub.Tool("get", "Gets", {"type": "object"}))
    assert lower(asked)[1:] == (asked, [])


def test_a_custom_tool_becomes_a_function_of_one_string_that_shows_the_grammar() -> None:
    _, there, losses = lower(request(PATCH))
    (tool,) = there.tools
    assert isinstance(tool, hub.Tool)
    assert not tool.custom
    assert tool.grammar is None
    assert b"start: line+" in orjson.dumps(tool.schema)
    assert len(losses) == 1


def test_input_of_a_custom_tool_comes_back_as_raw_text() -> None:
    adapter, _, _ = lower(request(PATCH))
    text = '*** Begin\n+ "é" \\ 🕰\n'
    call = hub.ToolCall("c1", "apply_patch", orjson.dumps({"input": text}).decode())
    assert lifted(adapter, call) == (hub.ToolCall("c1", "apply_patch", text, custom=True),)


def test_input_of_a_custom_tool_may_come_in_any_pieces() -> None:
    adapter, _, _ = lower(request(PATCH))
    events: list[hub.Event] = [hub.PartStarted(0, hub.ToolCall("c1", "apply_patch"))]
    events += [hub.PartDelta(0, hub.ArgumentsDelta(piece)) for piece in '{"input":"a\\u00e9\\n"}']
    events.append(hub.PartEnded(0))
    out = [event for read in events for event in adapter.lift(read)]
    assert out == [
        hub.PartStarted(0, hub.ToolCall("c1", "apply_patch", custom=True)),
        hub.PartDelta(0, hub.ArgumentsDelta("aé\n")),
        hub.PartEnded(0),
    ]


def test_a_model_that_writes_the_bare_text_is_understood() -> None:
    adapter, _, _ = lower(request(PATCH))
    (part,) = lifted(adapter, hub.ToolCall("c1", "apply_patch", "*** Begin"))
    assert isinstance(part, hub.ToolCall)
    assert part.arguments == "*** Begin"


def test_past_custom_calls_are_sent_as_functions_too() -> None:
    _, there, _ = lower(request(PATCH, said=(hub.ToolCall("c1", "apply_patch", "text", custom=True),)))
    assert there.messages[1].parts == (hub.ToolCall("c1", "apply_patch", '{"input":"text"}'),)
    (answer,) = there.messages[2].parts
    assert isinstance(answer, hub.ToolResult)
    assert not answer.custom


def test_custom_tools_stay_where_they_are_known() -> None:
    asked = request(PATCH)
    assert lower(asked, WIDE)[1:] == (asked, [])


def test_a_namespace_goes_into_the_name_and_comes_back() -> None:
    adapter, there, _ = lower(request(hub.Tool("exec", namespace="functions"), hub.Tool("get", namespace="mcp__x__")))
    assert names(there) == ["functions__exec", "mcp__x__get"]
    assert lifted(adapter, hub.ToolCall("c1", "functions__exec", "{}")) == (
        hub.ToolCall("c1", "exec", "{}", namespace="functions"),
    )


def test_a_past_call_without_its_namespace_finds_its_tool() -> None:
    call = hub.ToolCall("c1", "exec", "{}")
    _, there, _ = lower(request(hub.Tool("exec", namespace="functions"), said=(call,)))
    (part,) = there.messages[1].parts
    assert isinstance(part, hub.ToolCall)
    assert part.name == "functions__exec"


def test_illegal_and_long_names_come_back_as_they_were() -> None:
    tools = [hub.Tool("files.read"), hub.Tool("files/read"), hub.Tool("x" * 100), hub.Tool("x" * 101)]
    adapter, there, _ = lower(request(*tools))
    assert len(set(names(there))) == 4
    calls = [hub.ToolCall(f"c{number}", name, "{}") for number, name in enumerate(names(there))]
    back = [part.name for part in lifted(adapter, *calls) if isinstance(part, hub.ToolCall)]
    assert back == [tool.name for tool in tools]


def test_the_choice_of_a_tool_follows_its_name() -> None:
    choice = hub.ToolChoice("tool", "files.read", ("files.read",))
    _, there, _ = lower(request(hub.Tool("files.read"), choice=choice))
    assert there.tool_choice == hub.ToolChoice("tool", names(there)[0], (names(there)[0],))


@pytest.mark.parametrize("asked", [request(hub.Tool("")), request(said=(hub.ToolCall("c1", "", "{}"),))])
def test_a_tool_without_a_name_is_refused_with_its_place(asked: hub.Request) -> None:
    with pytest.raises(Unsupported, match=r"tools\[0\]|messages\[1\]"):
        lower(asked)


def test_a_second_tool_of_the_same_name_is_left_out_and_told() -> None:
    _, there, losses = lower(request(hub.Tool("get"), hub.Tool("get")))
    assert names(there) == ["get"]
    assert len(losses) == 1


def test_deferred_tools_are_shown_and_references_become_their_names() -> None:
    asked = request(hub.Tool("search"), hub.Tool("fetch", deferred=True), said=(hub.ToolCall("c1", "search", "{}"),))
    found = hub.ToolResult("c1", (hub.ToolReference("fetch"), hub.Text("Tool loaded.")))
    asked = hub.Request("m", (*asked.messages, hub.Message("user", (found,))), tools=asked.tools)
    _, there, losses = lower(asked)
    assert [tool.deferred for tool in there.tools if isinstance(tool, hub.Tool)] == [False, False]
    (result,) = there.messages[2].parts
    assert isinstance(result, hub.ToolResult)
    assert result.parts == (hub.Text("fetch"), hub.Text("Tool loaded."))
    assert len(losses) == 2


def test_surplus_tools_go_from_the_end_but_not_those_in_use() -> None:
    tools = [hub.Tool(name) for name in "abcd"]
    asked = request(*tools, said=(hub.ToolCall("c1", "d", "{}"),), choice=hub.ToolChoice("tool", "c"))
    _, there, losses = lower(asked, max_tools=3)
    assert names(there) == ["a", "c", "d"]
    assert len([loss for loss in losses if "at most 3" in loss]) == 1


def test_ids_of_the_answer_are_legal_for_the_client_and_new_in_the_conversation() -> None:
    adapter, _, _ = lower(request(hub.Tool("get"), said=(hub.ToolCall("call_0", "get", "{}"),)))
    calls = [hub.ToolCall(call_id, "get", "{}") for call_id in ("call_0", "functions.get:0", "", "fine", "fine")]
    ids = [part.id for part in lifted(adapter, *calls) if isinstance(part, hub.ToolCall)]
    assert ids[3] == "fine"
    assert len({*ids, "call_0"}) == 6
    assert all(set(word) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for word in ids)


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    adapter, _, _ = lower(request(hub.Tool("now")))
    started = hub.PartStarted(0, hub.ToolCall("c1", "now"))
    assert adapter.lift(started) == [started]
    assert adapter.lift(hub.PartEnded(0)) == [hub.PartDelta(0, hub.ArgumentsDelta("{}")), hub.PartEnded(0)]


def test_a_whole_answer_is_lifted_like_its_events() -> None:
    asked = request(PATCH, hub.Tool("files.read"))
    wire_name = names(lower(asked)[1])[1]
    calls = (
        hub.ToolCall("c1", "apply_patch", '{"input":"x"}'),
        hub.ToolCall("c2", wire_name),
        hub.Text("done"),
    )
    answer = hub.Response("r", "m", calls, hub.Stop("tool_calls"))
    assert lower(asked)[0].lift_response(answer).parts == lifted(lower(asked)[0], *calls)


def test_a_custom_call_for_a_client_that_knows_none_is_a_function_of_one_string() -> None:
    adapter, _, _ = lower(request(hub.Tool("read", schema={})), WIDE)
    (call,) = lifted(adapter, hub.ToolCall("call_1", "apply_patch", '*** "Begin"\n', custom=True))
    assert isinstance(call, hub.ToolCall)
    assert (call.custom, orjson.loads(call.arguments)) == (False, {"input": '*** "Begin"\n'})
