"""What the vendors of chat dialects document about themselves is data in the shipped registry.

The names of the cases say whose documentation or error text it is; that the renderers honour each field is shown in
``tests/translators/formats/openai_chat/test_profile.py``.
"""

import json
from typing import Any

import pytest

from omniroute_addon.config import parse
from omniroute_addon.config.models import Snapshot
from translators.formats import FORMATS
from translators.hub import Message, OutputFormat, Reasoning, Request, Text, Tool, ToolCall, ToolChoice, ToolResult

BOOKKEEPING = {"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "verbosity"}
SAMPLING = {"temperature", "top_p", "presence_penalty", "frequency_penalty"}


@pytest.fixture(scope="module")
def shipped() -> Snapshot:
    return parse(None, None, env={})


def tolerated(shipped: Snapshot, provider: str, model: str = "a-model") -> Any:
    return shipped.providers[provider].profile(model)


def test_mistral_takes_ids_of_nine_characters_and_its_own_seed(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "mistral")
    assert (profile.tool_id_pattern, profile.seed_field) == ("[a-zA-Z0-9]{9}", "random_seed")
    assert (profile.stream_usage, profile.user_after_tool, profile.names) == (False, False, False)
    assert BOOKKEEPING | {"user", "logprobs", "store"} <= profile.omit


def test_groq_refuses_log_probabilities_and_names(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "groq")
    assert {"logprobs", "top_logprobs", "logit_bias"} <= profile.omit
    assert not profile.names


def test_groq_takes_an_effort_for_gpt_oss_alone(shipped: Snapshot) -> None:
    assert tolerated(shipped, "groq").reasoning_style == "none"
    assert tolerated(shipped, "groq", "openai/gpt-oss-120b").efforts == ("low", "medium", "high")


def test_cerebras_refuses_five_fields_of_openai(shipped: Snapshot) -> None:
    refused = {"frequency_penalty", "logit_bias", "presence_penalty", "parallel_tool_calls", "service_tier"}
    assert refused <= tolerated(shipped, "cerebras").omit
    assert tolerated(shipped, "cerebras").max_tokens_field == "max_completion_tokens"


def test_deepseek_has_json_mode_only_and_forced_calls_only_without_thinking(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "deepseek", "deepseek-v4-flash")
    assert (profile.structured, profile.thinks_when_forced) == ("json_object", False)
    assert (profile.reasoning_field, profile.reasoning_style) == ("reasoning_content", "thinking")
    assert tolerated(shipped, "deepseek", "deepseek-reasoner").tool_choices == {"auto", "none"}


def test_glm_takes_no_choice_but_auto_one_stop_and_json_mode(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "glm-cn", "glm-5.1")
    assert (profile.tool_choices, profile.max_stops, profile.structured) == ({"auto"}, 1, "json_object")
    assert not profile.strict_tools


@pytest.mark.parametrize("model, position", [("glm-4.7", "none"), ("glm-5", "none"), ("glm-5.1", "any")])
def test_glm_before_5_1_has_no_system_role(shipped: Snapshot, model: str, position: str) -> None:
    assert tolerated(shipped, "glm-cn", model).system_position == position


def test_kimi_fixes_its_sampling_and_does_not_think_when_forced(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "kimi", "kimi-k2.6")
    assert profile.omit >= SAMPLING
    assert (profile.thinks_when_forced, profile.max_tokens_field) == (False, "max_completion_tokens")
    assert "required" not in profile.tool_choices
    assert tolerated(shipped, "kimi", "kimi-k3").efforts == ("low", "high", "max")
    assert tolerated(shipped, "kimi", "moonshot-v1-8k").omit == frozenset()


@pytest.mark.parametrize("provider", ["dashscope", "dashscope-cn", "siliconflow", "siliconflow-cn"])
def test_qwen_has_a_switch_and_a_budget(shipped: Snapshot, provider: str) -> None:
    assert tolerated(shipped, provider, "qwen3-max").reasoning_style == "enable_thinking"


def test_dashscope_takes_breakpoints_and_no_required_call(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "dashscope", "qwen3-max")
    assert profile.cache_control
    assert "required" not in profile.tool_choices


def test_perplexity_wants_turns(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "perplexity", "sonar")
    assert (profile.alternate, profile.system_position) == (True, "leading")


def test_cohere_knows_two_efforts_and_no_parallel_flag(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "cohere")
    assert profile.efforts == ("none", "high")
    assert {"parallel_tool_calls", "n", "top_logprobs"} <= profile.omit
    assert (profile.tool_choices, profile.null_content) == ({"none", "required"}, False)


def test_grok_4_refuses_penalties_stops_and_efforts(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "xai", "grok-4")
    assert profile.omit == {"presence_penalty", "frequency_penalty", "stop"}
    assert profile.reasoning_style == "none"
    assert tolerated(shipped, "xai", "grok-4.5").efforts == ("low", "medium", "high")


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-mini", "gpt-5.2", "o3", "o4-mini"])
def test_openais_reasoning_models_take_no_sampling(shipped: Snapshot, model: str) -> None:
    profile = tolerated(shipped, "openai", model)
    assert profile.omit >= SAMPLING
    assert profile.max_tokens_field == "max_completion_tokens"


@pytest.mark.parametrize("provider", ["openai", "codex"])
def test_openai_finds_caches_by_key(shipped: Snapshot, provider: str) -> None:
    assert tolerated(shipped, provider).cache_key


@pytest.mark.parametrize("provider", ["openrouter", "kilocode", "cline"])
def test_openrouters_dialect_has_reasoning_top_k_and_breakpoints(shipped: Snapshot, provider: str) -> None:
    profile = tolerated(shipped, provider)
    assert (profile.reasoning_style, profile.reasoning_field) == ("reasoning", "reasoning")
    assert profile.top_k
    assert profile.cache_control


@pytest.mark.parametrize(
    "provider, model",
    [
        ("groq", "qwen/qwen3-32b"),
        ("cerebras", "qwen-3-32b"),
        ("nvidia", "deepseek-ai/deepseek-r1"),
        ("together", "deepseek-ai/DeepSeek-R1"),
        ("fireworks", "accounts/fireworks/models/deepseek-r1"),
        ("nebius", "deepseek-ai/DeepSeek-R1"),
        ("hyperbolic", "deepseek-ai/DeepSeek-R1"),
        ("perplexity", "sonar-reasoning-pro"),
    ],
)
def test_models_that_think_between_tags_are_named(shipped: Snapshot, provider: str, model: str) -> None:
    assert tolerated(shipped, provider, model).think_tags


def test_minimax_m2_sees_no_images(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "minimax", "MiniMax-M2.1")
    assert (profile.images, profile.documents) == (False, False)
    assert "top_k" in profile.omit


def test_copilot_takes_text_and_images_alone(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "github")
    assert (profile.images, profile.documents, profile.audio) == (True, False, False)


FULL = Request(
    "a-model",
    (
        Message("system", (Text("Be brief."),)),
        Message("developer", (Text("Use tools."),)),
        Message("user", (Text("Hi"),)),
        Message("assistant", (ToolCall("toolu_0123456789", "f", "{}"),)),
        Message("user", (ToolResult("toolu_0123456789", (Text("1"),)), Text("Go on"))),
    ),
    tools=(Tool("f", schema={"type": "object", "properties": {}}, strict=True),),
    tool_choice=ToolChoice("required"),
    parallel_tools=False,
    max_tokens=100,
    temperature=2.0,
    top_p=0.5,
    top_k=5,
    stop=("a", "b"),
    seed=1,
    presence_penalty=0.5,
    frequency_penalty=0.5,
    logprobs=True,
    top_logprobs=2,
    reasoning=Reasoning(effort="max"),
    output=OutputFormat({"type": "object"}, "answer"),
    verbosity="low",
    user="somebody",
    cache_key="key",
    service_tier="default",
    stream=True,
)
CHAT = [
    "cerebras", "cohere", "dashscope", "deepseek", "fireworks", "github", "glm-cn", "groq", "kimi", "mistral", "nvidia",
    "openai", "openrouter", "perplexity", "qwen", "siliconflow", "together", "xai",
]  # fmt: skip


@pytest.mark.parametrize("provider", CHAT)
def test_nothing_that_a_provider_refuses_is_sent(shipped: Snapshot, provider: str) -> None:
    profile = tolerated(shipped, provider)
    body = json.loads(FORMATS["openai-chat"].render_request(FULL, profile, []).body)
    assert not profile.omit & body.keys()
    roles = [message["role"] for message in body["messages"]]
    assert profile.developer_role or "developer" not in roles
    assert profile.stream_usage or "stream_options" not in body
    assert profile.structured == "json_schema" or body.get("response_format", {}).get("type") != "json_schema"


@pytest.mark.parametrize("provider", CHAT)
def test_every_field_arrives_or_is_a_loss(shipped: Snapshot, provider: str) -> None:
    losses: list[Any] = []
    profile = tolerated(shipped, provider)
    body = json.loads(FORMATS["openai-chat"].render_request(FULL, profile, losses).body)
    lost = {loss.path for loss in losses}
    asked = {
        "temperature", "top_p", "top_k", "stop", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs",
        "parallel_tool_calls", "tool_choice", "verbosity", "user", "prompt_cache_key", "service_tier",
    }  # fmt: skip
    assert asked - body.keys() - lost == set()
    assert profile.seed_field in body or "seed" in lost


def test_codex_stores_nothing_and_wants_instructions(shipped: Snapshot) -> None:
    profile = tolerated(shipped, "codex")
    assert (profile.stream, profile.stores, profile.needs_instructions) == ("always", False, True)


def test_codexs_own_request_is_passed_through(shipped: Snapshot) -> None:
    body = b'{"model":"m","input":[{"role":"user","content":"hi"}],"store":false,"stream":true}'
    assert not tolerated(shipped, "codex").alters(body)


@pytest.mark.parametrize("provider", CHAT)
def test_a_plain_chat_request_is_passed_through(shipped: Snapshot, provider: str) -> None:
    body = b'{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"}],"stream":true}'
    assert tolerated(shipped, provider).alters(body) is tolerated(shipped, provider).alternate
