"""Requests of Anthropic clients in, and what goes to Anthropic upstreams for clients of other formats."""

import json

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire, system, user
from translators import hub
from translators.errors import FormatError, Unsupported
from translators.format import Profile, WireRequest

NAME = "anthropic-messages"


@pytest.mark.parametrize(
    "body, place",
    [
        (b"[]", "the request"),
        (b"{", "not JSON"),
        (b'{"model":"m","messages":{}}', "messages: expected an array"),
        (b'{"model":"m","messages":[{"role":"tool","content":"x"}]}', r"messages\[0\].role"),
        (b'{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}', r"messages\[0\].content\[0\].text"),
        (
            (
                b'{"model":"m","messages":[{"role":"user","content":'
                b'[{"type":"tool_result","tool_use_id":"t","content":[{}]}]}]}'
            ),
            r"messages\[0\].content\[0\].content\[0\].type",
        ),
        (b'{"messages":[]}', "model"),
        (b'{"model":"m","messages":[],"max_tokens":"7"}', "max_tokens"),
    ],
)
def test_a_body_of_another_shape_is_refused_by_place(body: bytes, place: str) -> None:
    with pytest.raises(FormatError, match=place):
        Wire.format.parse_request(WireRequest(body=body))


def test_system_text_stands_first_and_keeps_its_cache_marks() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    request = Wire().parse(
        {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": mark}]}
    )
    assert request.messages == (
        hub.Message("system", (hub.Text("a"), hub.Text("b", extra={NAME: {"cache_control": mark}}))),
    )
    assert Wire().parse({"system": "a"}).messages == (system("a"),)


def test_unknown_members_and_betas_travel_as_extras() -> None:
    wire = Wire()
    body = {"context_management": {"edits": []}, "metadata": {"user_id": "u", "team": "t"}}
    headers = {"anthropic-beta": "one, two"}
    request = wire.parse({"messages": [{"role": "user", "content": "hi"}], **body}, **headers)
    assert request.user == "u"
    rendered = wire.format.render_request(request, Profile(), [])
    assert rendered.headers["anthropic-beta"] == "one,two"
    assert b'"team":"t"' in rendered.body
    assert b'"context_management":{"edits":[]}' in rendered.body


def test_lone_surrogates_and_long_integers_survive() -> None:
    body = (
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"cut \\ud83d"},{"role":"assistant","content":'
        b'[{"type":"tool_use","id":"t","name":"n","input":{"n":123456789012345678901234567890}}]}]}'
    )
    rendered = Wire.format.render_request(Wire.format.parse_request(WireRequest(body=body)), Profile(), [])
    assert b"cut \\ud83d" in rendered.body
    assert b"123456789012345678901234567890" in rendered.body


def test_max_tokens_is_invented_only_because_it_is_required() -> None:
    wire = Wire()
    assert wire.send(max_tokens=None)["max_tokens"] == 64000
    assert "invented" in wire.reasons
    assert wire.send(max_tokens=None, profile=Profile(max_output=8192))["max_tokens"] == 8192
    assert wire.send(max_tokens=9000, profile=Profile(max_output=8192))["max_tokens"] == 8192


def test_sampling_that_anthropic_refuses_is_left_out_while_thinking() -> None:
    wire = Wire()
    body = wire.send(temperature=0.3, top_p=0.5, top_k=4, reasoning=hub.Reasoning(effort="high"))
    assert body.keys().isdisjoint({"temperature", "top_p", "top_k"})
    assert len(wire.losses) == 3


def test_a_temperature_above_one_is_lowered() -> None:
    assert Wire().send(temperature=1.7)["temperature"] == 1


def test_what_anthropic_has_no_word_for_is_reported() -> None:
    wire = Wire()
    wire.send(n=2, seed=1, presence_penalty=0.5, logprobs=True, cache_key="k", service_tier="flex", stop=("\n", "END"))
    assert {loss.path for loss in wire.losses} == {
        "n",
        "seed",
        "presence_penalty",
        "logprobs",
        "cache_key",
        "service_tier",
        "stop",
    }


def test_omitted_members_are_reported() -> None:
    wire = Wire()
    assert "metadata" not in wire.send(user="u", profile=Profile(omit=frozenset({"metadata"})))
    assert "metadata" in wire.reasons


@pytest.mark.parametrize(
    "reasoning, style, expected",
    [
        (hub.Reasoning(effort="high"), "effort", ({"type": "adaptive"}, "high")),
        (hub.Reasoning(effort="minimal"), "effort", ({"type": "adaptive"}, "low")),
        (hub.Reasoning(effort="none"), "effort", ({"type": "disabled"}, None)),
        (hub.Reasoning(budget=0), "effort", ({"type": "disabled"}, None)),
        (hub.Reasoning(budget=-1), "effort", ({"type": "adaptive"}, None)),
        (hub.Reasoning(budget=2000), "effort", ({"type": "enabled", "budget_tokens": 2000}, None)),
        (hub.Reasoning(budget=9000), "effort", ({"type": "enabled", "budget_tokens": 4999}, None)),
        (hub.Reasoning(budget=10), "effort", ({"type": "enabled", "budget_tokens": 1024}, None)),
        (hub.Reasoning(effort="low", visible=True), "effort", ({"type": "adaptive", "display": "summarized"}, "low")),
        (hub.Reasoning(effort="low"), "thinking", ({"type": "enabled", "budget_tokens": 2048}, None)),
        (hub.Reasoning(effort="low"), "none", (None, None)),
    ],
)
def test_reasoning_is_asked_for_in_the_words_of_the_profile(
    reasoning: hub.Reasoning, style: str, expected: tuple[object, object]
) -> None:
    body = Wire().send(reasoning=reasoning, profile=Profile(reasoning_style=style))  # type: ignore[arg-type]
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == expected


def test_thinking_of_an_anthropic_client_is_kept_word_for_word() -> None:
    thinking = {"type": "adaptive", "display": "updates"}
    wire = Wire()
    request = wire.parse(
        {"messages": [{"role": "user", "content": "x"}], "thinking": thinking, "output_config": {"effort": "medium"}}
    )
    assert request.reasoning is not None
    assert (request.reasoning.effort, request.reasoning.adaptive) == ("medium", True)
    body = wire.render(request)
    assert (body["thinking"], body["output_config"]) == (thinking, {"effort": "medium"})


def test_a_thinking_budget_gives_way_to_a_forced_tool() -> None:
    wire = Wire()
    body = wire.send(
        tools=(hub.Tool("t"),), tool_choice=hub.ToolChoice("required"), reasoning=hub.Reasoning(budget=2000)
    )
    assert body["thinking"] == {"type": "disabled"}
    assert "forced" in wire.reasons


def test_structured_output_closes_its_objects() -> None:
    wire = Wire()
    inner = {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}}
    output = hub.OutputFormat({"type": "object", "properties": {"list": {"type": "array", "items": inner}}})
    schema = wire.send(output=output)["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["list"]["items"] == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "additionalProperties": False,
    }
    assert "minLength" in wire.reasons


