"""Reasoning outlives the process, sealed; whatever is wrong with the files costs nothing but what was in them."""

import logging
import stat
from pathlib import Path

import pytest

from omniroute_addon.engine import memory_file
from omniroute_addon.engine.memory_file import KEPT_FOR, MemoryFile
from translators import hub
from translators.memory import BoundedMemory, Kept, Made, Remembered, Turn

NOW = 1_800_000_000.0
THOUGHT = hub.Thinking(
    "Hm, the canary.", hub.Signature("c2lnbmVk", "anthropic-messages@a"), extra={"a": {"item": {"id": 1}}}
)
ENTRIES: dict[str, Kept] = {
    "made:1": Made("gemini@google"),
    "turn:1": Turn((THOUGHT,), {"gemini": {"thoughtSignature": "eA=="}}, "gemini@google"),
    "call:1": Remembered(
        hub.ToolCall("call_1", "read", '{"path":"ä"}', signature=hub.Signature("eQ==", "gemini")),
        (THOUGHT, hub.Thinking(redacted=True)),
        "gemini",
    ),
}


def opened(home: Path, now: float = NOW) -> MemoryFile:
    memory = MemoryFile(home, BoundedMemory(), lambda: now)
    memory.start()
    return memory


def filled(home: Path) -> MemoryFile:
    """Not stopped: as a killed process leaves it."""
    memory = opened(home)
    for key, value in ENTRIES.items():
        memory.put(key, value)
    return memory


def known(memory: MemoryFile) -> dict[str, Kept | None]:
    return {key: memory.get(key) for key in ENTRIES}


def test_what_a_killed_process_knew_is_known_again(tmp_path: Path) -> None:
    filled(tmp_path)
    assert known(opened(tmp_path)) == ENTRIES


def test_the_latest_counts(tmp_path: Path) -> None:
    filled(tmp_path).put("made:1", Made("openai-chat"))
    assert opened(tmp_path).get("made:1") == Made("openai-chat")


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    memory = filled(tmp_path)
    size = (tmp_path / "memory.log").stat().st_size
    for key, value in ENTRIES.items():
        memory.put(key, value)
    assert (tmp_path / "memory.log").stat().st_size == size


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    filled(tmp_path)
    files = list(tmp_path.iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not [path for path in files if b"canary" in path.read_bytes() or b"c2lnbmVk" in path.read_bytes()]


def test_after_a_day_it_is_forgotten_and_deleted(tmp_path: Path) -> None:
    filled(tmp_path)
    memory = opened(tmp_path, NOW + KEPT_FOR + 1)
    assert set(known(memory).values()) == {None}
    assert (tmp_path / "memory.log").stat().st_size == 0


def test_it_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_file, "SIZE", 2000)
    memory = opened(tmp_path)
    for number in range(200):
        memory.put(f"made:{number}", Made("openai-chat"))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5000
    again = opened(tmp_path)
    assert (again.get("made:199"), again.get("made:0")) == (Made("openai-chat"), None)


@pytest.mark.parametrize("junk", [b"junk", b"\n\n\xff\x00\n", b"e30="], ids=["torn", "binary", "short"])
def test_a_torn_line_costs_no_other(tmp_path: Path, junk: bytes, caplog: pytest.LogCaptureFixture) -> None:
    filled(tmp_path)
    with (tmp_path / "memory.log").open("ab") as log:
        log.write(junk)
    with caplog.at_level(logging.WARNING):
        again = opened(tmp_path)
        assert known(again) == ENTRIES
    assert ["cannot be read and are left out" in said.getMessage() for said in caplog.records] == [True]
    again.put("made:2", Made("gemini"))
    assert known(opened(tmp_path)) == ENTRIES
    assert opened(tmp_path).get("made:2") == Made("gemini")


def test_with_another_key_nothing_is_known_and_all_goes_on(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "memory.key").write_text("nonsense")
    again = opened(tmp_path)
    assert set(known(again).values()) == {None}
    for key, value in ENTRIES.items():
        again.put(key, value)
    assert known(opened(tmp_path)) == ENTRIES


def test_where_nothing_can_be_written_it_is_memory_alone_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("a file")
    with caplog.at_level(logging.WARNING):
        assert known(filled(tmp_path / "home")) == ENTRIES
    assert len(caplog.records) == 1


def test_half_a_character_stays_in_memory(tmp_path: Path) -> None:
    memory = filled(tmp_path)
    half = Turn((hub.Thinking("\ud83d"),), {}, "gemini")
    memory.put("turn:2", half)
    assert memory.get("turn:2") == half
    assert opened(tmp_path).get("turn:2") is None
    assert known(opened(tmp_path)) == ENTRIES


def test_stopping_is_safe_to_repeat(tmp_path: Path) -> None:
    memory = filled(tmp_path)
    memory.stop()
    memory.stop()
    assert known(memory) == ENTRIES
