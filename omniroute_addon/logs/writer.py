"""Writes what the program logs, and what ``audit`` is told, into the two stores: a logging handler with a thread behind it.

The event loop only makes a value and puts it in a bounded queue; when the disk is too slow, lines are dropped and counted
rather than anybody's call held up. Of mitmproxy's own talk only what it thinks worth an alert is kept.
"""

import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from omniroute_addon.config.logs import LinesLog, Logs
from omniroute_addon.logs.entries import Entry, Tab, level_of
from omniroute_addon.logs.lines import Bounds, Lines
from omniroute_addon.logs.redaction import Redaction
from translators.hub import JSON

AUDIT = "omniroute.audit"
"""The logger of what was changed, and by whom."""
ALERT = logging.INFO + 1
"""mitmproxy's level for what a user should see."""
ROOM = 2000
"""Lines that may wait for the disk."""
LONGEST = 16 * 1024
"""Characters of one line."""
_BATCH = 200
_PATIENCE = 2.0

_audit = logging.getLogger(AUDIT)
_audit.setLevel(logging.INFO)
_numbers = itertools.count()


def audit(action: str, by: str = "proxy", **facts: JSON) -> None:
    """Something was changed: rules, resets, replays. Facts must not hold secrets; they are redacted all the same."""
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    _audit.info("%s%s", action, f": {told}" if told else "", extra={"audited": {"action": action, "by": by, **facts}})


def audit_now(home: Path, action: str, **facts: JSON) -> None:
    """The same for a command, which has no proxy behind it. What cannot be written is not."""
    record = logging.LogRecord(AUDIT, logging.INFO, "", 0, action, (), None)
    record.audited = {"action": action, "by": "command line", **facts}
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    store = Lines(directory(home), "audit", _bounds(Logs().audit))
    try:
        store.add([_entry(record, f"{action}: {told}" if told else action, Redaction())])
    except OSError:
        logging.getLogger(__name__).debug("not audited: %s", action)


def directory(home: Path) -> Path:
    """Where the logs of a data dir lie."""
    return home / "logs"


class LogWriter(logging.Handler):
    """``open`` puts it behind the root logger, ``close`` takes it away and writes what is left."""

    def __init__(self, home: Path, rules: Logs, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        super().__init__(logging.INFO)
        self._home = directory(home)
        self._secrets = secrets
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(ROOM)
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._stores: dict[Tab, Lines] = {}
        self.use(rules)

    def use(self, rules: Logs) -> None:
        """Take over other bounds."""
        self._rules: dict[Tab, LinesLog] = {"console": rules.console, "audit": rules.audit}

    def open(self) -> None:
        self._thread = threading.Thread(target=self._run, name="omniroute: logs", daemon=True)
        self._thread.start()
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """Safe to repeat."""
        logging.getLogger().removeHandler(self)
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(_PATIENCE)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Called in the event loop: no formatting of traces, no disk."""
        last = logging.lastResort
        if last is not None and logging.getLogger().handlers == [self] and record.levelno >= last.level:
            last.handle(record)  # mitmproxy's own handlers come later; without us, logging itself would show it
        ours = record.name.startswith("omniroute")
        if (not ours and record.levelno < ALERT) or not self._rules[_tab(record)].enabled:
            return
        try:
            record.message = record.getMessage()
            self._queue.put_nowait(record)
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001 -- a line that cannot be made must not cost a call
            self._dropped += 1

    def _run(self) -> None:
        while True:
            waiting = [self._queue.get()]
            while len(waiting) < _BATCH and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            try:
                self._write([record for record in waiting if record is not None])
            except Exception:  # noqa: BLE001 -- e.g. a full disk; whoever would be told of it is here
                self._dropped += len(waiting)
            if None in waiting:
                return

    def _write(self, records: list[logging.LogRecord]) -> None:
        redaction = Redaction(self._secrets())
        entries = [_entry(record, self._said(record), redaction) for record in records]
        if entries and self._dropped:
            lost, self._dropped = self._dropped, 0
            entries.append(_lost(lost))
        for tab, rules in self._rules.items():
            found = [entry for entry in entries if entry.tab == tab]
            if found:
                store = self._stores.setdefault(tab, Lines(self._home, tab, _bounds(rules)))
                store.bounds = _bounds(rules)
                store.add(found)

    def _said(self, record: logging.LogRecord) -> str:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        return f"{record.message}\n{trace}" if trace else record.message


def _entry(record: logging.LogRecord, text: str, redaction: Redaction) -> Entry:
    facts: dict[str, JSON] = getattr(record, "audited", {})
    facts = {name: redaction.text(value) if isinstance(value, str) else value for name, value in facts.items()}
    tab = _tab(record)
    return Entry(
        f"{time.time_ns()}-{os.getpid()}-{next(_numbers)}",
        record.created,
        tab,
        level_of(record.levelno),
        str(facts.get("by", "proxy")) if tab == "audit" else record.name.removeprefix("omniroute_addon."),
        redaction.text(text[:LONGEST]),
        facts,
    )


def _lost(number: int) -> Entry:
    said = f"{number} lines could not be written"
    return Entry(f"{time.time_ns()}-{os.getpid()}-{next(_numbers)}", time.time(), "console", "warning", "logs", said)


def _tab(record: logging.LogRecord) -> Tab:
    return "audit" if record.name == AUDIT else "console"


def _bounds(rules: LinesLog) -> Bounds:
    return Bounds(int(rules.max_bytes), rules.max_age)
