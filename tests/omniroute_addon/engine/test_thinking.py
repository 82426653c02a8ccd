"""How much a model thinks when the rules decide."""

import json
from typing import cast

import orjson
import pytest

from omniroute_addon.config.governance import ThinkingRule
from omniroute_addon.engine.thinking import adaptive_budget, direct, effort_of
from translators import FORMATS, WireRequest, hub
from translators.format import Profile
from translators.hub import JSON

CUSTOM = ThinkingRule(mode="custom", budget=10240)
ADAPTIVE = {"type": "adaptive", "display": "omitted"}
EDITS = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}


def told(form: str, body: object, rule: ThinkingRule, *, able: bool = True, named: bool = False) -> dict[str, JSON]:
    wire = WireRequest("POST", "/v1/messages", "", {}, json.dumps(body).encode())
    return cast("dict[str, JSON]", orjson.loads(direct(wire, form, rule, able=able, named=named).body))


@pytest.mark.parametrize(
    "budget, effort",
    [(0, "none"), (1, "low"), (1024, "low"), (1025, "medium"), (10240, "medium"), (10241, "high"), (99_999, "high"),
     (100_000, "xhigh")],
)  # fmt: skip
def test_budgets_have_an_effort(budget: int, effort: str) -> None:
    assert effort_of(budget) == effort


# ── auto ────────────────────────────────────────────────────────────────────────────────────────────────────────────

STRIPPED = [
    (
        "anthropic-messages",
        {"thinking": ADAPTIVE, "output_config": {"effort": "high"}, "context_management": EDITS, "max_tokens": 9},
        {"max_tokens": 9},
    ),
    (
        "anthropic-messages",
        {"output_config": {"effort": "high", "format": {}}, "context_management": {"edits": [{"type": "clear_tool_uses"}]}},
        {"output_config": {"format": {}}, "context_management": {"edits": [{"type": "clear_tool_uses"}]}},
    ),
    ("openai-chat", {"reasoning_effort": "high", "enable_thinking": True, "n": 1}, {"n": 1}),
    ("openai-responses", {"reasoning": {"effort": "low"}, "input": "x"}, {"input": "x"}),
    ("gemini", {"generationConfig": {"topK": 1, "thinkingConfig": {}}}, {"generationConfig": {"topK": 1}}),
    ("gemini", {"generation_config": {"thinking_config": {}}}, {"generation_config": {}}),
    (
        "gemini-cli",
        {"request": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}},
        {"request": {"generationConfig": {}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize("form, body, wanted", STRIPPED)
def test_auto_drops_what_the_client_says(form: str, body: object, wanted: object) -> None:
    assert told(form, body, ThinkingRule(mode="auto")) == wanted


@pytest.mark.parametrize("form, body, wanted", STRIPPED)
def test_model_that_cannot_think_is_told_nothing(form: str, body: object, wanted: object) -> None:
    assert told(form, body, CUSTOM, able=False) == wanted


def test_model_that_cannot_think_is_not_asked_for_its_encrypted_reasoning() -> None:
    body = {"include": ["reasoning.encrypted_content", "file_search_call.results"], "input": "x"}
    assert told("openai-responses", body, CUSTOM, able=False)["include"] == ["file_search_call.results"]
    assert told("openai-responses", body, ThinkingRule(mode="auto"))["include"] == body["include"]


def test_auto_lets_a_model_think_that_is_named_for_it() -> None:
    rule = ThinkingRule(mode="auto", budget=5000)
    assert told("openai-chat", {"n": 1}, rule, named=True) == {"n": 1, "reasoning_effort": "medium"}


def test_passthrough_leaves_the_very_same_request() -> None:
    wire = WireRequest(body=b'{"thinking": {"type":"enabled"}}')
    assert direct(wire, "anthropic-messages", ThinkingRule(), able=False, named=True) is wire


# ── custom ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "form, body, wanted",
    [
        ("openai-chat", {}, {"reasoning_effort": "medium"}),
        ("openai-chat", {"reasoning_effort": "low", "thinking": {"type": "disabled"}}, {"reasoning_effort": "medium"}),
        (
            "openai-responses",
            {"reasoning": {"summary": "auto"}},
            {"reasoning": {"summary": "auto", "effort": "medium"}},
        ),
        ("openai-responses", {"reasoning": None}, {"reasoning": {"effort": "medium"}}),
        ("gemini", {}, {"generationConfig": {"thinkingConfig": {"thinkingBudget": 10240}}}),
        (
            "gemini",
            {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"}}},
            {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "medium"}}},
        ),
        (
            "antigravity",
            {"request": {"generation_config": {"thinking_config": {"thinking_budget": 1}}}},
            {"request": {"generation_config": {"thinking_config": {"thinkingBudget": 10240}}}},
        ),
    ],
)
def test_custom_sets_the_budget_in_the_words_of_the_format(form: str, body: object, wanted: object) -> None:
    assert told(form, body, CUSTOM) == wanted


def test_gemini_gets_no_more_than_its_smaller_models_take() -> None:
    made = told("gemini", {}, ThinkingRule(mode="custom", budget=100_000))
    assert made == {"generationConfig": {"thinkingConfig": {"thinkingBudget": 24576}}}


def test_custom_turns_thinking_on_for_anthropic_with_what_it_allows_beside_it() -> None:
    body = {"max_tokens": 32000, "temperature": 0.2, "top_k": 3, "top_p": 0.5, "output_config": {"effort": "low"}}
    assert told("anthropic-messages", body, CUSTOM) == {
        "max_tokens": 32000,
        "thinking": {"type": "enabled", "budget_tokens": 10240},
    }


def test_custom_keeps_how_the_client_wants_its_thoughts_shown() -> None:
    made = told("anthropic-messages", {"max_tokens": 32000, "thinking": ADAPTIVE, "context_management": EDITS}, CUSTOM)
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 10240, "display": "omitted"}
    assert made["context_management"] == EDITS


