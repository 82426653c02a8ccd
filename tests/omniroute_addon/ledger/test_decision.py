"""A plan as it is kept: everything that explains it, nothing that is secret."""

import random

import orjson

from omniroute_addon.config import parse
from omniroute_addon.ledger.decision import asked, decision, words
from omniroute_addon.routing.ask import Ask, Told
from omniroute_addon.routing.candidate import Candidate, Excluded
from omniroute_addon.routing.plan import Plan, plan
from omniroute_addon.routing.state import BudgetBlock, QuotaLeft, Unknown

RULES = """\
version: 1
accounts:
  - {name: main, provider: glm, key: secret-canary}
  - {name: spare, provider: glm, key: secret-canary, enabled: false}
routes: [{match: {model: "*"}, to: [glm/glm-4.7, origin]}]
"""
ASK = Ask("claude-code", "anthropic-messages", "claude-opus-4-6", headers={"authorization": "Bearer secret-canary"})


def test_the_candidates_and_the_reasons_are_there() -> None:
    found = decision(plan(ASK, parse(RULES, None, env={}), Unknown(), 0.0, random.Random(1)), ASK)
    assert isinstance(found["candidates"], list)
    assert [(one["target"], one["account"]) for one in found["candidates"]] == [
        ("glm/glm-4.7", "main"),
        ("origin", None),
    ]
    assert [out["account"] for out in found["excluded"]] == ["spare"]


def test_nothing_secret_is_in_it() -> None:
    found = decision(plan(ASK, parse(RULES, None, env={}), Unknown(), 0.0, random.Random(1)), ASK)
    assert b"canary" not in orjson.dumps(found)


def test_a_denial_is_in_it() -> None:
    found = decision(Plan("routes[0]", denied=BudgetBlock("b", "deny", "all spent", 5.0)))
    assert found["denied"] == {"name": "b", "words": "all spent", "until": 5.0}


def test_facts_that_are_known_are_kept() -> None:
    assert asked(ASK)["client"] == "claude-code"
    assert asked(Ask("c", "gemini", facts=Told(tokens=9)))["at_most"] == 9


class Known(Unknown):
    def price(self, candidate: Candidate) -> float | None:
        return None if candidate.origin else 1.5

    def uses(self, key: str) -> int:
        return 3 if key == "glm:main" else 0

    def in_flight(self, key: str) -> int:
        return 1 if key == "glm:main" else 0

    def quota(self, candidate: Candidate, now: float) -> QuotaLeft | None:
        return None if candidate.origin else QuotaLeft(0.5, "5h", now + 60)


def test_what_was_known_of_a_candidate_is_there() -> None:
    state = Known()
    found = decision(plan(ASK, parse(RULES, None, env={}), state, 0.0, random.Random(1)), ASK, state, 0.0)
    assert isinstance(found["candidates"], list)
    [first, last] = found["candidates"]
    quota = {"share": 0.5, "window": "5h", "resets": 60.0}
    assert first == {
        "target": "glm/glm-4.7",
        "account": "main",
        "why": "",
        "price": 1.5,
        "uses": 3,
        "in_flight": 1,
        "quota": quota,
    }
    assert last == {"target": "origin", "account": None, "why": ""}


def test_people_read_it_in_lines() -> None:
    state = Known()
    kept = decision(plan(ASK, parse(RULES, None, env={}), state, 0.0, random.Random(1)), ASK, state, 0.0)
    tried = {"tried": [["routes[0]", "client"]], "policies": ["careful"], "combo": "coding"}
    assert words({**kept, **tried}) == [
        "routes[0]: not this one, client",
        "policy careful",
        "routes[0] → combo coding",
        "1. glm/glm-4.7 (main) [50% of 5h left, $1.50/M, 3× used]",
        "2. origin",
        "out: glm/glm-4.7 (spare): the account is disabled",
    ]


def test_a_denial_and_an_end_are_among_the_lines() -> None:
    out = Excluded("glm/x", None, "cooling down", 60.0)
    kept = decision(Plan("routes[0]", denied=BudgetBlock("b", "deny", "all spent", 5.0), excluded=(out,)))
    assert words(kept)[:2] == ["routes[0]", "refused by budget b: all spent"]
    assert words(kept)[2].startswith("out: glm/x: cooling down until ")


def test_a_bypassed_call_has_its_route() -> None:
    assert words({"route": "bypass.titles", "ask": asked(ASK)}) == ["bypass.titles"]
