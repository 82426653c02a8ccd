"""Calls as they were asked, out of the books."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from omniroute_addon.ledger.decision import decision
from omniroute_addon.ledger.history import Call, history
from omniroute_addon.ledger.prices import has_login
from omniroute_addon.ledger.reports import books
from omniroute_addon.ledger.store import connect, write
from omniroute_addon.routing.ask import Ask, Told
from omniroute_addon.routing.candidate import Excluded
from omniroute_addon.routing.plan import Plan
from translators.hub import Usage

NOW = 1_780_000_000.0
ASK = Ask(
    "claude-code",
    "anthropic-messages",
    "claude-opus-4-6",
    host="api.anthropic.com",
    path="/v1/messages?beta=true",
    headers={"authorization": "Bearer secret"},
    provider="anthropic",
    key="team-a",
    source="10.0.0.7",
    facts=Told(frozenset({"tools", "stream"}), 1200, 64, "s-1"),
)
FIRST = {"id": "a1", "exchange": "x1", "number": 1, "target": "origin", "outcome": "429", "used": False}
SECOND = {
    "id": "a2",
    "exchange": "x1",
    "number": 2,
    "target": "glm/glm-4.7",
    "account": "main",
    "tier": "cheap",
    "outcome": "used",
    "used": True,
    "input": 1000,
    "output": 50,
    "cache_read": 800,
    "estimated": True,
    "micro": 700,
}


def kept(
    path: Path, plan: Plan | None = None, ask: Ask | None = ASK, *attempts: Mapping[str, object], **changes: object
) -> list[Call]:
    """The calls of a ledger that has one, recorded with this plan."""
    connection = connect(path / "ledger.db")
    decided = orjson.dumps(decision(plan or Plan("routes[0]"), ask)).decode()
    row = {"id": "x1", "started": NOW, "ended": NOW + 2, "outcome": "done", "plan": decided, **changes}
    write(connection, [("exchange", row), *(("attempt", one) for one in attempts)])
    connection.close()
    with books(path / "ledger.db") as found:
        return list(history(found, NOW - 10, NOW + 10))


def test_a_call_is_asked_as_it_was(tmp_path: Path) -> None:
    (call,) = kept(tmp_path)
    fields = ("client", "format", "model", "host", "provider", "gateway", "key", "source", "operation")
    assert [getattr(call.ask, name) for name in fields] == [getattr(ASK, name) for name in fields]


def test_what_rules_saw_of_the_body_is_kept(tmp_path: Path) -> None:
    (call,) = kept(tmp_path)
    assert (call.ask.facts.has, call.ask.facts.tokens, call.ask.facts.session) == (
        frozenset({"tools", "stream"}),
        1200,
        "s-1",
    )


def test_headers_and_queries_are_not_kept(tmp_path: Path) -> None:
    (call,) = kept(tmp_path)
    assert (b"secret" in orjson.dumps(dict(call.ask.headers)), call.ask.path) == (False, "/v1/messages")


@pytest.mark.parametrize(
    "headers,login",
    [({"authorization": "Bearer secret"}, True), ({"authorization": "Bearer sk-ant-api03"}, False), ({}, False)],
)
def test_whether_there_was_a_login_is_kept(tmp_path: Path, headers: Mapping[str, str], login: bool) -> None:
    (call,) = kept(tmp_path, None, replace(ASK, headers=headers))
    assert has_login(call.ask.headers) is login


def test_the_provider_s_count_stands_in_for_tokens_that_nobody_counted(tmp_path: Path) -> None:
    uncounted = Ask("codex", "openai-responses", "gpt-5", facts=Told())
    (call,) = kept(tmp_path, None, uncounted, SECOND)
    assert call.ask.facts.tokens == 1000


def test_attempts_stand_in_their_order_with_what_they_used(tmp_path: Path) -> None:
    (call,) = kept(tmp_path, None, ASK, SECOND, FIRST)
    assert [one.target for one in call.attempts] == ["origin", "glm/glm-4.7"]
    assert call.used is not None
    assert (call.used.usage, call.used.micro) == (Usage(1000, 50, 800, estimated=True), 700)


def test_what_was_tried_in_vain_has_failed(tmp_path: Path) -> None:
    (call,) = kept(tmp_path, None, ASK, FIRST, SECOND)
    assert call.failed == {("origin", None)}


def test_what_answered_in_the_end_has_not_failed(tmp_path: Path) -> None:
    again = {**SECOND, "id": "a3", "number": 3}
    (call,) = kept(tmp_path, None, ASK, {**SECOND, "used": False}, again)
    assert call.failed == frozenset()


@pytest.mark.parametrize(
    "out,rests",
    [
        (Excluded("origin", None, "cooling down", NOW + 60), True),
        (Excluded("origin", None, "no key"), False),
        (Excluded("origin", None, "budget small: $1.00 of $1.00 spent today", NOW + 60), False),
        (Excluded("origin", None, "8 % of its 5h quota left, kept in reserve", NOW + 60), False),
    ],
)
def test_only_what_was_out_by_itself_was_resting(tmp_path: Path, out: Excluded, rests: bool) -> None:
    (call,) = kept(tmp_path, Plan("routes[0]", excluded=(out,)))
    assert call.resting == ({("origin", None)} if rests else frozenset())


def test_a_call_that_does_not_tell_what_was_asked_is_left_out(tmp_path: Path) -> None:
    assert kept(tmp_path, None, None) == []


@pytest.mark.parametrize("outcome", ["running", "interrupted"])
def test_a_call_that_has_not_ended_is_left_out(tmp_path: Path, outcome: str) -> None:
    assert kept(tmp_path, outcome=outcome) == []


def test_a_call_of_another_time_is_left_out(tmp_path: Path) -> None:
    assert kept(tmp_path, started=NOW - 11) == []


def test_a_bypassed_call_is_told(tmp_path: Path) -> None:
    (call,) = kept(tmp_path, Plan("bypass.titles"), outcome="bypassed")
    assert (call.bypassed, call.resting) == ("titles", frozenset())


def test_a_call_that_got_another_s_answer_is_left_out(tmp_path: Path) -> None:
    assert kept(tmp_path, outcome="replayed") == []
