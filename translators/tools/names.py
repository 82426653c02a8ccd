"""Words that fit a format's pattern and are each given out once."""

import hashlib
import re
from collections.abc import Iterator

from translators.errors import Unsupported

_LENGTHS = (128, 64, 63, 48, 40, 32, 24, 16)
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_TRIES = 100


class Names:
    """Tool names, or tool-call ids, of one conversation."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self._taken: set[str] = set()

    def reserve(self, word: str) -> None:
        """Never hand out ``word``."""
        self._taken.add(word)

    def make(self, wanted: str, key: str) -> str:
        """``wanted`` if it fits and is free, else a word near to it that follows from ``key``."""
        for word in _near(wanted, key):
            if word not in self._taken and self._pattern.fullmatch(word):
                self._taken.add(word)
                return word
        raise Unsupported(f"nothing like {wanted[:80]!r} fits {self._pattern.pattern!r}")


def _near(wanted: str, key: str) -> Iterator[str]:
    yield wanted
    clean = _ILLEGAL.sub("_", wanted)
    for number in range(_TRIES):
        digest = hashlib.sha256(f"{number}\0{key}".encode(errors="surrogatepass")).hexdigest()
        for stem in (clean, f"t_{clean}"):
            yield from (f"{stem[: length - 9]}_{digest[:8]}" for length in _LENGTHS)
        yield digest[:9]