def test_budget_of_zero_turns_thinking_off() -> None:
    off = ThinkingRule(mode="custom", budget=0)
    assert told("anthropic-messages", {"max_tokens": 9000, "thinking": ADAPTIVE}, off)["thinking"] == {
        "type": "disabled"
    }
    assert told("openai-chat", {}, off) == {"reasoning_effort": "none"}


def test_budget_leaves_a_quarter_of_the_output_for_the_answer() -> None:
    made = told("anthropic-messages", {"max_tokens": 4000}, CUSTOM)
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 3000}


OPEN_LOOP = [
    {"role": "user", "content": "read"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
]


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 1},
        {"max_tokens": 1200},
        {"max_tokens": 9000, "tool_choice": {"type": "any"}},
        {"max_tokens": 9000, "messages": OPEN_LOOP},
    ],
    ids=["no room", "hardly room", "forced tool", "open tool loop without thinking"],
)
def test_anthropic_call_that_cannot_think_is_left_without(body: dict[str, JSON]) -> None:
    assert told("anthropic-messages", {**body, "thinking": ADAPTIVE, "context_management": EDITS}, CUSTOM) == body


# ── adaptive ────────────────────────────────────────────────────────────────────────────────────────────────────────


def request(messages: int = 1, tools: int = 0, text: str = "hi") -> hub.Request:
    return hub.Request(
        "m",
        tuple(hub.Message("user" if n % 2 == 0 else "assistant", (hub.Text(text),)) for n in range(messages)),
        tools=tuple(hub.Tool(f"t{n}") for n in range(tools)),
        max_tokens=200_000,
    )


@pytest.mark.parametrize(
    "asked, effort, budget",
    [
        (request(), "low", 1024),
        (request(), "medium", 10240),
        (request(messages=11), "medium", 15360),
        (request(tools=4), "medium", 15360),
        (request(text="x" * 2001), "medium", 13312),
        (request(messages=11, tools=4, text="x" * 2001), "low", 2355),
        (request(messages=10, tools=3, text="x" * 2000), "medium", 10240),
        (request(messages=11), "high", 131072),
        (request(messages=11), "none", 0),
    ],
)
def test_adaptive_budget_grows_with_the_task(asked: hub.Request, effort: str, budget: int) -> None:
    assert adaptive_budget(asked, effort) == budget


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli"])
def test_adaptive_is_understood_by_every_format(form: str) -> None:
    wire = FORMATS[form].render_request(request(tools=4), Profile(), [])
    made = direct(wire, form, ThinkingRule(mode="adaptive"), able=True, named=False)
    reasoning = FORMATS[form].parse_request(made).reasoning
    assert reasoning is not None
    assert reasoning.budget == 15360 or reasoning.effort == "high"
