"""The four tabs as they are read, once and following."""

import time
from pathlib import Path

import pytest

from omniroute_addon.ledger.reports import NoLedgerError
from omniroute_addon.ledger.store import connect, write
from omniroute_addon.logs.entries import Entry, Level, Query, Tab
from omniroute_addon.logs.lines import Bounds, Lines
from omniroute_addon.logs.reading import Following, read
from omniroute_addon.logs.writer import directory

NOW = 1_800_000_000.0
CALL = {
    "client": "claude-code",
    "model": "opus",
    "status": 200,
    "outcome": "done",
    "ok": True,
    "attempts": 1,
    "route": "routes[0]",
}
TRY = {
    "provider": "glm",
    "target": "glm/glm-4.7",
    "format": "openai-chat",
    "status": 200,
    "outcome": "used",
    "used": True,
}


def call(number: int, **more: object) -> tuple[str, dict[str, object]]:
    return "exchange", {**CALL, "id": f"x{number}", "started": NOW + number, "ended": NOW + number + 0.5, **more}


def attempt(number: int, **more: object) -> tuple[str, dict[str, object]]:
    times = {"started": NOW + number, "ended": NOW + number + 0.25}
    return "attempt", {**TRY, "id": f"a{number}", "exchange": f"x{number}", "number": 1, **times, **more}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A good call, one that fell back, one that failed, one that still runs."""
    path = tmp_path / "ledger.db"
    connection = connect(path)
    write(
        connection,
        [
            call(1),
            attempt(1, input=11, output=7),
            call(2, client="codex", attempts=2),
            attempt(2, used=False, status=429, outcome="429 quota → next target", account="main"),
            call(3, ok=False, status=503, outcome="failed: nothing left", attempts=0),
            call(4, ended=None, outcome="running"),
        ],
    )
    connection.close()
    return path


def told(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [(entry.level, entry.source, entry.text) for entry in entries]


def test_the_request_tab_has_a_line_for_every_call_that_has_ended(tmp_path: Path, ledger: Path) -> None:
    assert told(read(tmp_path, ledger, Query("request"))) == [
        ("info", "claude-code", "opus → glm/glm-4.7 · 200 · 500 ms · 11+7 tok"),
        ("warning", "codex", "opus → glm/glm-4.7 · 200 · 500 ms · 2 tries"),
        ("error", "claude-code", "opus → routes[0] · 503 · 500 ms · failed: nothing left"),
    ]


def test_the_proxy_tab_has_a_line_for_every_attempt(tmp_path: Path, ledger: Path) -> None:
    assert told(read(tmp_path, ledger, Query("proxy"))) == [
        ("info", "glm/glm-4.7", "attempt 1 of x1 · glm as openai-chat · 200 · 250 ms · used"),
        (
            "warning",
            "glm/glm-4.7",
            "attempt 1 of x2 · glm (main) as openai-chat · 429 · 250 ms · 429 quota → next target",
        ),
    ]


@pytest.mark.parametrize(
    "level, search, found",
    [("warning", "", ["x2", "x3"]), ("error", "", ["x3"]), ("debug", "codex", ["x2"]), ("debug", "x1", ["x1"])],
)
def test_level_and_search_choose(tmp_path: Path, ledger: Path, level: Level, search: str, found: list[str]) -> None:
    assert [entry.id for entry in read(tmp_path, ledger, Query("request", level, search))] == found


def test_the_latest_ones_are_read(tmp_path: Path, ledger: Path) -> None:
    assert [entry.id for entry in read(tmp_path, ledger, Query("request", limit=2))] == ["x2", "x3"]


def test_what_a_line_says_is_there_as_facts_too(tmp_path: Path, ledger: Path) -> None:
    entry = read(tmp_path, ledger, Query("request"))[0]
    assert {name: entry.facts[name] for name in ("client", "target", "input", "attempts")} == {
        "client": "claude-code",
        "target": "glm/glm-4.7",
        "input": 11,
        "attempts": 1,
    }


def test_without_a_ledger_there_are_no_calls_to_read(tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        read(tmp_path, tmp_path / "none.db", Query("request"))


@pytest.mark.parametrize("tab", ["console", "audit"])
def test_console_and_audit_are_read_from_their_files(tmp_path: Path, tab: Tab) -> None:
    entry = Entry("1", NOW, tab, "info", "engine", "said")
    Lines(directory(tmp_path), tab, Bounds(10_000, 3600)).add([entry])
    assert read(tmp_path, tmp_path / "none.db", Query(tab)) == [entry]


def test_following_tells_every_line_once(tmp_path: Path) -> None:
    store = Lines(directory(tmp_path), "console", Bounds(10_000, 3600))
    following = Following(tmp_path, tmp_path / "none.db", Query())
    seen: list[list[str]] = []
    for number in range(3):
        store.add([Entry(f"{number}", time.time(), "console", "info", "engine", "said")])
        seen.append([entry.id for entry in (following.first() if number == 0 else following.poll())])
    assert (seen, following.poll()) == ([["0"], ["1"], ["2"]], [])


def test_following_tells_of_a_call_when_it_has_ended(tmp_path: Path, ledger: Path) -> None:
    following = Following(tmp_path, ledger, Query("request"))
    before = [entry.id for entry in following.first()]
    connection = connect(ledger)
    write(connection, [call(4, ended=NOW + 5)])
    connection.close()
    assert (before, [entry.id for entry in following.poll()]) == (["x1", "x2", "x3"], ["x4"])
