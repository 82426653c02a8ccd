"""What the rules change in a call, and that nothing else changes."""

import json
from typing import cast

import orjson
import pytest

from omniroute_addon.config import models
from omniroute_addon.config.governance import Governance, SystemPrompt, Thinking, ThinkingRule
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.shaping import Orders, bounded, orders, shape, thinking_rule
from omniroute_addon.routing.candidate import Candidate
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT_WHOLE, CLAUDE_WHOLE, WHOLE, Stage, called, claude, scene
from tests.omniroute_addon.loopback import Answer, Provider
from translators import WireRequest
from translators.format import Profile
from translators.hub import JSON

DULL = models.Model("dull", reasoning=False)
GLM = models.Provider("glm", "GLM", "http://x/v1/messages", "anthropic-messages", models=(DULL,))
HERE = Candidate("glm/glm-4.7", GLM, "glm-4.7", None, asked="claude-opus-4-6")
OWN = Candidate("origin", None, None, None, origin=True, asked="claude-opus-4-6")
PROMPT = SystemPrompt(text="Be brief.", position="append")
FIRST = SystemPrompt(text="Be brief.", position="prepend")


def wire(body: object) -> WireRequest:
    return WireRequest("POST", "/v1/messages", "", {}, json.dumps(body).encode())


def shaped(form: str, body: object, wanted: Orders) -> dict[str, JSON]:
    return cast("dict[str, JSON]", orjson.loads(shape(wire(body), form, wanted).body))


# ── what is wanted ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_rules_that_want_nothing_leave_the_very_same_call() -> None:
    asked_for = wire({"max_tokens": 5})
    assert shape(asked_for, "anthropic-messages", orders(claude(), HERE, None, Governance())) is asked_for


def test_orders_that_change_nothing_leave_the_very_same_call() -> None:
    asked_for = wire({"max_tokens": 5})
    assert shape(asked_for, "anthropic-messages", Orders(max_tokens=10)) is asked_for


def test_own_call_of_the_tool_is_shaped_by_a_policies_bound_only() -> None:
    rules = Governance(system_prompt=PROMPT, thinking=Thinking(mode="auto"))
    assert orders(claude(), OWN, None, rules) is None
    assert orders(claude(), OWN, 100, rules) == Orders(max_tokens=100)


def test_counting_is_not_shaped() -> None:
    assert orders(claude(operation="count"), HERE, 100, Governance(system_prompt=PROMPT)) is None


def test_system_prompt_is_off_unless_enabled() -> None:
    off = Governance(system_prompt=SystemPrompt(text="x", enabled=False))
    assert orders(claude(), HERE, None, off) is None


def test_first_matching_thinking_rule_of_a_target_replaces_the_general_one() -> None:
    special = ThinkingRule(mode="custom", budget=2000)
    rules = Thinking(mode="auto", models={"glm/*": special, "*": ThinkingRule()})
    assert thinking_rule(rules, HERE) == special
    assert thinking_rule(Thinking(mode="auto", models={"kimi/*": special}), HERE).mode == "auto"


def test_model_that_is_known_not_to_think_is_told_apart() -> None:
    dull = Candidate("glm/dull", GLM, "dull", None, asked="claude-opus-4-6")
    rules = Governance(thinking=Thinking(mode="custom"))
    found = [orders(claude(), candidate, None, rules) for candidate in (dull, HERE)]
    assert [one.able for one in found if one] == [False, True]


def test_upstream_that_demands_a_limit_gets_at_most_the_policies() -> None:
    assert bounded(Profile(), None).max_output is None
    assert bounded(Profile(), 100).max_output == 100
    assert bounded(Profile(max_output=50), 100).max_output == 50


