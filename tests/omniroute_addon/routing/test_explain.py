"""What the explanation of a plan says."""

import json
from dataclasses import replace
from random import Random

import pytest

from omniroute_addon.config import parse
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.routing import Ask, Plan, Told, plan
from omniroute_addon.routing.explain import as_json, headline, rows, steps
from omniroute_addon.routing.state import BudgetBlock, QuotaLeft
from tests.omniroute_addon.routing.rules import CLAUDE, NOW, Past, planned, snapshot

ASK = Ask("claude-code", "anthropic-messages", "claude-opus-4-6", host="api.anthropic.com", provider="anthropic")
SNAPSHOT = parse(
    "{version: 1, combos: {a: {targets: [origin, glm/x, groq/y, mistral/z]}}, routes: [{to: a}]}",
    None,
    env={"GLM_API_KEY": "secret-glm", "GROQ_API_KEY": "secret-groq"},
)


def made(now: float = 0.0) -> Plan:
    standing = Standing(lambda: SNAPSHOT, lambda: now)
    first = plan(ASK, SNAPSHOT, standing, now, Random(1))
    standing.health.note(Verdict("next-account", "account", 3700, "quota", 3700), first.candidates[0], now)
    return plan(ASK, SNAPSHOT, standing, now, Random(1))


def test_the_headline_names_rule_and_combo() -> None:
    assert headline(made(), ASK) == "claude-code asking claude-opus-4-6: routes[0] → combo a"


def test_the_rows_say_how_and_why_not() -> None:
    found = [(row.order, row.target, row.note.partition(":")[0]) for row in rows(made(), ASK, 0.0)]
    assert found == [
        (1, "glm/x", "same format, adapted where the provider needs it"),
        (2, "groq/y", "translated from anthropic-messages"),
        (None, "origin", "cooling down for 1 h 1 min, until 1970-01-01T01"),
        (None, "mistral/z", "no account with a key"),
    ]


def test_the_json_has_no_keys_in_it() -> None:
    text = json.dumps(as_json(made(), ASK, SNAPSHOT, 0.0))
    assert "secret" not in text
    assert json.loads(text)["excluded"][0]["seconds"] == 3700


RULES = """
routes:
  - {match: {client: codex}, to: glm/x}
  - {match: {headers: {x-team: a}}, to: glm/x, name: teams}
  - {to: glm/x, enabled: false}
  - {match: {client: claude-code}, to: spread}
combos:
  spread: {strategy: weighted, targets: [{target: groq/y, weight: 3}, {target: glm/x, weight: 0}]}
policies:
  - {name: careful, match: {client: claude-*}, max_tokens: 9000}
"""


def test_the_steps_tell_every_route_that_was_passed_and_what_holds() -> None:
    assert steps(planned(RULES), CLAUDE, snapshot(RULES), NOW) == (
        "routes[0]: not this one, client is claude-code, not codex",
        "routes[1] teams: not this one, header x-team is not given, not a",
        "routes[2]: not this one, it is disabled",
        "policy careful holds",
        "at most 9,000 tokens of output are asked for",
    )


def test_a_row_says_why_it_stands_there() -> None:
    assert [row.why for row in rows(planned(RULES), CLAUDE, NOW)] == ["weight 3 of 3", "weight 0 of 3"]


def test_a_refusal_names_its_budget() -> None:
    block = BudgetBlock("team", "deny", "$5.00 of $5.00 spent today", NOW + 60)
    denied = planned(RULES, past=Past(blocks={"groq/y": block}))
    assert headline(denied, CLAUDE).endswith("routes[3] → combo spread, refused by budget team")
    assert steps(denied, CLAUDE, snapshot(RULES), NOW)[3].startswith(
        "budget team refuses the call: $5.00 of $5.00 spent today, until 1970-01-12"
    )


def test_the_json_tells_the_figures_that_strategies_go_by() -> None:
    past = Past(prices={"groq/y": 0.5}, quotas={"$GROQ_API_KEY": QuotaLeft(0.25, "day", NOW + 60)})
    found = as_json(planned(RULES, past=past), CLAUDE, snapshot(RULES), NOW, past)
    [first, second] = json.loads(json.dumps(found))["candidates"]
    assert first["state"] == {
        "uses": 0,
        "in_flight": 0,
        "price": 0.5,
        "quota": {"share": 0.25, "window": "day", "resets": "1970-01-12T13:47:40+00:00"},
    }
    assert second["state"]["price"] is None


def test_the_json_tells_what_was_tried() -> None:
    found = json.loads(json.dumps(as_json(planned(RULES), CLAUDE, snapshot(RULES), NOW)))
    assert found["tried"][0] == {
        "route": "routes[0]",
        "unmet": "client",
        "words": "client is claude-code, not codex",
    }
    assert (found["policies"], found["max_tokens"], found["candidates"][0]["why"]) == (
        ["careful"],
        9000,
        "weight 3 of 3",
    )


@pytest.mark.parametrize(
    "match,words",
    [
        ("model: [gpt-*, o3]", "model is claude-opus-4-6, not gpt-* or o3"),
        ("host: chatgpt.com", "host is api.anthropic.com, not chatgpt.com"),
        ("hours: '22:00-06:00', timezone: UTC", "hours is Mon 13:46, not 22:00-06:00"),
        ("days: [sat, sun], timezone: UTC", "days is Mon 13:46, not sat or sun"),
        ("session: s-*", "session is not given, not s-*"),
        ("key: 'team-*'", "key is not given, not team-*"),
        ("source: 10.0.0.0/8", "source is 127.0.0.1, not 10.0.0.0/8"),
        ("has: [images, tools]", "the request has no images"),
        ("lacks: tools", "the request has tools"),
        ("tokens_over: 9000", "tokens_over is 9,000, the request has about 5,000 tokens"),
        ("tokens_under: 100", "tokens_under is 100, the request has about 5,000 tokens"),
    ],
)
def test_every_condition_that_does_not_hold_says_why(match: str, words: str) -> None:
    rules = snapshot(f"routes: [{{match: {{{match}}}, to: glm/x}}]")
    ask = replace(CLAUDE, source="127.0.0.1", facts=Told(frozenset({"tools"}), 5000))
    assert steps(planned(rules, ask), ask, rules, NOW) == (f"routes[0]: not this one, {words}",)


def test_the_json_tells_what_is_known_of_the_request() -> None:
    ask = replace(CLAUDE, facts=Told(frozenset({"tools", "images"}), 5000, None, "s-1"))
    found = json.loads(json.dumps(as_json(planned(RULES, ask), ask, snapshot(RULES), NOW)))["ask"]
    assert (found["has"], found["tokens"], found["session"]) == (["images", "tools"], 5000, "s-1")
