"""Requests of other formats as a Responses upstream wants them, and what is refused or lost on the way."""

import json

import pytest

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, WireRequest
from translators.formats.openai_responses.request import parse_request, render_request
from translators.hub import JSON

USER = hub.Message("user", (hub.Text("hi"),))


def parse(**members: JSON) -> hub.Request:
    return parse_request(WireRequest(body=json.dumps({"model": "gpt", "input": "hi", **members}).encode()))


def render(
    *messages: hub.Message, profile: Profile | None = None, losses: list[hub.Loss] | None = None, **members: object
) -> dict[str, JSON]:
    request = hub.Request("gpt", messages or (USER,), **members)  # type: ignore[arg-type]  # named by the test
    return json.loads(render_request(request, profile or Profile(), [] if losses is None else losses).body)


def again(**members: JSON) -> dict[str, JSON]:
    return json.loads(render_request(parse(**members), Profile(), []).body)


def test_a_plain_request_of_another_format_stores_nothing() -> None:
    content: JSON = [{"type": "input_text", "text": "hi"}]
    assert render() == {
        "model": "gpt",
        "input": [{"type": "message", "role": "user", "content": content}],
        "store": False,
    }


def test_encrypted_reasoning_is_asked_for_when_there_is_reasoning() -> None:
    body = render(reasoning=hub.Reasoning(effort="high", visible=True))
    assert (body["reasoning"], body["include"]) == (
        {"effort": "high", "summary": "auto"},
        ["reasoning.encrypted_content"],
    )


@pytest.mark.parametrize("budget, effort", [(0, "none"), (1024, "low"), (10000, "medium"), (32000, "high"), (-1, None)])
def test_a_budget_becomes_the_nearest_effort(budget: int, effort: str | None) -> None:
    reasoning = render(reasoning=hub.Reasoning(budget=budget)).get("reasoning")
    assert reasoning == (None if effort is None else {"effort": effort})


def test_leading_system_text_becomes_instructions() -> None:
    body = render(hub.Message("system", (hub.Text("a"), hub.Text("b"))), USER)
    assert body["instructions"] == "a\n\nb"


def test_instructions_are_a_leading_system_message() -> None:
    first = parse(instructions="be kind").messages[0]
    assert (first.role, first.parts) == ("system", (hub.Text("be kind"),))


def test_a_system_item_of_the_input_stays_an_item() -> None:
    items: JSON = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    assert again(input=items) == {"model": "gpt", "input": items}


def test_a_tool_is_never_strict_unless_told() -> None:
    tool = hub.Tool("run", schema={"type": "object"})
    assert render(tools=(tool,))["tools"] == [
        {"type": "function", "name": "run", "parameters": {"type": "object"}, "strict": False}
    ]


def test_a_model_without_a_developer_role_gets_system_text() -> None:
    body = render(hub.Message("developer", (hub.Text("a"),)), USER, profile=Profile(developer_role=False))
    assert body["instructions"] == "a"


def test_a_model_without_system_text_gets_it_in_the_first_user_turn() -> None:
    body = render(hub.Message("system", (hub.Text("a"),)), USER, profile=Profile(system_position="none"))
    items = body["input"]
    assert isinstance(items, list)
    assert "instructions" not in body
    assert items == [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "hi"}],
        }
    ]


@pytest.mark.parametrize("stream, sent", [("always", True), ("never", None), ("as-asked", None)])
def test_the_profile_decides_whether_the_upstream_streams(stream: str, sent: bool | None) -> None:
    assert render(profile=Profile(stream=stream)).get("stream") is sent  # type: ignore[arg-type]  # one of the literals


def test_refused_fields_are_left_out_as_losses() -> None:
    losses: list[hub.Loss] = []
    body = render(profile=Profile(omit=frozenset({"temperature", "top_p"})), losses=losses, temperature=0.5)
    assert ("temperature" in body, [loss.path for loss in losses]) == (False, ["temperature"])


@pytest.mark.parametrize("asked, sent", [(1, 16), (100, 100), (9000, 8000)])
def test_the_output_limit_is_brought_into_bounds(asked: int, sent: int) -> None:
    assert render(profile=Profile(max_output=8000), max_tokens=asked)["max_output_tokens"] == sent


def test_what_the_api_does_not_have_is_a_loss() -> None:
    losses: list[hub.Loss] = []
    render(losses=losses, top_k=5, stop=("x",), seed=1, n=2, presence_penalty=0.5, frequency_penalty=0.5)
    assert {loss.path for loss in losses} == {"top_k", "stop", "seed", "n", "presence_penalty", "frequency_penalty"}


def test_structured_output_has_the_flat_shape() -> None:
    output = hub.OutputFormat(schema={"type": "object"}, strict=True)
    assert render(output=output)["text"] == {
        "format": {"type": "json_schema", "name": "response", "schema": {"type": "object"}, "strict": True}
    }