# ── output limit ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "form, body, wanted",
    [
        ("anthropic-messages", {"max_tokens": 500}, {"max_tokens": 100}),
        ("anthropic-messages", {"max_tokens": 50}, {"max_tokens": 50}),
        ("openai-chat", {"messages": []}, {"messages": []}),
        ("openai-chat", {"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        ("openai-chat", {"max_tokens": None}, {"max_tokens": None}),
        ("openai-responses", {"max_output_tokens": 500}, {"max_output_tokens": 100}),
        ("gemini", {"generationConfig": {"maxOutputTokens": 500}}, {"generationConfig": {"maxOutputTokens": 100}}),
        (
            "gemini",
            {"generation_config": {"max_output_tokens": "500"}},
            {"generation_config": {"max_output_tokens": 100}},
        ),
        ("gemini", {"generationConfig": {"topK": 1}}, {"generationConfig": {"topK": 1}}),
        (
            "gemini-cli",
            {"request": {"generationConfig": {"maxOutputTokens": 500}}},
            {"request": {"generationConfig": {"maxOutputTokens": 100}}},
        ),
    ],
)
def test_limit_of_the_client_is_lowered_and_never_added(form: str, body: object, wanted: object) -> None:
    assert shaped(form, body, Orders(max_tokens=100)) == wanted


def test_every_other_byte_stays() -> None:
    body = b'{ "max_tokens" : 500,\t"temperature": 1.0e0, "x": "\\u00e9" }\n'
    made = shape(WireRequest(body=body), "anthropic-messages", Orders(max_tokens=100))
    assert made.body == body.replace(b"500", b"100")


def test_thinking_budget_stays_below_a_lowered_limit() -> None:
    body = {"max_tokens": 32000, "thinking": {"type": "enabled", "budget_tokens": 31999}}
    made = shaped("anthropic-messages", body, Orders(max_tokens=8000))
    assert made == {"max_tokens": 8000, "thinking": {"type": "enabled", "budget_tokens": 6000}}


def test_thinking_goes_when_a_lowered_limit_leaves_no_room_for_it() -> None:
    body = {
        "max_tokens": 32000,
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }
    assert shaped("anthropic-messages", body, Orders(max_tokens=1000)) == {"max_tokens": 1000}


# ── system prompt ───────────────────────────────────────────────────────────────────────────────────────────────────

BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=0a1b4;"}
CACHED = {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral"}}
BRIEF = {"type": "text", "text": "Be brief."}


@pytest.mark.parametrize(
    "form, body, last, first",
    [
        ("anthropic-messages", {}, {"system": "Be brief."}, {"system": "Be brief."}),
        (
            "anthropic-messages",
            {"system": "Hi"},
            {"system": "Hi\n\nBe brief."},
            {"system": "Be brief.\n\nHi"},
        ),
        (
            "anthropic-messages",
            {"system": [BILLING, CACHED]},
            {"system": [BILLING, CACHED, BRIEF]},
            {"system": [BILLING, BRIEF, CACHED]},
        ),
        (
            "openai-chat",
            {"messages": [{"role": "user", "content": "Hi"}]},
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
        ),
        (
            "openai-chat",
            {"messages": [{"role": "system", "content": "A"}, {"role": "developer", "content": [BILLING]}]},
            {"messages": [{"role": "system", "content": "A"}, {"role": "developer", "content": [BILLING, BRIEF]}]},
            {
                "messages": [
                    {"role": "system", "content": "Be brief.\n\nA"},
                    {"role": "developer", "content": [BILLING]},
                ]
            },
        ),
        (
            "openai-responses",
            {"instructions": "Hi", "input": "x"},
            {"instructions": "Hi\n\nBe brief.", "input": "x"},
            {"instructions": "Be brief.\n\nHi", "input": "x"},
        ),
        ("openai-responses", {"input": "x"}, {"input": "x", "instructions": "Be brief."}, None),
        (
            "gemini",
            {"system_instruction": {"role": "user", "parts": [{"text": "Hi"}]}},
            {"system_instruction": {"role": "user", "parts": [{"text": "Hi"}, {"text": "Be brief."}]}},
            {"system_instruction": {"role": "user", "parts": [{"text": "Be brief."}, {"text": "Hi"}]}},
        ),
        ("gemini", {"contents": []}, {"contents": [], "systemInstruction": {"parts": [{"text": "Be brief."}]}}, None),
        (
            "gemini-cli",
            {"model": "m", "request": {"systemInstruction": {"parts": []}}},
            {"model": "m", "request": {"systemInstruction": {"parts": [{"text": "Be brief."}]}}},
            None,
        ),
    ],
)
def test_system_prompt_is_added_in_the_clients_format(form: str, body: object, last: object, first: object) -> None:
    made = shaped(form, body, Orders(system=PROMPT))
    assert made == last
    assert shaped(form, made, Orders(system=PROMPT)) == last, "added a second time"
    if first is not None:
        assert shaped(form, body, Orders(system=FIRST)) == first


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli"])
@pytest.mark.parametrize("body", [b"", b"[]", b'{"system":', b'{"system":7,"messages":7,"instructions":7,"request":7}'])
def test_what_cannot_be_read_is_left_to_the_format(form: str, body: bytes) -> None:
    wanted = Orders(max_tokens=1, system=PROMPT, thinking=ThinkingRule(mode="adaptive"))
    shape(WireRequest(body=body), form, wanted)  # raises nothing


# ── in an exchange ──────────────────────────────────────────────────────────────────────────────────────────────────

CLAUDE = loopback.json(200, CLAUDE_WHOLE)
CHAT = loopback.json(200, CHAT_WHOLE)
SHORT = "policies: [{name: short, max_tokens: 50}]"


def sent(targets: str, more: str, call: Call, said: Answer) -> tuple[bytes, dict[str, JSON]]:
    """What the provider behind ``targets`` has got."""
    got: list[bytes] = []

    async def main(on: Stage, one: Provider, _two: Provider) -> None:
        assert (await on.ask(call)).status == 200
        got.append(one.last.body)

    scene(main, [said], [], targets, more)
    return got[0], cast("dict[str, JSON]", orjson.loads(got[0]))


def test_passed_on_call_keeps_every_byte_but_the_limits() -> None:
    body, _ = sent("c/*", SHORT, claude(WHOLE), CLAUDE)
    assert body == WHOLE.replace(b'"max_tokens":99', b'"max_tokens":50')


def test_translated_call_has_the_limit() -> None:
    _, body = sent("a/m", SHORT, claude(WHOLE), CHAT)
    assert body["max_tokens"] == 50


def test_limit_that_only_the_upstream_needs_is_at_most_the_policies() -> None:
    chat = called(
        "openai-chat", "/v1/chat/completions", b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'
    )
    _, body = sent("c/m", SHORT, chat, CLAUDE)
    assert body["max_tokens"] == 50


def test_own_call_keeps_to_the_policies_limit_and_is_not_touched_otherwise() -> None:
    rules = f"{SHORT}\nsystem_prompt: {{text: Be brief.}}\nthinking: {{mode: custom, budget: 2000}}"
    body, _ = sent("origin", rules, claude(WHOLE), CLAUDE)
    assert body == WHOLE.replace(b'"max_tokens":99', b'"max_tokens":50')


def test_own_call_that_asks_for_less_keeps_every_byte() -> None:
    rules = "policies: [{name: short, max_tokens: 500}]\nsystem_prompt: {text: Be brief.}"
    assert sent("origin", rules, claude(WHOLE), CLAUDE)[0] == WHOLE


def test_system_prompt_reaches_a_translated_target() -> None:
    _, body = sent("a/m", "system_prompt: {text: Be brief.}", claude(WHOLE), CHAT)
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]


def test_thinking_reaches_a_translated_target_in_its_own_words() -> None:
    call = claude(WHOLE.replace(b'"max_tokens":99', b'"max_tokens":32000'))
    _, body = sent("a/m", "thinking: {mode: custom, budget: 10240}", call, CHAT)
    assert body["reasoning_effort"] == "medium"
