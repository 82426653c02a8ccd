"""Gives memory back to the system when calls are done with it.

glibc takes large blocks from the system one by one, and returns them. But with the first that is freed it raises the
size from which it does so, up to 32 MiB, and from then on megabytes of long requests come out of its heap, between
small blocks that stay: the heap grows by what one call needs at most, for as long as the process lives. And pages that
hold nothing any more, between others that do, stay with the process until it is asked for them: 132 of 305 MB after a
million hostile calls.
"""

import contextlib
import ctypes

LARGE = 512 * 1024
"""Bytes from which a block is taken from the system by itself, now and later."""
_MMAP_THRESHOLD = -3


def steady() -> bool:
    """For the whole process; False, and nothing changed, where the C library is another. Safe to repeat."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        return bool(ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE))
    return False


def trim() -> None:
    """Empty pages go back. Takes 0.1 s for 140 MB, which is why it is for a thread; others wait a hundredth of that."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