def test_json_mode_without_a_schema_is_a_loss() -> None:
    wire = Wire()
    assert "output_config" not in wire.send(output=hub.OutputFormat())
    assert "JSON mode" in wire.reasons


def test_a_conversation_without_content_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        Wire().send(user(""))


def test_the_query_and_path_of_a_rendered_request_are_the_providers() -> None:
    rendered = Wire.format.render_request(hub.Request("m", (user("x"),)), Profile(), [])
    assert (rendered.path, rendered.query) == ("", "")
    assert rendered.headers["anthropic-version"] == "2023-06-01"


def test_foreign_extras_are_reported_once() -> None:
    wire = Wire()
    part = hub.Text("a", extra={"gemini": {"odd": 1}})
    wire.send(user(part, part))
    assert [loss.path for loss in wire.losses] == ["messages[0].parts[0].odd"]


def test_streaming_is_asked_for_as_the_profile_says() -> None:
    assert Wire().send(stream=True)["stream"] is True
    assert "stream" not in Wire().send(stream=True, profile=Profile(stream="never"))
    assert Wire().send(profile=Profile(stream="always"))["stream"] is True


def test_an_imitator_without_structured_output_is_shown_the_schema() -> None:
    losses: list[hub.Loss] = []
    asked = hub.Request(
        "m",
        (hub.Message("user", (hub.Text("Hi"),)),),
        max_tokens=9,
        output=hub.OutputFormat({"type": "object", "properties": {"a": {}}}),
    )
    body = json.loads(Wire.format.render_request(asked, Profile(structured="none"), losses).body)
    assert "output_config" not in body
    assert '"properties":{"a":{}}' in body["system"][0]["text"]
    assert [loss.path for loss in losses] == ["output.schema"]


@pytest.mark.parametrize(
    "reasoning, thinking, effort",
    [
        (hub.Reasoning(budget=20000), {"type": "adaptive"}, "high"),
        (hub.Reasoning(budget=4000, extra={"anthropic-messages": {"thinking": {}}}), {"type": "adaptive"}, "low"),
        (hub.Reasoning(effort="xhigh", budget=4000), {"type": "adaptive"}, "xhigh"),
        (hub.Reasoning(budget=0), None, None),
        (hub.Reasoning(effort="none"), None, None),
        (hub.Reasoning(effort="high"), {"type": "adaptive"}, "high"),
    ],
)
def test_a_model_that_thinks_adaptively_or_not_at_all_gets_no_budget(
    reasoning: hub.Reasoning, thinking: object, effort: str | None
) -> None:
    body = Wire().send(reasoning=reasoning, profile=Profile(thinking_budgets=False))
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, effort)
