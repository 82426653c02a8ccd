"""The semantic tier in the rules: what it needs, and who is told when it is not there."""

from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, parse, semantic
from omniroute_addon.config.models import Provider

ROUTE = "routes:\n  - {match: {client: codex}, to: glm/glm-4.7, cache: semantic}\n"
CACHE = "cache:\n  enabled: true\n  semantic: {embeddings: openai/text-embedding-3-small}\n"


def problems(rules: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(f"version: 1\n{rules}", Path("rules.yaml"), env={})
    return str(error.value).splitlines()


def warned(rules: str) -> list[str]:
    return [str(one) for one in parse(f"version: 1\n{rules}", Path("rules.yaml"), env={}).warnings]


def test_a_route_opts_in() -> None:
    snapshot = parse(f"version: 1\n{ROUTE}{CACHE}", None, env={})
    assert [route.semantic for route in snapshot.routes] == [True]
    assert snapshot.warnings == ()
    assert snapshot.governance.cache.semantic is not None
    assert snapshot.governance.cache.semantic.threshold == 0.95


@pytest.mark.parametrize(
    "embeddings,expected",
    [
        ("opneai/small", "unknown provider 'opneai'; did you mean 'openai'?"),
        ("openai", "'openai' is not provider/model"),
        ("openai/", "'openai/' is not provider/model"),
        ("gemini/x", "provider 'gemini' has no address like OpenAI's: one that ends with /chat/completions or "),
    ],
)
def test_what_cannot_make_embeddings_is_told(embeddings: str, expected: str) -> None:
    (found,) = problems(ROUTE + f"cache:\n  enabled: true\n  semantic:\n    embeddings: {embeddings}\n")
    assert found.startswith(f"rules.yaml:7: cache.semantic.embeddings: {expected}")


@pytest.mark.parametrize(
    "name,value", [("threshold", "0"), ("threshold", "1.01"), ("timeout", "11s"), ("timeout", "0")]
)
def test_figures_are_bounded(name: str, value: str) -> None:
    (found,) = problems(ROUTE + f"cache:\n  semantic:\n    embeddings: openai/x\n    {name}: {value}\n")
    assert found.startswith(f"rules.yaml:7: cache.semantic.{name}: ")


def test_a_route_without_the_section_is_told() -> None:
    expected = "routes[0].cache: needs the section cache.semantic, which says where embeddings come from"
    assert problems(ROUTE) == [f"rules.yaml:3: {expected}"]


def test_half_of_it_is_a_warning() -> None:
    assert warned(CACHE) == [
        "rules.yaml:4: cache.semantic: no route has 'cache: semantic', so no question is held against another"
    ]
    off = CACHE.replace("enabled: true", "enabled: false")
    assert warned(ROUTE + off) == ["rules.yaml:3: routes[0].cache: the cache is off: it needs cache.enabled"]


def test_without_the_extra_the_rules_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "_MODULES", ("no_such_module", "apsw"))
    told = "needs no_such_module, not installed here: pip install 'omniroute[semantic]'"
    assert problems(ROUTE + CACHE) == [f"rules.yaml:6: cache.semantic: {told}"]
    assert parse("version: 1\ncache: {enabled: true}", None, env={}).governance.cache.enabled


@pytest.mark.parametrize(
    "form,url,expected",
    [
        ("openai-chat", "http://127.0.0.1:11434/v1/chat/completions", "http://127.0.0.1:11434/v1/embeddings"),
        ("openai-responses", "https://x/api/responses/?v=1", "https://x/api/embeddings?v=1"),
        ("openai-chat", "https://x/something", None),
        ("anthropic-messages", "https://x/v1/messages", None),
    ],
)
def test_embeddings_are_made_beside_the_endpoint(form: str, url: str, expected: str | None) -> None:
    assert semantic.embeddings_url(Provider("x", "x", url, form)) == expected


def test_another_endpoint_of_the_provider_will_do() -> None:
    both = Provider(
        "x",
        "x",
        "https://x/v1/messages",
        "anthropic-messages",
        endpoints={"openai-chat": "https://x/v1/chat/completions"},
    )
    assert semantic.embeddings_url(both) == "https://x/v1/embeddings"
