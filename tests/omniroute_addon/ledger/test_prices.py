"""What calls cost: the user's prices, the list's, and nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage as Listed
from genai_prices import calc_price, data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.config.governance import Price
from omniroute_addon.ledger.prices import LISTED, Prices, tariff
from translators.hub import JSON, Usage

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
MODELS = [
    (ours, model.id)
    for ours, theirs in sorted(LISTED.items())
    for provider in data_snapshot.get_snapshot().providers
    if provider.id == theirs
    for model in provider.models
]


def rules(text: str) -> Snapshot:
    return parse(text, Path("omniroute.yaml"), env={})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MODELS), *[st.integers(0, 500_000)] * 4)
def test_a_cost_is_what_the_list_s_own_arithmetic_says(
    name: tuple[str, str], fresh: int, read: int, write: int, output: int
) -> None:
    provider, model = name
    found = tariff(provider, model, NOW)
    if found is None:
        return
    usage = Usage(input=fresh + read + write, output=output, cache_read=read, cache_write=write)
    listed = Listed(
        input_tokens=fresh + read + write, cache_read_tokens=read, cache_write_tokens=write, output_tokens=output
    )
    theirs = calc_price(
        listed, model, provider_id=LISTED[provider], genai_request_timestamp=datetime.fromtimestamp(NOW, UTC)
    )
    assert found.price(usage) / 1e6 == pytest.approx(float(theirs.total_price), abs=1e-6)
    assert theirs.total_price >= Decimal(0)


def test_a_known_model_has_its_list_price() -> None:
    cost = Prices({}).cost("anthropic", "claude-opus-4-6", Usage(input=1_000_000, output=100_000), NOW)
    assert (cost.dollars, cost.source, cost.estimated) == (7.5, "genai-prices", False)


def test_an_hour_s_cache_writes_cost_more() -> None:
    extra: dict[str, dict[str, JSON]] = {
        "anthropic-messages": {"cache_creation": {"ephemeral_1h_input_tokens": 1_000_000}}
    }
    usage = Usage(input=1_000_000, cache_write=1_000_000, output=0, extra=extra)
    assert Prices({}).cost("anthropic", "claude-opus-4-6", usage, NOW).dollars == 10


def test_sound_and_pictures_have_prices_of_their_own() -> None:
    sound: dict[str, dict[str, JSON]] = {
        "gemini": {
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 400_000}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 100_000}],
        }
    }
    usage = Usage(input=1_000_000, cache_read=200_000, output=100_000, extra=sound)
    theirs = calc_price(
        Listed(
            input_tokens=1_000_000,
            input_audio_tokens=400_000,
            cache_read_tokens=200_000,
            cache_audio_read_tokens=100_000,
            output_tokens=100_000,
        ),
        "gemini-2.5-flash",
        provider_id="google",
    )
    assert Prices({}).cost("gemini", "gemini-2.5-flash", usage, NOW).dollars == pytest.approx(float(theirs.total_price))


def test_a_provider_s_own_searches_are_paid_by_number() -> None:
    extra: dict[str, dict[str, JSON]] = {"anthropic-messages": {"server_tool_use": {"web_search_requests": 3}}}
    usage = Usage(input=0, output=0, extra=extra)
    assert Prices({}).cost("anthropic", "claude-opus-4-6", usage, NOW).dollars == 0.03


def test_openrouter_says_itself_what_it_charges() -> None:
    usage = Usage(input=1_000_000, output=0, extra={"openai-chat": {"cost": 4.75}})
    cost = Prices({}).cost("openrouter", "anthropic/claude-opus-4.6", usage, NOW)
    assert (cost.micro, cost.source, cost.worth) == (4_750_000, "provider", 5_000_000)


def test_a_free_model_of_openrouter_is_free() -> None:
    cost = Prices({}).cost("openrouter", "qwen/qwen3-coder:free", Usage(input=10), NOW, "api-key")
    assert (cost.micro, cost.source) == (0, "free")


def test_a_long_input_has_prices_of_its_own() -> None:
    usage = Usage(input=200_001, output=0)
    assert Prices({}).cost("gemini", "gemini-2.5-pro", usage, NOW).micro == round(200_001 * 2.5)


@pytest.mark.parametrize(
    "model", ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5[1m]", "claude-sonnet-4-5-latest"]
)
def test_a_model_is_known_by_its_aliases_and_dates(model: str) -> None:
    assert Prices({}).cost("anthropic", model, Usage(input=1000), NOW).micro == 3000


def test_a_user_s_price_goes_first() -> None:
    prices = Prices({"glm/glm-4*": Price(input=1, output=2, cache_read=0.1, request=0.01)})
    usage = Usage(input=1000, cache_read=500, output=100)
    cost = prices.cost("glm", "glm-4.7", usage, NOW)
    assert (cost.micro, cost.source) == (500 + 50 + 200 + 10_000, "override")


def test_a_user_s_price_may_name_the_model_alone() -> None:
    prices = Prices({"qwen*": Price(input=3)})
    assert prices.cost("nobody", "qwen3", Usage(input=10), NOW).micro == 30


def test_a_subscription_costs_nothing_and_says_its_worth() -> None:
    prices = Prices({}, subscriptions=frozenset({"claude"}))
    cost = prices.cost("claude", "claude-opus-4-6", Usage(input=1_000_000), NOW)
    assert (cost.micro, cost.worth, cost.source) == (0, 5_000_000, "subscription")


def test_a_login_at_a_paid_provider_is_a_subscription() -> None:
    cost = Prices({}).cost("anthropic", "claude-opus-4-6", Usage(input=1_000_000), NOW, tier="subscription")
    assert (cost.micro, cost.worth) == (0, 5_000_000)


def test_an_unknown_model_has_an_unknown_cost() -> None:
    cost = Prices({}).cost("nobody", "m", Usage(input=10), NOW)
    assert (cost.micro, cost.source) == (None, "unknown")


def test_an_answer_without_usage_has_an_unknown_cost() -> None:
    assert Prices({}).cost("anthropic", "claude-opus-4-6", Usage(), NOW).micro is None


def test_a_cost_of_estimated_tokens_is_an_estimate() -> None:
    assert Prices({}).cost("anthropic", "claude-opus-4-6", Usage(input=10, estimated=True), NOW).estimated


def test_a_provider_of_one_s_own_on_this_machine_costs_nothing() -> None:
    address = "http://127.0.0.1:8000/v1/chat/completions"
    snapshot = rules(f'version: 1\nproviders: {{mine: {{format: openai-chat, base_url: "{address}"}}}}\n')
    prices = Prices.of(snapshot)
    assert prices.cost("mine", "m", Usage(input=10), NOW).micro == 0
    assert prices.cost("mine", "m", Usage(input=10), NOW, snapshot.providers["mine"].tier).micro == 0


def test_a_vendor_reached_through_this_machine_keeps_its_price() -> None:
    snapshot = rules('version: 1\nproviders: {glm: {base_url: "http://127.0.0.1:8000/v1/messages"}}\n')
    cost = Prices.of(snapshot).cost("glm", "glm-4.7", Usage(input=1_000_000), NOW)
    assert cost.micro == 600_000


def test_an_estimate_is_never_below_the_cost() -> None:
    prices = Prices({})
    most = prices.estimate("anthropic", "claude-opus-4-6", 1000, 100, NOW)
    cost = prices.cost("anthropic", "claude-opus-4-6", Usage(input=1000, cache_write=1000, output=100), NOW)
    assert most is not None
    assert cost.micro is not None
    assert most >= cost.micro


def test_the_price_for_choosing_blends_three_to_one() -> None:
    assert Prices({"m": Price(input=1, output=5)}).per_million("p", "m") == 2.0
    assert Prices({}).per_million("nobody", "m") is None
    assert Prices({}, free=frozenset({"p"})).per_million("p", "m") == 0.0
