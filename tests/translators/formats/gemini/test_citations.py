"""Places of citations: Google counts bytes of UTF-8, the hub characters."""

import pytest

from translators import hub
from translators.formats.gemini.citations import citations_of, grounding_of
from translators.hub import JSON

LONG = "Grüße 🕰 aus Köln. " * 400
"""Many blocks of characters, of one to four bytes each."""


def _grounding(text: str, start: int, end: int, before: int = 0) -> dict[str, JSON]:
    first = before + len(text[:start].encode())
    segment: JSON = {"startIndex": first, "endIndex": first + len(text[start:end].encode()), "text": text[start:end]}
    support: JSON = {"segment": segment, "groundingChunkIndices": [0]}
    return {"groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a.b"}}], "groundingSupports": [support]}}


@pytest.mark.parametrize("text", [LONG, "plain ascii " * 300])
@pytest.mark.parametrize("place", [(0, 5), (6, 7), (1023, 1025), (1024, 2048), (3000, 3001)])
def test_a_place_is_found_in_characters_and_given_back_in_bytes(text: str, place: tuple[int, int]) -> None:
    said = _grounding(text, *place, before=7)
    (citation,) = citations_of(said, text, 7)
    assert (citation.start, citation.end, citation.quote) == (*place, text[slice(*place)])
    assert grounding_of([(citation, text, 7)]) == said["groundingMetadata"]


def test_a_citation_that_is_said_twice_counts_once() -> None:
    said = _grounding("Bonn", 0, 4)
    metadata = said["groundingMetadata"]
    assert isinstance(metadata, dict)
    supports = metadata["groundingSupports"]
    assert isinstance(supports, list)
    metadata["groundingSupports"] = supports * 2
    assert len(citations_of(said, "Bonn", 0)) == 1


@pytest.mark.parametrize("start", [-5, -5_000_000, 5_000_000])
def test_a_place_outside_of_the_text_is_no_crash(start: int) -> None:
    assert grounding_of([(hub.Citation("u", start=start, end=start + 1), LONG, 0)])
