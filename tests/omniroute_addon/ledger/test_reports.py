"""Sums of the books, by group and selection."""

from datetime import datetime
from pathlib import Path

import pytest

from omniroute_addon.ledger.journal import Journal
from omniroute_addon.ledger.reports import (
    GROUPS,
    Line,
    NoLedgerError,
    Selection,
    as_csv,
    books,
    instant,
    plain,
    select,
    total,
)
from omniroute_addon.ledger.store import connect, journal_root, write

NOW = datetime(2026, 6, 10, 12).timestamp()  # noqa: DTZ001 -- local, as people ask
ALL = Selection(0, NOW + 1, {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two calls: one that fell back from glm to openai, one at openai that yesterday's books have."""
    found = tmp_path / "ledger.db"
    connection = connect(found)
    base = {"started": NOW - 60, "client": "claude-code", "ended": NOW}
    paid = {"used": True, "outcome": "used", "input": 100, "output": 10, "micro": 500, "worth": 600}
    write(
        connection,
        [
            ("exchange", {**base, "id": "x1", "outcome": "done", "attempts": 2, "model": "opus", "plan": "{}"}),
            ("exchange", {**base, "id": "x2", "outcome": "done", "started": NOW - 86400, "client": "codex"}),
            ("attempt", {**base, "id": "a1", "exchange": "x1", "number": 1, "provider": "glm", "outcome": "429"}),
            (
                "attempt",
                {**base, **paid, "id": "a2", "exchange": "x1", "number": 2, "provider": "openai", "target": "o/m"},
            ),
            (
                "attempt",
                {**base, **paid, "id": "a3", "exchange": "x2", "provider": "openai", "client": "codex", "micro": None}
                | {"started": NOW - 86400, "cost_estimated": True},
            ),
            ("state", {"key": "quota", "value": '{"a":1}'}),
        ],
    )
    connection.close()
    return found


def test_one_line_sums_everything(path: Path) -> None:
    with books(path) as found:
        (line,) = found.sums(ALL)
    assert (line.calls, line.attempts, line.failed, line.input, line.tokens, line.micro, line.worth, line.unknown) == (
        2,
        3,
        1,
        200,
        220,
        500,
        1200,
        1,
    )


def test_groups_are_lines(path: Path) -> None:
    with books(path) as found:
        lines = found.sums(ALL, ("provider", "client"))
    assert [(*line.group, line.attempts) for line in lines] == [
        ("glm", "claude-code", 1),
        ("openai", "claude-code", 1),
        ("openai", "codex", 1),
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_its_sql(path: Path, group: str) -> None:
    with books(path) as found:
        assert sum(line.attempts for line in found.sums(ALL, (group,))) == 3


def test_a_selection_is_a_span_and_globs(path: Path) -> None:
    with books(path) as found:
        assert [line.attempts for line in found.sums(select("2h", "now", {"provider": "open*"}, NOW))] == [1]


def test_a_sum_of_lines(path: Path) -> None:
    with books(path) as found:
        assert total(found.sums(ALL, ("provider",))).micro == 500


def test_scripts_get_dollars(path: Path) -> None:
    with books(path) as found:
        line = plain(found.sums(ALL, ("provider",))[1], ("provider",))
    assert (line["provider"], line["cost"], "micro" in line) == ("openai", 0.0005, False)


def test_the_latest_calls_come_first(path: Path) -> None:
    with books(path) as found:
        latest = found.latest(5)
    assert [(one["id"], one["target"], one["micro"]) for one in latest] == [("x1", "o/m", 500), ("x2", None, None)]


def test_what_was_spent_is_there_for_budgets(path: Path) -> None:
    with books(path) as found:
        assert [(charge.provider, micro) for _, charge, micro in found.spent([0])] == [("openai", 500)]


def test_decisions_can_be_replayed(path: Path) -> None:
    with books(path) as found:
        assert list(found.decisions(ALL)) == [(NOW - 60, {})]


def test_the_proxy_s_state_can_be_read(path: Path) -> None:
    with books(path) as found:
        assert (found.state("quota"), found.state("other")) == ({"a": 1}, None)


def test_what_a_killed_proxy_has_left_is_read_too(path: Path) -> None:
    journal = Journal(journal_root(path))
    journal.append(b'{"kind":"begun-attempt","id":"a9","started":%d,"outcome":"running","owner":"gone"}\n' % NOW)
    journal.close(done=False)
    with books(path) as found:
        assert [line.attempts for line in found.sums(ALL, ("outcome",)) if line.group == ("interrupted",)] == [1]


def test_no_ledger_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError, match="omniroute up"), books(tmp_path / "ledger.db"):
        pass


def test_a_file_that_is_no_ledger_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 999)
    with pytest.raises(NoLedgerError, match="cannot be read"), books(tmp_path / "ledger.db"):
        pass


@pytest.mark.parametrize(
    "text, seconds",
    [("7d", 7 * 86400), ("2h30m", 9000), ("now", 0), ("today", 43200), ("yesterday", 129600), ("2026-06-09", 129600)],
)
def test_an_instant_is_what_people_write(text: str, seconds: float) -> None:
    assert instant(text, NOW) == NOW - seconds


def test_nonsense_is_no_instant() -> None:
    with pytest.raises(ValueError, match="'soon' is no time"):
        instant("soon", NOW)


def test_answers_given_again_are_told_with_what_they_saved(path: Path) -> None:
    connection = connect(path)
    again = {"started": NOW - 50, "outcome": "replayed"}
    write(
        connection,
        [
            ("exchange", {**again, "id": "r1", "route": "cache.hit"}),
            ("exchange", {**again, "id": "r2", "route": "cache.hit"}),
            ("exchange", {**again, "id": "r3", "route": "idempotency.joined"}),
            ("attempt", {"id": "a9", "exchange": "r1", "target": "cache", "started": NOW - 50, "worth": 700}),
        ],
    )
    connection.close()
    with books(path) as found:
        assert found.replayed(0, NOW) == {"cache.hit": (2, 700), "idempotency.joined": (1, 0)}
        assert found.replayed(0, NOW - 55) == {}


def test_a_hedge_is_no_failure_and_the_call_is_of_the_target_that_answered(tmp_path: Path) -> None:
    path = tmp_path / "hedged.db"
    connection = connect(path)
    call = {"started": NOW - 60, "client": "claude-code", "ended": NOW}
    tried = {**call, "exchange": "x1", "micro": 5}
    write(
        connection,
        [
            ("exchange", {**call, "id": "x1", "outcome": "done", "attempts": 3}),
            ("attempt", {**tried, "id": "a1", "number": 1, "target": "one/m", "used": True, "outcome": "used"}),
            ("attempt", {**tried, "id": "a2", "number": 2, "target": "two/m", "outcome": "overtaken"}),
        ],
    )
    connection.close()
    with books(path) as found:
        (line,) = found.sums(ALL)
        assert (line.attempts, line.failed, line.micro) == (2, 0, 10)
        assert [one["target"] for one in found.latest(1)] == ["one/m"]
        assert [line.group for line in found.sums(ALL, ["outcome"])] == [("overtaken",), ("used",)]


def test_a_name_that_a_spreadsheet_takes_for_a_formula_is_text() -> None:
    lines = [Line((name, "x"), calls=1) for name in ("=1+1", "@sum", "-2", "-", "glm,main", "plain")]
    rows = as_csv(lines, ("model", "key")).decode().splitlines()
    assert [row.partition(",x,")[0] for row in rows[1:]] == ["'=1+1", "'@sum", "'-2", "-", '"glm,main"', "plain"]
