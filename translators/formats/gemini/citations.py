"""``groundingMetadata`` and ``citationMetadata`` ↔ hub.Citation. Google counts places in bytes of UTF-8."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import cast

from translators.formats.gemini.wire import Object, opt_text
from translators.hub import JSON, Citation

_BLOCK = 1024


class _Places:
    """A text by characters and by bytes; few of its characters are counted for any place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text.encode(errors="surrogatepass")
        blocks = range(0, len(text), _BLOCK)
        self._marks = (
            [0] if text.isascii() else [*accumulate((self._size(at, at + _BLOCK) for at in blocks), initial=0)]
        )
        """Where blocks of characters begin in the bytes."""

    def byte(self, character: int) -> int:
        character = max(character, 0)
        if len(self._marks) == 1:
            return min(character, len(self.data))
        block = min(character // _BLOCK, len(self._marks) - 1)
        return self._marks[block] + self._size(block * _BLOCK, character)

    def character(self, byte: int) -> int:
        if len(self._marks) == 1:
            return byte
        block = bisect_right(self._marks, byte) - 1
        return block * _BLOCK + len(self.data[self._marks[block] : byte].decode(errors="replace"))

    def _size(self, start: int, end: int) -> int:
        return len(self.text[start:end].encode(errors="surrogatepass"))


def citations_of(extra: Mapping[str, JSON], text: str, before: int) -> list[Citation]:
    """The citations in a candidate's metadata, for a text part with ``before`` bytes of text in the parts before it."""
    places = _Places(text)
    found = [
        *_grounded(extra.get("groundingMetadata"), places, before),
        *_cited(extra.get("citationMetadata"), places, before),
    ]
    distinct = {(one.url, one.title, one.quote, one.start, one.end): one for one in reversed(found)}
    return [*reversed(distinct.values())]


def _grounded(metadata: JSON, places: _Places, before: int) -> list[Citation]:
    if not isinstance(metadata, dict):
        return []
    chunks = [_source(chunk) for chunk in _objects(metadata.get("groundingChunks"))]
    citations: list[Citation] = []
    for support in _objects(metadata.get("groundingSupports")):
        segment = support.get("segment")
        start, end, quote = _place(segment if isinstance(segment, dict) else {}, places, before)
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else []:
            if isinstance(index, int) and 0 <= index < len(chunks):
                url, title = chunks[index]
                citations.append(Citation(url, title, quote, start, end))
    if not citations:
        citations = [Citation(url, title) for url, title in chunks if url or title]
    return citations


def _cited(metadata: JSON, places: _Places, before: int) -> list[Citation]:
    if not isinstance(metadata, dict):
        return []
    sources = _objects(metadata.get("citationSources")) or _objects(metadata.get("citations"))
    citations: list[Citation] = []
    for source in sources:
        start, end, quote = _place(source, places, before)
        citations.append(Citation(opt_text(source.get("uri")), opt_text(source.get("title")), quote, start, end))
    return citations


def _source(chunk: Object) -> tuple[str | None, str | None]:
    for kind in ("web", "retrievedContext", "maps"):
        if isinstance(source := chunk.get(kind), dict):
            url = opt_text(source.get("uri"))
            return url, opt_text(source.get("title")) or opt_text(source.get("fileSearchStore"))
    return None, None


def _place(segment: Object, places: _Places, before: int) -> tuple[int | None, int | None, str | None]:
    """Start and end in characters, and the words there; without a place when it does not fit the text."""
    quote = opt_text(segment.get("text"))
    start, end = segment.get("startIndex") or 0, segment.get("endIndex")
    if isinstance(start, int) and isinstance(end, int):
        start, end = start - before, end - before
        words = places.data[max(start, 0) : max(end, 0)].decode(errors="replace")
        if 0 <= start <= end <= len(places.data) and quote in {None, words}:
            first = places.character(start)
            return first, first + len(words), words
    if quote and (first := places.text.find(quote)) >= 0:
        return first, first + len(quote), quote
    return None, None, quote


def _objects(value: JSON) -> list[Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def grounding_of(cited: Sequence[tuple[Citation, str, int]]) -> Object:
    """``groundingMetadata`` for citations, each with the text of its part and the bytes of text before that part."""
    chunks: dict[tuple[str | None, str | None], int] = {}
    supports: list[JSON] = []
    known: dict[str, _Places] = {}
    for citation, text, before in cited:
        number = chunks.setdefault((citation.url, citation.title), len(chunks))
        if citation.start is None or citation.end is None:
            continue
        if text not in known:
            known[text] = _Places(text)
        words = text[citation.start : citation.end]
        start = before + known[text].byte(citation.start)
        end = start + len(words.encode(errors="surrogatepass"))
        segment: Object = {"startIndex": start, "endIndex": end, "text": words}
        supports.append({"segment": segment, "groundingChunkIndices": [number]})
    sources = [
        {"web": {key: value for key, value in (("uri", url), ("title", title)) if value is not None}}
        for url, title in chunks
    ]
    metadata: Object = {"groundingChunks": cast("list[JSON]", sources)}
    return {**metadata, "groundingSupports": supports} if supports else metadata
