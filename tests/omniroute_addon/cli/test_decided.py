"""``omniroute explain --id``: a call of the ledger, why it went where it went, and what came of it."""

import json
from pathlib import Path

import orjson
import pytest

from omniroute_addon.ledger.store import connect, write
from tests.omniroute_addon.cli.conftest import Omniroute

PLAN = {
    "route": "routes[1]",
    "combo": "coding",
    "session": None,
    "tried": [["routes[0]", "client"]],
    "candidates": [
        {"target": "origin", "account": None, "why": ""},
        {
            "target": "glm/glm-4.7",
            "account": "main",
            "why": "the session's account",
            "price": 1.0,
            "uses": 3,
            "quota": {"share": 0.42, "window": "5h", "resets": None},
        },
    ],
    "excluded": [{"target": "groq/x", "account": "g", "reason": "cooling down", "until": 1_780_000_060.0}],
    "policies": ["careful"],
}


@pytest.fixture(autouse=True)
def _books(home: Path) -> None:
    home.mkdir()
    connection = connect(home / "ledger.db")
    started = {"started": 1_780_000_000.0, "ended": 1_780_000_003.0}
    call = {"client": "claude-code", "model": "claude-opus-4-6", "route": "routes[1]", "combo": "coding"}
    attempt = {**started, "exchange": "abcdef01", "used": False}
    write(
        connection,
        [
            ("exchange", {**started, **call, "id": "abcdef01", "outcome": "done", "plan": orjson.dumps(PLAN).decode()}),
            ("exchange", {**started, **call, "id": "abcd9999", "outcome": "failed: no candidate is left"}),
            ("attempt", {**attempt, "id": "a1", "number": 1, "target": "origin", "outcome": "429 quota → next target"}),
            (
                "attempt",
                {**attempt, "id": "a2", "number": 2, "target": "glm/glm-4.7", "account": "main", "outcome": "used"}
                | {"used": True, "micro": 20_000},
            ),
        ],
    )
    connection.close()


def test_people_read_the_decision_and_what_came_of_it(omniroute: Omniroute) -> None:
    lines = omniroute("explain", "--id", "abcdef").stdout.splitlines()
    assert lines[0].startswith("claude-code asked for claude-opus-4-6 on ")
    assert lines[1:4] == [
        "routes[0]: not this one, client did not match",
        "policy careful held",
        "routes[1] → combo coding",
    ]
    assert "42% of 5h left, $1.00/M, 3× used" in lines[6]
    assert lines[7].startswith("out: groq/x with account g: cooling down until ")
    assert lines[8:] == [
        "try 1: origin: 429 quota → next target, 3s",
        "try 2: glm/glm-4.7 (main): used, 3s, $0.0200",
        "done",
    ]


def test_scripts_get_everything(omniroute: Omniroute) -> None:
    found = json.loads(omniroute("explain", "--id", "abcdef01", "--json").stdout)
    assert (found["decision"], [one["target"] for one in found["attempts"]]) == (PLAN, ["origin", "glm/glm-4.7"])


def test_a_call_without_a_decision_tells_what_is_known(omniroute: Omniroute) -> None:
    assert omniroute("explain", "--id", "abcd9").stdout.splitlines()[-1] == "failed: no candidate is left"


@pytest.mark.parametrize("name,code,words", [("abcd", 2, "more than one call"), ("zzz", 1, "no call 'zzz'")])
def test_an_id_must_name_one_call(omniroute: Omniroute, name: str, code: int, words: str) -> None:
    result = omniroute("explain", "--id", name)
    assert (result.returncode, words in result.stderr) == (code, True)
