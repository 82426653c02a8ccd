"""Gives memory back to the system when calls are done with it.

glibc takes large blocks from the system one by one, and returns them. But with the first that is freed it raises the
size from which it does so, up to 32 MiB, and from then on megabytes of long requests come out of its heap, between
small blocks that stay: the heap grows by what one call needs at most, for as long as the process lives. And pages that
hold nothing any more, between others that do, stay with the process until it is asked for them: 132 of 305 MB after a
million hostile calls.

Nothing moves while Python looks at all values for circles that nobody reaches: a third of a second with a thousand
streams, and it does so while they begin. A connection and a call leave no such circles behind (``addons.server``), so a
full collection waits until no call is under way, or memory has doubled; young values are looked through as ever.
"""

import contextlib
import ctypes
import gc
import sys

LARGE = 512 * 1024
"""Bytes from which a block is taken from the system by itself, now and later."""
_MMAP_THRESHOLD = -3
_NEVER = 1_000_000_000
LEAST = 1_000_000
"""Blocks of memory, about 100 bytes each, by which it must have grown for a collection that streams have to wait for."""


def steady() -> bool:
    """For the whole process; False, and nothing changed, where the C library is another. Safe to repeat."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        return bool(ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE))
    return False


def trim() -> None:
    """Empty pages go back. Takes 0.1 s for 140 MB, which is why it is for a thread; others wait a hundredth of that."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Garbage:
    """Full collections, at times of our own choosing."""

    def __init__(self) -> None:
        self._kept = 0
        """Blocks that were left by the last one."""
        self._pythons: tuple[int, int, int] | None = None
        """The thresholds as they were."""

    def settle(self) -> None:
        """What is there now stays and is looked at no more. Python 3.14 has no full collections of its own accord."""
        gc.freeze()
        self._kept = sys.getallocatedblocks()
        if sys.version_info < (3, 14):
            self._pythons = young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, _NEVER)

    def leave(self) -> None:
        """From now on Python chooses again. Safe to repeat."""
        if self._pythons is not None:
            gc.set_threshold(*self._pythons)

    def collect(self, *, busy: bool) -> bool:
        """Collect if that is due; ``busy``: somebody would have to wait."""
        grown = sys.getallocatedblocks() - self._kept
        due = grown > max(self._kept, LEAST) if busy else gc.get_count()[2] > 0
        if due:
            gc.collect()
            self._kept = sys.getallocatedblocks()
        return due
