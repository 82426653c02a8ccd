"""A call in one line: of its record and of the books alike; pages of them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.prices import Cost
from omniroute_addon.ledger.record import AttemptRecord, ExchangeRecord, Tape
from omniroute_addon.ledger.reports import books
from omniroute_addon.ledger.store import connect, write
from tests.omniroute_addon.web.seeding import seed
from translators.hub import Usage


def exchange() -> ExchangeRecord:
    """A fallback from glm to openai."""
    record = ExchangeRecord(
        "x1", "claude-code", "anthropic-messages", "generate", "opus", "routes[0]", "coding", 100.0, Tape(0), key="ci"
    )
    one = AttemptRecord("a1", 1, "glm/m", "g", "openai-chat", "POST", "", (), b"", 100.0, Tape(0), status=429)
    one.outcome, one.ended, one.provider = "429 quota", 100.2, "glm"
    two = AttemptRecord("a2", 2, "openai/n", "o", "openai-chat", "POST", "", (), b"", 100.2, Tape(0), status=200)
    two.outcome, two.used, two.first_event, two.ended, two.provider = "used", True, 100.5, 102.5, "openai"
    two.usage, two.cost = Usage(1000, 80, 600), Cost(1500, worth=1500, estimated=True, source="list")
    record.attempts += [one, two]
    record.outcome, record.status, record.ended = "done", 200, 102.6
    return record


def test_a_record_in_one_line() -> None:
    line = calls.of_record(exchange())
    assert (line.target, line.account, line.tries, line.micro, line.cache_read) == ("openai/n", "o", 2, 1500, 600)
    assert (line.first, line.speed, line.took) == pytest.approx((0.5, 40.0, 2.6))
    assert (line.ok, line.estimated, line.marks) == (True, True, ("fallback",))


def test_the_books_tell_the_same(tmp_path: Path) -> None:
    record = exchange()
    path = tmp_path / "ledger.db"
    connection = connect(path)
    from omniroute_addon.ledger.ledger import _ended, _exchange  # noqa: PLC0415

    write(
        connection,
        [("exchange", _exchange(record, planned=False)), *(("attempt", _ended(record, a)) for a in record.attempts)],
    )
    connection.close()
    with books(path) as found:
        assert calls.before(found, None, 10) == [calls.of_record(record)]
        assert calls.one(found, "x") == calls.of_record(record)


def test_a_row_that_lacks_what_others_have_is_a_line_all_the_same(tmp_path: Path) -> None:
    connection = connect(tmp_path / "ledger.db")
    connection.execute("INSERT INTO exchanges (id, started) VALUES ('x1', 100.0)")
    connection.execute("INSERT INTO attempts (id, exchange) VALUES ('a1', 'x1')")
    connection.close()
    with books(tmp_path / "ledger.db") as found:
        line = calls.one(found, "x1")
        assert line is not None
        assert calls.before(found, None, 10) == [line]
    assert (line.client, line.route, line.outcome, line.target, line.tries) == ("", "", "", None, 0)


@pytest.mark.parametrize(
    "outcome, tries, marks",
    [
        ("running", 1, ("running",)),
        ("running", 2, ("running", "fallback")),
        ("done", 1, ()),
        ("bypassed", 0, ("bypassed",)),
        ("replayed", 0, ("replayed",)),
        ("failed: 503", 2, ("failed",)),
        ("client left", 1, ("failed",)),
    ],
)
def test_what_stands_out(outcome: str, tries: int, marks: tuple[str, ...]) -> None:
    assert replace(calls.of_record(exchange()), outcome=outcome, tries=tries).marks == marks


def test_pages_follow_each_other_without_gap_or_repetition(tmp_path: Path) -> None:
    path = seed(tmp_path / "ledger.db", 95)
    with books(path) as found:
        seen: list[calls.Line] = []
        cursor = None
        while lines := calls.before(found, cursor, 20):
            seen += lines
            cursor = (lines[-1].started, lines[-1].id)
    assert (len(seen), len({line.id for line in seen})) == (95, 95)
    assert seen == sorted(seen, key=lambda line: (line.started, line.id), reverse=True)


def test_an_id_that_begins_two_calls_names_none(tmp_path: Path) -> None:
    path = seed(tmp_path / "ledger.db", 3)
    with books(path) as found:
        ids = [line.id for line in calls.before(found, None, 3)]
        assert (calls.one(found, ""), calls.one(found, "nothing"), calls.one(found, ids[0]) is not None) == (
            None,
            None,
            True,
        )


def test_a_page_is_answered_by_the_index(tmp_path: Path) -> None:
    path = seed(tmp_path / "ledger.db", 10)
    with closing(sqlite3.connect(path)) as connection:
        sql = calls._PAGE.format("started <= ? AND (started, id) < (?, ?)", "1")
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", (1, 1, "", 5)))
    assert "exchanges USING INDEX exchanges_started" in plan
    assert "a USING INDEX attempts_exchange" in plan


@pytest.mark.parametrize(
    "sieve, wanted",
    [
        (calls.Sieve(), lambda line: line.started),
        (calls.Sieve(client="codex"), lambda line: line.client == "codex"),
        (calls.Sieve(outcomes=calls.OK), lambda line: line.ok),
        (calls.Sieve(tries=2), lambda line: line.tries > 1),
        (calls.Sieve(words=("opus", "openai")), lambda line: "opus" in line.model and "openai" in line.target),
        (calls.Sieve(words=("candidate",)), lambda line: not line.ok),
        (calls.Sieve(words=("größe",)), lambda line: "größe" in line.client),
    ],
)
def test_a_sieve_lets_through_all_that_may_be_wanted(
    tmp_path: Path, sieve: calls.Sieve, wanted: Callable[[calls.Line], bool]
) -> None:
    path = seed(tmp_path / "ledger.db", 200)
    with books(path) as found:
        every = calls.before(found, None, 200)
        sieved = calls.before(found, None, 200, sieve)
    assert [line for line in sieved if wanted(line)] == [line for line in every if wanted(line)]


def test_the_place_of_the_last_call_of_a_page(tmp_path: Path) -> None:
    path = seed(tmp_path / "ledger.db", 10)
    with books(path) as found:
        first = calls.before(found, None, 4)
        assert calls.place(found, None, 4) == (first[-1].started, first[-1].id)
        assert calls.place(found, calls.place(found, None, 4), 7) is None
        assert calls.before(found, calls.place(found, None, 10), 5) == []
