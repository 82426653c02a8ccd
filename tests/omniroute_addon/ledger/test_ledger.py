"""What the observer enters of an exchange."""

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.ledger.ledger import Ledger
from omniroute_addon.ledger.prices import Cost
from omniroute_addon.ledger.record import AttemptRecord, ExchangeRecord, Tape
from omniroute_addon.ledger.store import Store
from translators.hub import Loss, Stop, Usage

RULES = "version: 1\nprices: {glm-4.7: {input: 1, output: 2}}\n"


def rules(text: str = RULES) -> Snapshot:
    return parse(text, None, env={})


def exchange(*attempts: AttemptRecord) -> ExchangeRecord:
    made = ExchangeRecord(
        "x", "claude-code", "anthropic-messages", "generate", "claude-opus-4-6", "routes[0]", "premium", 5.0, Tape(10)
    )
    made.attempts += attempts
    made.decision = {"route": "routes[0]"}
    return made


def attempt(number: int = 1, **changes: object) -> AttemptRecord:
    made = AttemptRecord(
        f"a{number}", number, "glm/glm-4.7", "main", "anthropic-messages", "POST", "http://x", (), b"body", 5.0, Tape(9)
    )
    made.provider, made.model, made.tier = "glm", "glm-4.7", "cheap"
    for name, value in changes.items():
        setattr(made, name, value)
    return made


ANSWERED = {"used": True, "outcome": "used", "usage": Usage(input=100, output=10), "stop": Stop("end"), "ended": 6.0}
PAID = Cost(120, estimated=False, source="override", worth=120)


@pytest.fixture
def ledger(tmp_path: Path) -> Generator[Ledger]:
    store = Store(tmp_path / "ledger.db", 1e9)
    assert store.open()
    made = Ledger(rules(), store)
    yield made
    made.close()


def rows(ledger: Ledger, sql: str) -> list[tuple[object, ...]]:
    assert ledger.store is not None
    ledger.store.flush()
    return ledger.store.query(sql)


def test_an_attempt_is_entered_before_it_goes_out(ledger: Ledger) -> None:
    one = attempt(reserved=40)
    ledger.attempt_started(exchange(one), one, None)
    assert rows(ledger, "SELECT outcome, micro, cost_source FROM attempts") == [("running", 40, "reserved")]
    assert rows(ledger, "SELECT outcome FROM exchanges") == [("running",)]


def test_an_answer_is_entered_with_its_cost(ledger: Ledger) -> None:
    one = attempt(**ANSWERED, cost=PAID)
    ledger.attempt_ended(exchange(one), one)
    assert rows(ledger, "SELECT outcome, input, output, micro, cost_source, cost_estimated FROM attempts") == [
        ("used", 100, 10, 120, "override", 0)
    ]


def test_a_failure_costs_nothing(ledger: Ledger) -> None:
    one = attempt(outcome="429 quota → next account", status=429, reserved=77)
    ledger.attempt_ended(exchange(one), one)
    assert rows(ledger, "SELECT status, micro FROM attempts") == [(429, None)]


def test_losses_and_the_decision_are_kept(ledger: Ledger) -> None:
    one = attempt(losses=(Loss("tools[0].strict", "not known there"),))
    made = exchange(one)
    ledger.attempt_started(made, one, None)
    ledger.attempt_ended(made, one)
    ledger.exchange_ended(made)
    assert rows(ledger, "SELECT path, reason FROM losses") == [("tools[0].strict", "not known there")]
    assert rows(ledger, "SELECT plan FROM decisions") == [('{"route":"routes[0]"}',)]


def test_an_exchange_without_an_attempt_is_entered_too(ledger: Ledger) -> None:
    ledger.exchange_ended(exchange())
    assert rows(ledger, "SELECT id, attempts FROM exchanges") == [("x", 0)]
    assert rows(ledger, "SELECT plan FROM decisions") == [('{"route":"routes[0]"}',)]


def test_sums_for_budgets_are_of_the_time_before_this_process(tmp_path: Path) -> None:
    store = Store(tmp_path / "ledger.db", 1e9)
    assert store.open()
    before = Ledger(rules(), store)
    done, cut_off = attempt(1, **ANSWERED, cost=PAID), attempt(2, reserved=1000, started=7.0)
    before.attempt_ended(exchange(done), done)
    before.attempt_started(exchange(cut_off), cut_off, None)
    store.flush()
    ledger = Ledger(rules(), store)
    mine = attempt(3, **{**ANSWERED, "started": time.time() + 1}, cost=PAID)
    ledger.attempt_ended(exchange(mine), mine)
    store.flush()
    found = [
        (when, charge.client, charge.provider, charge.target, micro) for when, charge, micro in ledger.spent([0.0, 6.0])
    ]
    assert found == [
        (5.0, "claude-code", "glm", "glm/glm-4.7", 120),
        (7.0, "claude-code", "glm", "glm/glm-4.7", 1000),
    ]
    ledger.close()


def test_switched_off_it_records_nothing(ledger: Ledger) -> None:
    ledger.use(rules(RULES + "ledger: {enabled: false}\n"))
    one = attempt(**ANSWERED)
    ledger.attempt_started(exchange(one), one, None)
    ledger.attempt_ended(exchange(one), one)
    assert rows(ledger, "SELECT * FROM attempts") == []


def test_what_a_budget_counts_is_kept_for_its_period(ledger: Ledger) -> None:
    ledger.use(rules(RULES + "ledger: {retention: 1d}\nbudgets: [{name: b, daily: 1, weekly: 5}]\n"))
    assert ledger.store is not None
    assert ledger.store.retention == 8 * 86400


def test_another_path_counts_from_the_next_start(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    changed = rules(RULES + "ledger: {path: other.db}\n")
    ledger.use(changed)
    ledger.use(changed)
    assert caplog.text.count("counts from the next start") <= 2


def test_without_a_store_it_says_nothing_and_fails_nothing() -> None:
    ledger = Ledger(rules())
    one = attempt(**ANSWERED)
    ledger.attempt_started(exchange(one), one, None)
    ledger.attempt_ended(exchange(one), one)
    ledger.exchange_ended(exchange(one))
    ledger.put_state("k", 1)
    ledger.close()
    assert (ledger.get_state("k"), list(ledger.spent([0.0]))) == (None, [])


def test_what_no_database_takes_costs_no_record(ledger: Ledger) -> None:
    """A provider's count of tokens beyond 64 bits once ended the thread that writes, and with it all later records."""
    hostile = exchange(
        attempt(**ANSWERED | {"usage": Usage(input=2**63, output=10**30), "losses": [Loss("\ud800", "x")]})
    )
    hostile.model, hostile.decision = "half \ud83d", {"ask": {"model": "half \ud83d", "tokens": 10**30}}
    ledger.exchange_ended(hostile)
    ledger.attempt_ended(hostile, hostile.attempts[0])
    assert rows(ledger, "SELECT model FROM exchanges") == [("half ?",)]
    after = exchange(attempt(**ANSWERED))
    after.id, after.attempts[0].id = "later", "a-later"
    ledger.attempt_ended(after, after.attempts[0])
    assert rows(ledger, "SELECT id, output FROM attempts ORDER BY id DESC") == [("a1", 10**15), ("a-later", 10)]
