"""Gives the memory of large bodies back when they are done with.

glibc takes large blocks from the system one by one, and returns them. But with the first that is freed it raises the
size from which it does so, up to 32 MiB, and from then on megabytes of long requests come out of its heap, between
small blocks that stay: the heap grows by what one call needs at most, for as long as the process lives.
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
