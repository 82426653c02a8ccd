"""The sections of the rules: every mistake in one has its line and says what would be right."""

from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, Snapshot, parse
from omniroute_addon.config.governance import FEATURES, Governance

ACCOUNT_STRATEGIES = ("session-affinity", "fill-first", "round-robin", "p2c", "random", "least-used")


def loaded(rules: str) -> Snapshot:
    return parse(f"version: 1\n{rules}", Path("rules.yaml"), env={})


def problems(rules: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        loaded(rules)
    return [line.removeprefix("rules.yaml:") for line in str(error.value).splitlines()]


WRONG = {
    "combo_defaults": [
        ("retries: 11", "retries: must be less than or equal to 10"),
        ("retries: some", "retries: must be a whole number"),
        ("retrys: 1", "retrys: unknown key 'retrys'; did you mean 'retries'?"),
        (
            "retry_delay: later",
            "retry_delay: 'later' is not a duration such as 500ms, 30s, 5m, 2h30m, 90d, or a number of seconds",
        ),
    ],
    "pool": [
        (
            "strategy: fastest",
            f"strategy: must be {', '.join(map(repr, ACCOUNT_STRATEGIES))} or 'cost-optimized'",
        ),
        ("sticky: 0", "sticky: must be greater than 0"),
        ("stiky: 3", "stiky: unknown key 'stiky'; did you mean 'sticky'?"),
    ],
    "rates": [
        ("rpm: 0", "rpm: must be greater than 0"),
        ("rpm: many", "rpm: must be a whole number"),
        ("min_gap: -1", "min_gap: must be greater than or equal to 0"),
        ("rmp: 3", "rmp: unknown key 'rmp'; did you mean 'rpm'?"),
        ("learn: sometimes", "learn: must be true or false"),
    ],
    "quota": [
        ("keep: 110%", "keep: must be less than or equal to 1"),
        ("keep: ten%", "keep: 'ten%' is not a percentage such as 10%"),
        ("kep: 10%", "kep: unknown key 'kep'; did you mean 'keep'?"),
        ("windows: day", "windows: must be a list"),
        ("windows: [{window: day}]", "windows[0]: counts nothing: it needs 'requests' or 'tokens'"),
        ("windows: [{requests: 5}]", "windows[0]: key 'window' is missing"),
        (
            "windows: [{window: year, requests: 5}]",
            "windows[0].window: must be 'minute', 'hour', '5h', 'day', 'week' or 'month'",
        ),
        (
            "windows: [{window: day, requests: 5, timezone: Berlin}]",
            "windows[0].timezone: unknown time zone 'Berlin'; use an IANA name such as Europe/Berlin",
        ),
    ],
    "resilience": [
        ("local: {failures: 3}", "local: key 'reset' is missing"),
        ("local: {failures: 0, reset: 1}", "local.failures: must be greater than 0"),
        ("api-kye: {failures: 3, reset: 1}", "api-kye: unknown key 'api-kye'; did you mean 'api-key'?"),
        ("subscription: 8", "subscription: must be a mapping of keys to values"),
    ],
    "prices": [
        ("glm/*: {input: -1}", "glm/*.input: must be greater than or equal to 0"),
        ("glm/*: {inptu: 1}", "glm/*.inptu: unknown key 'inptu'; did you mean 'input'?"),
        ("glm/*: 3", "glm/*: must be a mapping of keys to values"),
    ],
    "thinking": [
        ("mode: much", "mode: must be 'passthrough', 'auto', 'custom' or 'adaptive'"),
        ("budget: -1", "budget: must be greater than or equal to 0"),
        ("models: {a: {efort: low}}", "models.a.efort: unknown key 'efort'; did you mean 'effort'?"),
    ],
    "system_prompt": [
        ("text: [a]", "text: must be a text"),
        ("position: middle", "position: must be 'prepend' or 'append'"),
        ("txt: a", "txt: unknown key 'txt'; did you mean 'text'?"),
    ],
    "bypass": [
        ("warmup: maybe", "warmup: must be true or false"),
        ("title: true", "title: unknown key 'title'; did you mean 'titles'?"),
    ],
    "shaping": [
        ("sanitize: {}", "sanitize: must be true or false"),
        ("sanitise: true", "sanitise: unknown key 'sanitise'; did you mean 'sanitize'?"),
    ],
    "idempotency": [
        ("enabled: maybe", "enabled: must be true or false"),
        ("request_ids: true", "request_ids: unknown key 'request_ids'; did you mean 'request_id'?"),
    ],
    "cache": [
        ("enabled: {}", "enabled: must be true or false"),
        ("persists: true", "persists: unknown key 'persists'; did you mean 'persist'?"),
    ],
    "sessions": [
        ("max: 0", "max: must be greater than 0"),
        (
            "ttl: forever",
            "ttl: 'forever' is not a duration such as 500ms, 30s, 5m, 2h30m, 90d, or a number of seconds",
        ),
        ("tll: 5", "tll: unknown key 'tll'; did you mean 'ttl'?"),
    ],
    "ledger": [
        ("path: 3", "path: must be a text"),
        (
            "retention: 11y",
            "retention: '11y' is not a duration such as 500ms, 30s, 5m, 2h30m, 90d, or a number of seconds",
        ),
        ("retension: 5d", "retension: unknown key 'retension'; did you mean 'retention'?"),
    ],
}
"""Section → a wrong line in it, and what is said of it."""

WRONG_ENTRIES = {
    "budgets": [
        ("{name: b, daily: -1}", ".daily: must be greater than or equal to 0"),
        ("{name: b, daily: lots}", ".daily: must be a number"),
        ("{name: '', daily: 1}", ".name: must not be empty"),
        ("{daily: 1}", ": key 'name' is missing"),
        ("{name: b, dayly: 1}", ".dayly: unknown key 'dayly'; did you mean 'daily'?"),
        ("{name: b}", ": limits nothing: it needs 'daily', 'weekly' or 'monthly'"),
        (
            "{name: b, daily: 1, match: {tier: gold}}",
            ".match.tier: must be 'subscription', 'api-key', 'cheap' or 'free'",
        ),
        (
            "{name: b, daily: 1, match: {providr: glm}}",
            ".match.providr: unknown key 'providr'; did you mean 'provider'?",
        ),
        ("{name: b, daily: 1, on_exceed: stop}", ".on_exceed: must be 'fallback', 'deny' or 'warn'"),
        ("{name: b, daily: 1, warn_at: 80}", ".warn_at: must be less than or equal to 1"),
        (
            "{name: b, daily: 1, timezone: Nowhere/Town}",
            ".timezone: unknown time zone 'Nowhere/Town'; use an IANA name such as Europe/Berlin",
        ),
    ],
    "policies": [
        ("{name: p}", ": does nothing: it needs 'allow', 'deny', 'prefer' or 'max_tokens'"),
        ("{name: p, max_tokens: 0}", ".max_tokens: must be greater than 0"),
        ("{name: p, denny: a}", ".denny: unknown key 'denny'; did you mean 'deny'?"),
        ("{name: p, deny: {a: b}}", ".deny: must be a list"),
        ("{deny: a}", ": key 'name' is missing"),
    ],
    "routes": [
        ("{to: []}", ".to: must not be empty"),
        ("{match: {}}", ": key 'to' is missing"),
        ("{to: origin, match: {hours: 9-17}}", ".match.hours: '9-17' is not a span of the day such as 09:00-18:00"),
        ("{to: origin, match: {hours: '09:00-09:00'}}", ".match.hours: '09:00-09:00' ends when it begins"),
        (
            "{to: origin, match: {days: monday}}",
            ".match.days: must be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'; did you mean 'mon'?",
        ),
        (
            "{to: origin, match: {has: pictures}}",
            f".match.has: unknown feature 'pictures'; features are {', '.join(FEATURES)}",
        ),
        (
            "{to: origin, match: {source: 10.0.0}}",
            ".match.source: '10.0.0' is not an address or network such as 10.0.0.0/8",
        ),
        ("{to: origin, match: {has: tools, lacks: tools}}", ".match: no request has and lacks 'tools'"),
        (
            "{to: origin, match: {tokens_over: 9, tokens_under: 9}}",
            ".match: no request has more than 9 and less than 9 tokens",
        ),
        ("{to: origin, match: {sesion: x}}", ".match.sesion: unknown key 'sesion'; did you mean 'session'?"),
    ],
}


@pytest.mark.parametrize("section,line,expected", [(name, *case) for name, cases in WRONG.items() for case in cases])
def test_a_mistake_in_a_section_is_told_with_its_line(section: str, line: str, expected: str) -> None:
    assert problems(f"{section}:\n  {line}\n") == [f"3: {section}.{expected}"]


@pytest.mark.parametrize(
    "section,entry,expected", [(name, *case) for name, cases in WRONG_ENTRIES.items() for case in cases]
)
def test_a_mistake_in_an_entry_is_told_with_its_line(section: str, entry: str, expected: str) -> None:
    assert problems(f"{section}:\n  - {entry}\n") == [f"3: {section}[0]{expected}"]


@pytest.mark.parametrize("section", Governance.model_fields)
def test_a_section_of_the_wrong_kind_is_told(section: str) -> None:
    assert problems(f"{section}: wrong\n")[0].startswith(f"2: {section}: must be a ")


@pytest.mark.parametrize("section", Governance.model_fields)
def test_every_section_has_its_mistakes_here(section: str) -> None:
    elsewhere = {"fallback_chains": "names only; below"}
    assert section in {*WRONG, *WRONG_ENTRIES, *elsewhere}


def test_a_fallback_chain_names_targets() -> None:
    assert problems("fallback_chains:\n  gpt-*: [glm/x, nowhere]\n") == [
        "3: fallback_chains.gpt-*[1]: unknown target 'nowhere'; a target is origin, a combo's name or prefix/model"
    ]


@pytest.mark.parametrize("key", ["api-key", "api_key"])
def test_a_kind_of_provider_may_be_written_either_way(key: str) -> None:
    assert loaded(f"resilience: {{{key}: {{failures: 3, reset: 1}}}}").governance.resilience.api_key.failures == 3


def test_a_provider_with_windows_keeps_the_general_reserve() -> None:
    rules = "quota: {keep: 10%}\nproviders: {glm: {quota: {windows: [{window: day, requests: 5}]}}}"
    quota = loaded(rules).providers["glm"].quota
    assert (quota.keep, len(quota.windows)) == (0.1, 1)


def test_free_logins_are_counted_by_their_published_figures() -> None:
    windows = loaded("").providers["gemini-cli"].quota.windows
    assert [(one.window, one.requests, one.firm) for one in windows] == [
        ("day", 1000, False),
        ("month", 180_000, False),
    ]


@pytest.mark.parametrize(
    "rules,expected",
    [
        ("routes:", "2: routes: is empty; it must be a list, or leave the line out"),
        ("rates:", "2: rates: is empty; it must be a mapping of keys to values, or leave the line out"),
        ("routes:\n  - to:", "3: routes[0].to: is empty; it must be a list, or leave the line out"),
    ],
)
def test_what_is_empty_is_said_to_be(rules: str, expected: str) -> None:
    assert problems(rules) == [expected]


@pytest.mark.parametrize(
    "rules,meant",
    [
        ("pool: {strategy: fillfirst}", "fill-first"),
        ("routes: [{to: origin, match: {days: Mon}}]", "mon"),
        ("budgets: [{name: b, daily: 1, on_exceed: denied}]", "deny"),
    ],
)
def test_a_word_that_is_nearly_right_is_told(rules: str, meant: str) -> None:
    assert problems(rules)[0].endswith(f"; did you mean {meant!r}?")


def test_tabs_are_told() -> None:
    assert problems("routes:\n\t- {to: origin}")[0].endswith("; indent by spaces, not by tabs")
