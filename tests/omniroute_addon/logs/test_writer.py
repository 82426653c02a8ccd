"""What is logged gets written, redacted, and without anybody waiting for it."""

import logging
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from omniroute_addon.config.logs import LinesLog, Logs
from omniroute_addon.logs.entries import Entry, Query, Tab
from omniroute_addon.logs.lines import read
from omniroute_addon.logs.writer import ALERT, ROOM, LogWriter, audit, audit_now, directory

KEY = "an account's own key"
OURS = logging.getLogger("omniroute_addon.engine.test")


@pytest.fixture(autouse=True)
def _level() -> Generator[None]:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    yield
    root.setLevel(before)


@pytest.fixture
def writer(tmp_path: Path) -> Generator[LogWriter]:
    one = LogWriter(tmp_path, Logs(), lambda: [KEY])
    one.open()
    yield one
    one.close()


def _read(home: Path, tab: Tab = "console") -> list[Entry]:
    return read(directory(home), Query(tab))


def test_our_lines_are_kept_with_level_and_source(writer: LogWriter, tmp_path: Path) -> None:
    OURS.warning("call %s took long", 7)
    writer.close()
    assert [(one.level, one.source, one.text) for one in _read(tmp_path)] == [
        ("warning", "engine.test", "call 7 took long")
    ]


def test_of_others_only_alerts_are_kept(writer: LogWriter, tmp_path: Path) -> None:
    logging.getLogger("mitmproxy.proxy").info("client connect")
    logging.getLogger("mitmproxy.proxy").log(ALERT, "listening")
    writer.close()
    assert [one.text for one in _read(tmp_path)] == ["listening"]


def test_a_trace_is_kept_without_keys(writer: LogWriter, tmp_path: Path) -> None:
    try:
        int(f"with {KEY} in it")
    except ValueError:
        OURS.exception("it failed")
    writer.close()
    (entry,) = _read(tmp_path)
    assert ("Traceback" in entry.text, "with [redacted] in it" in entry.text, KEY in entry.text) == (True, True, False)


def test_an_audit_has_its_own_log(writer: LogWriter, tmp_path: Path) -> None:
    audit("new rules", "rule file", rules=f"/etc/{KEY}")
    writer.close()
    (entry,) = _read(tmp_path, "audit")
    assert (entry.source, entry.text, entry.facts["rules"], _read(tmp_path)) == (
        "rule file",
        "new rules: rules /etc/[redacted]",
        "/etc/[redacted]",
        [],
    )


def test_a_command_audits_without_a_proxy(tmp_path: Path) -> None:
    audit_now(tmp_path, "vault set", name="glm")
    (entry,) = _read(tmp_path, "audit")
    assert (entry.source, entry.text) == ("command line", "vault set: name glm")


def test_a_log_that_is_off_is_not_written(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, Logs(console=LinesLog(enabled=False)))
    writer.open()
    OURS.warning("nobody reads this")
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("not a directory")
    writer = LogWriter(tmp_path, Logs())
    writer.open()
    began = time.perf_counter()
    for number in range(3 * ROOM):
        OURS.warning("line %d", number)
    assert time.perf_counter() - began < 5
    writer.close()


def test_lines_that_were_lost_are_counted(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, Logs())
    logging.getLogger().addHandler(writer)  # nobody writes yet
    for number in range(ROOM + 5):
        OURS.warning("line %d", number)
    writer.open()
    writer.close()
    found = read(directory(tmp_path), Query(limit=2 * ROOM))
    assert ("5 lines could not be written" in [one.text for one in found], len(found)) == (True, ROOM + 1)


def test_a_warning_that_nobody_else_shows_is_shown(tmp_path: Path) -> None:
    code = (
        "import logging; from pathlib import Path; from omniroute_addon.config.logs import Logs;"
        "from omniroute_addon.logs.writer import LogWriter;"
        f"one = LogWriter(Path({str(tmp_path)!r}), Logs()); one.open();"
        "logging.getLogger('omniroute_addon').warning('the disk is full'); one.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stderr, [one.text for one in _read(tmp_path)]) == ("the disk is full\n", ["the disk is full"])
