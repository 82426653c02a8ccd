"""``groundingMetadata`` and ``citationMetadata`` ↔ hub.Citation. Google counts places in bytes of UTF-8."""

from collections.abc import Mapping, Sequence
from typing import cast

from translators.formats.gemini.wire import Object, opt_text
from translators.hub import JSON, Citation


def citations_of(extra: Mapping[str, JSON], text: str, before: int) -> list[Citation]:
    """The citations in a candidate's metadata, for a text part with ``before`` bytes of text in the parts before it."""
    found = [
        *_grounded(extra.get("groundingMetadata"), text, before),
        *_cited(extra.get("citationMetadata"), text, before),
    ]
    return [citation for index, citation in enumerate(found) if citation not in found[:index]]


def _grounded(metadata: JSON, text: str, before: int) -> list[Citation]:
    if not isinstance(metadata, dict):
        return []
    chunks = [_source(chunk) for chunk in _objects(metadata.get("groundingChunks"))]
    citations: list[Citation] = []
    for support in _objects(metadata.get("groundingSupports")):
        segment = support.get("segment")
        start, end, quote = _place(segment if isinstance(segment, dict) else {}, text, before)
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else []:
            if isinstance(index, int) and 0 <= index < len(chunks):
                url, title = chunks[index]
                citations.append(Citation(url, title, quote, start, end))
    if not citations:
        citations = [Citation(url, title) for url, title in chunks if url or title]
    return citations


def _cited(metadata: JSON, text: str, before: int) -> list[Citation]:
    if not isinstance(metadata, dict):
        return []
    sources = _objects(metadata.get("citationSources")) or _objects(metadata.get("citations"))
    citations: list[Citation] = []
    for source in sources:
        start, end, quote = _place(source, text, before)
        citations.append(Citation(opt_text(source.get("uri")), opt_text(source.get("title")), quote, start, end))
    return citations


def _source(chunk: Object) -> tuple[str | None, str | None]:
    for kind in ("web", "retrievedContext", "maps"):
        if isinstance(source := chunk.get(kind), dict):
            url = opt_text(source.get("uri"))
            return url, opt_text(source.get("title")) or opt_text(source.get("fileSearchStore"))
    return None, None


def _place(segment: Object, text: str, before: int) -> tuple[int | None, int | None, str | None]:
    """Start and end in characters, and the words there; without a place when it does not fit the text."""
    quote = opt_text(segment.get("text"))
    start, end = segment.get("startIndex") or 0, segment.get("endIndex")
    if isinstance(start, int) and isinstance(end, int):
        data = text.encode(errors="surrogatepass")
        start, end = start - before, end - before
        words = data[max(start, 0) : max(end, 0)].decode(errors="replace")
        if 0 <= start <= end <= len(data) and quote in {None, words}:
            first = len(data[:start].decode(errors="replace"))
            return first, first + len(words), words
    if quote and (first := text.find(quote)) >= 0:
        return first, first + len(quote), quote
    return None, None, quote


def _objects(value: JSON) -> list[Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def grounding_of(cited: Sequence[tuple[Citation, str, int]]) -> Object:
    """``groundingMetadata`` for citations, each with the text of its part and the bytes of text before that part."""
    chunks: dict[tuple[str | None, str | None], int] = {}
    supports: list[JSON] = []
    for citation, text, before in cited:
        number = chunks.setdefault((citation.url, citation.title), len(chunks))
        if citation.start is None or citation.end is None:
            continue
        words = text[citation.start : citation.end]
        start = before + len(text[: citation.start].encode(errors="surrogatepass"))
        end = start + len(words.encode(errors="surrogatepass"))
        segment: Object = {"startIndex": start, "endIndex": end, "text": words}
        supports.append({"segment": segment, "groundingChunkIndices": [number]})
    sources = [
        {"web": {key: value for key, value in (("uri", url), ("title", title)) if value is not None}}
        for url, title in chunks
    ]
    metadata: Object = {"groundingChunks": cast("list[JSON]", sources)}
    return {**metadata, "groundingSupports": supports} if supports else metadata