def test_unknown_members_come_back() -> None:
    members: dict[str, JSON] = {"client_metadata": {"a": 1}, "truncation": "auto", "store": True, "include": ["x"]}
    assert again(**members) == {"model": "gpt", "input": [{"role": "user", "content": "hi"}], **members}


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "prompt"])
def test_history_that_only_the_provider_keeps_is_named(name: str) -> None:
    assert name in str(parse(**{name: "x"}).state)


@pytest.mark.parametrize("kind", ["item_reference", "compaction"])
def test_items_that_only_the_provider_can_read_are_named(kind: str) -> None:
    assert kind in str(parse(input=[{"type": kind, "id": "x"}]).state)


def test_a_request_that_says_everything_needs_no_state() -> None:
    assert parse().state is None


def test_tools_of_the_input_join_the_tools_and_travel_by_their_item() -> None:
    inner: JSON = [{"type": "function", "name": "exec", "parameters": {}, "strict": False}]
    tools: JSON = [{"type": "namespace", "name": "functions", "description": "d", "tools": inner}]
    items: JSON = [
        {"type": "additional_tools", "role": "developer", "tools": tools},
        {"role": "user", "content": "hi"},
    ]
    request = parse(input=items)
    named = [(tool.namespace, tool.name) for tool in request.tools if isinstance(tool, hub.Tool)]
    assert (named, again(input=items)) == ([("functions", "exec")], {"model": "gpt", "input": items})


@pytest.mark.parametrize(
    "body, place",
    [
        (b"", "not JSON"),
        (b"[]", "the request body"),
        (b'{"input": "x"}', "model"),
        (b'{"model": "m", "input": 7}', "input"),
        (b'{"model": "m", "input": [7]}', r"input\[0\]"),
        (b'{"model": "m", "input": [{"role": "king", "content": "x"}]}', r"input\[0\].role"),
        (b'{"model": "m", "input": [{"type": "function_call", "call_id": "c"}]}', r"input\[0\].name"),
        (b'{"model": "m", "input": "x", "tools": [{"type": "function"}]}', r"tools\[0\].name"),
    ],
)
def test_a_wrong_body_is_refused_with_the_place(body: bytes, place: str) -> None:
    with pytest.raises(FormatError, match=place):
        parse_request(WireRequest(body=body))


def test_log_probabilities_are_asked_for_where_this_format_asks_for_them() -> None:
    losses: list[hub.Loss] = []
    body = render(losses=losses, logprobs=True, top_logprobs=3)
    assert body["include"] == ["message.output_text.logprobs"]
    assert body["top_logprobs"] == 3
    assert losses == []


def test_what_chat_spells_alike_arrives() -> None:
    losses: list[hub.Loss] = []
    extra: JSON = {"metadata": {"a": "b"}, "safety_identifier": "s", "store": True, "logit_bias": {"1": 2}}
    body = render(losses=losses, extra={"openai-chat": extra})
    assert (body["metadata"], body["safety_identifier"], body["store"]) == ({"a": "b"}, "s", True)
    assert [loss.path for loss in losses] == ["logit_bias"]


def test_an_effort_that_the_model_does_not_know_becomes_the_nearest() -> None:
    losses: list[hub.Loss] = []
    profile = Profile(efforts=("low", "medium", "high"))
    body = render(losses=losses, profile=profile, reasoning=hub.Reasoning(effort="max"))
    assert body["reasoning"] == {"effort": "high"}
    assert [loss.path for loss in losses] == ["reasoning.effort"]


def test_a_budget_is_told_as_lost_beside_its_effort() -> None:
    losses: list[hub.Loss] = []
    assert render(losses=losses, reasoning=hub.Reasoning(budget=3000))["reasoning"] == {"effort": "low"}
    assert [loss.path for loss in losses] == ["reasoning.budget"]


def test_a_cache_key_is_made_from_the_session_where_the_profile_wants_one() -> None:
    """Prompt caches: Codex and OpenAI find the cache of a session by its key."""
    key = render(profile=Profile(cache_key=True), user="a session of Claude Code")["prompt_cache_key"]
    assert key == render(profile=Profile(cache_key=True), user="a session of Claude Code")["prompt_cache_key"]
    assert "prompt_cache_key" not in render(user="a session of Claude Code")


def test_codex_is_told_to_store_nothing() -> None:
    losses: list[hub.Loss] = []
    body = json.loads(render_request(parse(store=True), Profile(stores=False), losses).body)
    assert body["store"] is False
    assert [loss.path for loss in losses] == ["store"]


def test_instructions_are_invented_only_where_they_are_required() -> None:
    losses: list[hub.Loss] = []
    assert render(profile=Profile(needs_instructions=True), losses=losses)["instructions"]
    assert [loss.path for loss in losses] == ["instructions"]
    assert "instructions" not in render()


def test_a_client_of_this_format_may_do_without_instructions() -> None:
    body = json.loads(render_request(parse(), Profile(needs_instructions=True), []).body)
    assert "instructions" not in body


def test_own_instructions_are_not_replaced() -> None:
    losses: list[hub.Loss] = []
    said = hub.Message("system", (hub.Text("Be brief."),))
    body = render(said, USER, profile=Profile(needs_instructions=True), losses=losses)
    assert body["instructions"] == "Be brief."
    assert losses == []
