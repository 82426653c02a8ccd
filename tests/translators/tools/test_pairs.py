"""Every call has its result, every result its call, and nothing stands between them."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from translators import hub
from translators.tools.names import Names
from translators.tools.pairs import NO_RESULT, paired


def call(call_id: str) -> hub.ToolCall:
    return hub.ToolCall(call_id, "get", "{}")


def result(call_id: str, text: str = "ok") -> hub.ToolResult:
    return hub.ToolResult(call_id, (hub.Text(text),), name="get")


def user(*parts: hub.Part) -> hub.Message:
    return hub.Message("user", parts)


def said(*parts: hub.Part) -> hub.Message:
    return hub.Message("assistant", parts)


def pair(*messages: hub.Message, pattern: str = ".{1,64}") -> tuple[tuple[hub.Message, ...], list[str]]:
    losses: list[hub.Loss] = []
    return paired(messages, Names(pattern), losses), [loss.reason for loss in losses]


def test_a_sound_conversation_stays_as_it_is() -> None:
    messages = (user(hub.Text("hi")), said(call("a"), call("b")), user(result("a"), result("b"), hub.Text("go on")))
    assert pair(*messages) == (messages, [])


def test_results_in_messages_of_their_own_come_together() -> None:
    out, losses = pair(said(call("a"), call("b")), user(result("b")), user(result("a")), user(hub.Text("go on")))
    assert out == (said(call("a"), call("b")), user(result("b"), result("a")), user(hub.Text("go on")))
    assert losses == []


def test_calls_said_one_message_each_come_together() -> None:
    out, _ = pair(said(hub.Text("I look.")), said(call("a")), said(call("b")), user(result("a"), result("b")))
    assert out == (said(hub.Text("I look."), call("a"), call("b")), user(result("a"), result("b")))


def test_text_before_a_result_goes_behind_it() -> None:
    out, _ = pair(said(call("a")), user(hub.Text("note"), result("a")))
    assert out == (said(call("a")), user(result("a"), hub.Text("note")))


def test_system_text_between_call_and_result_goes_behind_it() -> None:
    note = hub.Message("system", (hub.Text("date"),))
    assert pair(said(call("a")), note, user(result("a")))[0] == (said(call("a")), user(result("a")), note)


def test_a_missing_result_is_put_in_as_an_error_and_told() -> None:
    out, losses = pair(said(call("a"), call("b")), user(result("a"), hub.Text("stop")))
    filled = hub.ToolResult("b", (hub.Text(NO_RESULT),), error=True, name="get")
    assert out[1] == user(result("a"), filled, hub.Text("stop"))
    assert len(losses) == 1


def test_a_call_at_the_very_end_gets_a_result() -> None:
    out, _ = pair(said(call("a")))
    assert [message.role for message in out] == ["assistant", "user"]


def test_an_orphan_result_keeps_its_content_as_text_and_is_told() -> None:
    out, losses = pair(user(result("gone", "42 degrees")))
    assert out == (user(hub.Text("42 degrees")),)
    assert len(losses) == 1


def test_a_second_result_of_a_call_is_an_orphan() -> None:
    out, losses = pair(said(call("a")), user(result("a", "1"), result("a", "2")))
    assert out[1] == user(result("a", "1"), hub.Text("2"))
    assert len(losses) == 1


def test_a_late_result_moves_behind_its_call() -> None:
    out, losses = pair(said(call("a")), user(hub.Text("wait")), said(hub.Text("yes")), user(result("a")))
    assert out == (said(call("a")), user(result("a"), hub.Text("wait")), said(hub.Text("yes")))
    assert len(losses) == 1


def test_ids_used_again_are_told_apart_turn_by_turn() -> None:
    out, losses = pair(said(call("c")), user(result("c", "1")), said(call("c")), user(result("c", "2")))
    ids = [part.id for message in out for part in message.parts if isinstance(part, hub.ToolCall)]
    answers = [(p.call_id, p.parts) for message in out for p in message.parts if isinstance(p, hub.ToolResult)]
    assert len(set(ids)) == 2
    assert answers == [(ids[0], (hub.Text("1"),)), (ids[1], (hub.Text("2"),))]
    assert losses == []


def test_illegal_ids_become_legal_on_both_sides() -> None:
    out, _ = pair(said(call("functions.get:0")), user(result("functions.get:0")), pattern="[a-zA-Z0-9_-]{1,64}")
    (made,) = out[0].parts
    (answer,) = out[1].parts
    assert isinstance(made, hub.ToolCall)
    assert isinstance(answer, hub.ToolResult)
    assert made.id == answer.call_id
    assert made.id.startswith("functions_get_0_")


def test_calls_without_ids_pair_in_order() -> None:
    out, _ = pair(said(call(""), call("")), user(result("", "1"), result("", "2")))
    ids = [part.id for part in out[0].parts if isinstance(part, hub.ToolCall)]
    assert [part.call_id for part in out[1].parts if isinstance(part, hub.ToolResult)] == ids


PARTS = st.sampled_from("abc").flatmap(lambda i: st.sampled_from([call(i), result(i), hub.Text(i)]))
MESSAGES = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "system"]), st.lists(PARTS, min_size=1, max_size=3)), max_size=8
)


@given(MESSAGES)
def test_whatever_comes_is_well_formed_afterwards(drawn: Sequence[tuple[str, list[hub.Part]]]) -> None:
    messages: list[hub.Message] = []
    for role, parts in drawn:
        wrong = hub.ToolResult if role == "assistant" else hub.ToolCall
        kept = tuple(part for part in parts if not isinstance(part, wrong))
        if role == "assistant":
            messages.append(said(*kept))
        else:
            messages.append(user(*kept))
    out, _ = pair(*(message for message in messages if message.parts))
    waiting: list[str] = []
    for message in out:
        ids = [part.call_id for part in message.parts if isinstance(part, hub.ToolResult)]
        assert sorted(ids) == sorted(waiting)
        waiting = [part.id for part in message.parts if isinstance(part, hub.ToolCall)]
    assert not waiting
