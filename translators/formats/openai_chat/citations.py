"""Where an answer says its text comes from: OpenAI's ``annotations`` and Perplexity's ``search_results``."""

from collections.abc import Mapping

from translators.formats.openai_chat.values import extra, integer, object_at, objects_at, own, rest, text
from translators.hub import JSON, Citation

_LINK = frozenset({"url", "title", "start_index", "end_index", "content"})


def parse_annotations(message: Mapping[str, JSON]) -> tuple[list[Citation], list[JSON]]:
    """Citations of web pages, and the annotations that are something else (OpenRouter's parsed files)."""
    citations: list[Citation] = []
    others: list[JSON] = []
    for item in objects_at(message, "annotations"):
        link = object_at(item, "url_citation")
        if not link:
            others.append(item)
            continue
        start, end = integer(link, "start_index"), integer(link, "end_index")
        placed = (start or 0) < (end or 0)
        citations.append(
            Citation(
                url=text(link, "url") or None,
                title=text(link, "title") or None,
                quote=text(link, "content") or None,
                start=start if placed else None,
                end=end if placed else None,
                extra=extra(rest(link, _LINK)),
            )
        )
    return citations, others


def parse_search_results(answer: Mapping[str, JSON]) -> list[Citation]:
    if results := objects_at(answer, "search_results"):
        return [
            Citation(
                url=text(item, "url") or None, title=text(item, "title") or None, quote=text(item, "snippet") or None
            )
            for item in results
        ]
    urls = answer.get("citations")
    return [Citation(url=url) for url in urls if isinstance(url, str)] if isinstance(urls, list) else []


def render_annotation(citation: Citation, before: int = 0) -> JSON | None:
    """None for a citation without address: chat annotations are links. ``before``: characters before the cited part."""
    if citation.url is None:
        return None
    placed = citation.start is not None and citation.end is not None
    link: dict[str, JSON] = {
        "url": citation.url,
        "title": citation.title or "",
        "start_index": before + (citation.start or 0) if placed else 0,
        "end_index": before + (citation.end or 0) if placed else 0,
    }
    if citation.quote is not None:
        link["content"] = citation.quote
    return {"type": "url_citation", "url_citation": {**link, **own(citation.extra)}}
