"""The request log on disk: bounded, private, redacted, and nobody waits for it."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute_addon.config import Snapshot
from omniroute_addon.config.logs import RequestLog as Rules
from omniroute_addon.engine.call import Dial
from omniroute_addon.engine.request_log import WAITING_CALLS, RequestLog
from omniroute_addon.engine.stages import NAMES
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import Tape
from tests.omniroute_addon.engine.stage import claude, rules

KEY = "key-canary-a-1"
NOW = time.time()


def snapshot(**bounds: object) -> Snapshot:
    base = rules("a/m", a="http://127.0.0.1:9")
    logs = base.logs.model_copy(update={"requests": Rules.model_validate({"enabled": True, **bounds})})
    return replace(base, logs=logs)


def record(number: int = 1, answer: bytes = b"{}") -> ExchangeRecord:
    tape = Tape(1 << 20)
    tape.add(answer)
    sent = AttemptRecord(
        id=f"a{number}",
        number=1,
        target="a/m",
        account="a-1",
        format="openai-chat",
        method="POST",
        url="http://127.0.0.1:9/v1/chat/completions",
        headers=(),
        body=b"{}",
        started=NOW + number,
        response_body=tape,
        status=200,
        model="m",
    )
    return ExchangeRecord(
        id=f"{number:08d}-x",
        client="claude-code",
        format="anthropic-messages",
        operation="generate",
        model="claude-x",
        route="routes[0]",
        combo=None,
        started=NOW + number,
        response_body=tape,
        attempts=[sent],
    )


def write(log: RequestLog, *records: ExchangeRecord) -> None:
    for one in records:
        (watch,) = log.observers(claude())
        watch.exchange_ended(one)


def folders(home: Path) -> list[Path]:
    return sorted((home / "logs").iterdir()) if (home / "logs").is_dir() else []


def test_a_call_that_has_ended_is_written(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, snapshot())
    write(log, record())
    log.close()
    (folder,) = folders(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == list(NAMES)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_nobody_is_told_while_it_is_off(tmp_path: Path) -> None:
    assert RequestLog(tmp_path, snapshot(enabled=False)).observers(claude()) == ()


def test_the_number_of_folders_is_bounded(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, snapshot(max_calls=3))
    write(log, *map(record, range(10)))
    log.close()
    assert [folder.name[-10:-2] for folder in folders(tmp_path)] == ["00000007", "00000008", "00000009"]


def test_the_bytes_are_bounded(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, snapshot(max_bytes=100_000))
    write(log, *(record(number, b"x" * 10_000) for number in range(20)))
    log.close()
    files = [path for folder in folders(tmp_path) for path in folder.iterdir()]
    assert 50_000 < sum(path.stat().st_size for path in files) <= 100_000


def test_what_is_too_old_goes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, snapshot())
    write(log, record(1))
    log.close()
    (old,) = folders(tmp_path)
    foreign, strange = tmp_path / "logs" / "mine", old / "notes.txt"
    foreign.mkdir()
    strange.write_text("mine")
    os.utime(old, (NOW - 30 * 86400,) * 2)
    log = RequestLog(tmp_path, snapshot())
    write(log, record(2))
    log.close()
    assert ([path.name for path in old.iterdir()], foreign.is_dir(), len(folders(tmp_path))) == (["notes.txt"], True, 3)


def test_keys_of_accounts_and_of_the_call_are_nowhere(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, snapshot())
    (watch,) = log.observers(claude(path="/v1/messages?key=query-canary-1"))
    one = record(answer=f"{KEY} client-canary-x-api-key dial-canary-key query-canary-1 query-canary-2".encode())
    url = "http://127.0.0.1:9/?key=query-canary-2"
    watch.attempt_started(
        one, one.attempts[0], Dial("POST", url, (("x-own", "dial-canary-key"),), b"", frozenset({"x-own"}))
    )
    watch.exchange_ended(one)
    log.close()
    assert [text for text in texts(tmp_path) if "canary" in text] == []


def texts(home: Path) -> Iterator[str]:
    return (path.read_text() for folder in folders(home) for path in folder.iterdir())


def test_calls_that_the_disk_cannot_follow_are_left_out_at_once(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, snapshot(max_calls=10_000))
    big = record(1, b"x" * (1 << 20))
    began = time.perf_counter()
    write(log, *[big] * (4 * WAITING_CALLS))
    taken = time.perf_counter() - began
    log.close()
    assert taken < 2


def test_a_disk_that_refuses_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").write_text("not a directory")
    log = RequestLog(tmp_path, snapshot())
    write(log, record(1), record(2))
    log.close()
    assert [one.message.partition(":")[0] for one in caplog.records] == ["the request log cannot be written"]
