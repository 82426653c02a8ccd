"""Citations of answers."""

from translators import hub
from translators.formats.openai_chat.citations import parse_annotations, parse_search_results, render_annotation


def test_an_annotation_comes_back_as_it_was() -> None:
    link: dict[str, hub.JSON] = {
        "url": "https://a.example",
        "title": "A",
        "start_index": 1,
        "end_index": 5,
        "content": "Said so.",
    }
    item: hub.JSON = {"type": "url_citation", "url_citation": link}
    (citation,), others = parse_annotations({"annotations": [item]})
    assert render_annotation(citation) == item
    assert others == []


def test_other_annotations_are_kept_apart() -> None:
    item: hub.JSON = {"type": "file", "file": {"hash": "x"}}
    assert parse_annotations({"annotations": [item]}) == ([], [item])


def test_search_results_win_over_bare_addresses() -> None:
    answer: dict[str, hub.JSON] = {
        "citations": ["https://a.example"],
        "search_results": [{"url": "https://a.example", "title": "A"}],
    }
    assert parse_search_results(answer) == [hub.Citation(url="https://a.example", title="A")]


def test_a_citation_without_address_is_no_annotation() -> None:
    assert render_annotation(hub.Citation(quote="x")) is None
