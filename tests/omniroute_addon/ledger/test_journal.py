"""The journal keeps whole lines whatever happens to the process or the disk."""

import resource
import subprocess
import sys
from pathlib import Path

from omniroute_addon.ledger.journal import SEGMENT, Journal, survey

LINE = b'{"kind":"attempt","id":"%d"}\n'


def left(root: Path) -> list[str]:
    orphans, _ = survey(root)
    found = [str(row["id"]) for orphan in orphans for _, row in orphan.entries()]
    for orphan in orphans:
        orphan.release()
    return found


def abandoned(root: Path, *lines: bytes) -> Path:
    """A journal whose process is gone; returns its segment."""
    journal = Journal(root)
    for line in lines:
        journal.append(line)
    journal.close(done=False)
    return journal.directory / "000001"


def test_lines_of_a_process_that_is_gone_are_found(tmp_path: Path) -> None:
    abandoned(tmp_path, LINE % 1, LINE % 2)
    assert left(tmp_path) == ["1", "2"]


def test_a_living_process_keeps_its_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(LINE % 1)
    assert survey(tmp_path)[1] == {journal.token}
    journal.close(done=True)


def test_an_end_in_good_order_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(LINE % 1)
    journal.close(done=True)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    segment = abandoned(tmp_path, LINE % 1, LINE % 2)
    segment.write_bytes(segment.read_bytes()[:-8])
    assert left(tmp_path) == ["1"]


def test_a_line_after_a_torn_one_is_whole_again(tmp_path: Path) -> None:
    """A file size limit is a disk that is full; then there is room again."""
    script = f"""
import resource
from pathlib import Path
from omniroute_addon.ledger.journal import Journal
journal = Journal(Path({str(tmp_path)!r}))
journal.append({LINE % 1!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (40, resource.RLIM_INFINITY))
journal.append({LINE % 2!r})
journal.append({LINE % 3!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append({LINE % 4!r})
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert left(tmp_path) == ["1", "4"]
    assert ended.stderr.count("cannot be written") == 1


def test_a_long_journal_goes_on_in_another_segment(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    long = b'{"kind":"x","id":"' + b"1" * SEGMENT + b'"}\n'
    assert journal.append(long) == 1
    journal.prepare()
    assert journal.append(LINE % 2) == 2
    journal.discard(2)
    assert [row["id"] for _, row in journal.entries()] == ["2"]
    journal.close(done=True)


def test_without_a_spare_the_segment_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for _ in range(2):
        assert journal.append(b" " * SEGMENT + b"\n") == 1
    journal.close(done=True)


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    segment = abandoned(tmp_path / "journal", LINE % 1)
    assert (segment.stat().st_mode & 0o777, segment.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0

    before = count()
    abandoned(tmp_path, LINE % 1)
    left(tmp_path)
    assert count() == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > before
