"""The shipped providers and surfaces."""

from pathlib import Path

import pytest

from omniroute_addon.config import load, parse
from omniroute_addon.config.models import AVAILABLE_FORMATS, ENDPOINT_SUFFIX, Provider, Snapshot
from omniroute_addon.config.paths import data_file


@pytest.fixture(scope="module")
def shipped() -> Snapshot:
    return parse(None, None, env={})


def test_every_address_that_we_speak_to_ends_like_its_format(shipped: Snapshot) -> None:
    odd = {
        name: provider.base_url
        for name, provider in shipped.providers.items()
        if provider.format in AVAILABLE_FORMATS and not provider.base_url.endswith(ENDPOINT_SUFFIX[provider.format])
    }
    assert odd == {}


def test_every_address_is_encrypted(shipped: Snapshot) -> None:
    assert all(provider.base_url.startswith("https://") for provider in shipped.providers.values())


def test_every_provider_names_a_variable_or_needs_a_login(shipped: Snapshot) -> None:
    assert [name for name, provider in shipped.providers.items() if not provider.env and not provider.login] == []


def test_no_two_providers_share_a_variable(shipped: Snapshot) -> None:
    names = [variable for provider in shipped.providers.values() for variable in provider.env]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == set()


@pytest.mark.parametrize(
    "prefix, provider",
    [
        ("cc", "claude"),
        ("cx", "codex"),
        ("gc", "gemini-cli"),
        ("gh", "github"),
        ("ds", "deepseek"),
        ("pplx", "perplexity"),
    ],
)
def test_the_seeds_prefixes_are_known(shipped: Snapshot, prefix: str, provider: str) -> None:
    assert shipped.prefixes[prefix] == provider


@pytest.mark.parametrize(
    "prefix",
    [
        "anthropic",
        "openai",
        "gemini",
        "openrouter",
        "glm",
        "glm-cn",
        "kimi",
        "kmc",
        "minimax",
        "minimax-cn",
        "groq",
        "xai",
        "mistral",
        "together",
        "fireworks",
        "cerebras",
        "cohere",
        "nvidia",
        "nebius",
        "siliconflow",
        "hyp",
        "kc",
        "cl",
    ],
)
def test_every_api_key_provider_is_there(shipped: Snapshot, prefix: str) -> None:
    assert isinstance(shipped.provider_of(prefix), Provider)


def test_the_surfaces_of_every_host_point_at_a_provider(shipped: Snapshot) -> None:
    assert {surface.provider for surface in shipped.surfaces.all} <= set(shipped.providers)


def test_overriding_the_subscription_moves_the_surface_to_it() -> None:
    text = "version: 1\nproviders: {claude: {base_url: 'http://127.0.0.1:1/v1/messages'}}"
    assert parse(text, None, env={}).surfaces.by_host["api.anthropic.com"][0].provider == "claude"


def test_the_other_endpoint_of_an_overridden_provider_is_beside_it() -> None:
    text = "version: 1\nproviders: {openai: {base_url: 'http://127.0.0.1:1/v1/chat/completions'}}"
    openai = parse(text, None, env={}).providers["openai"]
    assert openai.endpoint("openai-responses") == "http://127.0.0.1:1/v1/responses"


def test_a_model_of_another_endpoint_is_called_there(shipped: Snapshot) -> None:
    called = shipped.providers["openai"].speaking("anthropic-messages", "gpt-5.1-codex")
    assert (called.format, called.base_url) == ("openai-responses", "https://api.openai.com/v1/responses")


def test_a_client_is_spoken_to_in_its_own_format_where_the_provider_can(shipped: Snapshot) -> None:
    assert shipped.providers["openrouter"].speaking("anthropic-messages", "a/b").format == "anthropic-messages"


def test_the_example_is_valid(tmp_path: Path) -> None:
    env = {"OMNIROUTE_HOME": str(tmp_path), "GLM_API_KEY": "k"}
    assert load(data_file("omniroute.example.yaml"), env=env).combos["premium-coding"].strategy == "priority"
