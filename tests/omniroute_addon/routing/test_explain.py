"""What the explanation of a plan says."""

import json

from omniroute_addon.accounts import Health
from omniroute_addon.config import parse
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.routing import Ask, Plan, plan
from omniroute_addon.routing.explain import as_json, headline, rows

ASK = Ask("claude-code", "anthropic-messages", "claude-opus-4-6", host="api.anthropic.com", provider="anthropic")
SNAPSHOT = parse(
    "{version: 1, combos: {a: {targets: [origin, glm/x, groq/y, mistral/z]}}, routes: [{to: a}]}",
    None,
    env={"GLM_API_KEY": "secret-glm", "GROQ_API_KEY": "secret-groq"},
)


def made(now: float = 0.0) -> Plan:
    health = Health()
    first = plan(ASK, SNAPSHOT, health, now)
    health.note(Verdict("next-account", "account", 3700, "quota", 3700), first.candidates[0], now)
    return plan(ASK, SNAPSHOT, health, now)


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
