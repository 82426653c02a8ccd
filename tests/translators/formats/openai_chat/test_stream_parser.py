"""Streams of the dialects, reduced to the chunk that matters."""

import json
from typing import Any

import pytest

from translators import hub
from translators.errors import FormatError
from translators.fold import Fold
from translators.formats.openai_chat.stream_parser import ChatStreamParser

END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def events(*chunks: object, done: bool = True) -> list[hub.Event]:
    lines = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks] + ["[DONE]"] * done
    parser = ChatStreamParser()
    return parser.feed("".join(f"data: {line}\n\n" for line in lines).encode()) + parser.close()


def delta(**fields: Any) -> dict[str, Any]:
    return {"id": "r", "model": "m", "choices": [{"index": 0, "delta": fields}]}


def fold(*chunks: object, done: bool = True) -> hub.Response:
    folded = Fold()
    for event in events(*chunks, done=done):
        folded.add(event)
    return folded.response()


def call(index: int | None, call_id: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    item: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        item["index"] = index
    if call_id is not None:
        item["id"] = call_id
    if name is not None:
        item["function"]["name"] = name
    return delta(tool_calls=[item])


def calls(*chunks: object) -> list[tuple[str, str]]:
    return [(part.name, part.arguments) for part in fold(*chunks, END).parts if isinstance(part, hub.ToolCall)]


def failure(*chunks: object, done: bool = True) -> hub.Failure:
    last = events(*chunks, done=done)[-1]
    assert isinstance(last, hub.Failed)
    return last.failure


def test_interleaved_calls_are_kept_apart() -> None:
    chunks = [
        call(0, "a", "f", '{"x":'),
        call(1, "b", "g", '{"y":'),
        call(0, None, None, "1}"),
        call(1, None, None, "2}"),
    ]
    assert calls(*chunks) == [("f", '{"x":1}'), ("g", '{"y":2}')]


def test_whole_calls_under_one_index_are_kept_apart() -> None:
    assert calls(call(0, "a", "f", '{"x":1}'), call(0, "b", "g", '{"y":2}')) == [("f", '{"x":1}'), ("g", '{"y":2}')]


def test_whole_calls_without_index_and_id_are_kept_apart() -> None:
    assert calls(call(None, None, "f", '{"x":1}'), call(None, None, "f", '{"x":2}')) == [
        ("f", '{"x":1}'),
        ("f", '{"x":2}'),
    ]


def test_pieces_without_index_belong_to_the_last_call() -> None:
    assert calls(call(None, "a", "f", '{"x":'), call(None, None, None, "1}")) == [("f", '{"x":1}')]


def test_the_same_id_twice_is_made_two() -> None:
    response = fold(call(0, "a", "f", "{}"), call(1, "a", "g", "{}"), END)
    assert [part.id for part in response.parts if isinstance(part, hub.ToolCall)] == ["a", "a_2"]


def test_a_missing_id_is_invented_the_same_way_every_time() -> None:
    first, second = (fold(call(0, "", "f", "{}"), END).parts[0] for _ in range(2))
    assert isinstance(first, hub.ToolCall)
    assert first.id.startswith("call_")
    assert first == second


@pytest.mark.parametrize(
    "pieces", [[{"x": 1}], ["{}", '{"x":1}'], ['{"x":1}', '{"x":1}'], ['{"x"', ":1}"], [None, '{"x":1}', ""]]
)
def test_arguments_come_out_once_and_whole(pieces: list[Any]) -> None:
    (found,) = calls(call(0, "a", "f", pieces[0]), *(call(0, None, None, piece) for piece in pieces[1:]))
    assert json.loads(found[1]) == {"x": 1}


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert calls(call(0, "a", "f", "")) == [("f", "{}")]


def test_a_name_that_comes_later_starts_the_call_then() -> None:
    assert calls(call(0, "a", None, '{"x"'), call(0, None, "f", ":1}")) == [("f", '{"x":1}')]


def test_a_call_that_never_gets_a_name_is_a_failure() -> None:
    assert failure(call(0, "a", None, "{}"), END).kind == "server"


def test_a_plain_end_with_calls_means_run_them() -> None:
    assert fold(call(0, "a", "f", "{}"), END).stop == hub.Stop("tool_calls", None, "stop")


def test_reasoning_under_two_names_is_said_once() -> None:
    response = fold(delta(reasoning="a", reasoning_content="a"), delta(content="b"), END)
    assert response.parts == (hub.Thinking("a"), hub.Text("b"))


def test_details_without_text_are_a_redacted_part() -> None:
    details = [{"type": "reasoning.encrypted", "data": "xyz", "index": 0}]
    thinking = fold(delta(reasoning_details=details), delta(content="b"), END).parts[0]
    assert isinstance(thinking, hub.Thinking)
    assert thinking.redacted
    assert thinking.signature is not None
    assert json.loads(thinking.signature.value) == details


def test_a_tag_further_down_is_text() -> None:
    assert fold(delta(content="Use <think>"), END).parts == (hub.Text("Use <think>"),)


def test_text_that_only_might_be_a_tag_is_not_lost() -> None:
    assert fold(delta(content="<thi"), END).parts == (hub.Text("<thi"),)


@pytest.mark.parametrize(
    "place",
    [
        lambda usage: {"choices": [], "usage": usage},
        lambda usage: {"choices": [{"index": 0, "delta": {}, "usage": usage}]},
        lambda usage: {"choices": [], "x_groq": {"usage": usage}},
        lambda usage: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage},
    ],
)
def test_usage_is_found_wherever_it_comes(place: Any) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    response = fold(delta(content="a"), END, place(usage))
    assert (response.usage.input, response.usage.output) == (3, 2)


def test_an_end_without_done_is_an_end_after_a_finish_reason() -> None:
    assert isinstance(events(delta(content="a"), END, done=False)[-1], hub.Finished)


def test_an_end_without_finish_reason_is_an_end_after_done() -> None:
    assert isinstance(events(delta(content="a"))[-1], hub.Finished)


def test_an_end_with_neither_is_a_cut() -> None:
    assert failure(delta(content="a"), done=False).kind == "cut"


def test_a_cut_leaves_no_part_open() -> None:
    found = events(call(0, "a", "f", '{"x'), done=False)
    assert isinstance(found[-2], hub.PartEnded)


def test_nothing_but_done_is_a_failure() -> None:
    assert failure().kind == "server"


def test_an_error_chunk_after_the_finish_reason_is_a_failure() -> None:
    error = {"id": "r", "error": {"code": 429, "message": "Slow down"}, "choices": []}
    found = failure(delta(content="a"), END, error)
    assert (found.kind, found.status, found.message) == ("rate_limit", 429, "Slow down")


def test_an_error_finish_without_error_object_is_a_failure() -> None:
    assert (
        failure(delta(content="a"), {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}).kind == "server"
    )


def test_broken_json_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        events("{oops")


def test_other_choices_are_not_read() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "no"}}]}
    assert fold(delta(content="yes"), other, END).parts == (hub.Text("yes"),)


def test_a_refusal_is_a_part_of_its_own() -> None:
    assert fold(delta(refusal="No."), END).parts == (hub.Refusal("No."),)


def test_annotations_before_the_text_belong_to_it() -> None:
    link = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    response = fold(delta(content="", annotations=[link]), delta(content="a"), END)
    assert response.parts == (hub.Text("a", (hub.Citation(url="https://a.example", title="A"),)),)


def test_search_results_of_perplexity_are_citations() -> None:
    response = fold({**delta(content="a [1]"), "citations": ["https://a.example"]}, END)
    assert response.parts == (hub.Text("a [1]", (hub.Citation(url="https://a.example"),)),)


def test_a_generated_image_is_media() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert fold(delta(images=[image]), END).parts == (hub.Media("image", "image/png", data="AAAA"),)


def test_mistral_sends_reasoning_as_content() -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]
    assert fold(delta(content=thinking), delta(content="b"), END).parts == (hub.Thinking("a"), hub.Text("b"))


def test_what_the_hub_has_no_word_for_is_kept() -> None:
    first = {**delta(content="a"), "provider": "X"}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "native_finish_reason": "STOP"}]}
    kept = fold(first, last).extra["openai-chat"]
    assert kept == {"provider": "X", "choices[0]": {"native_finish_reason": "STOP"}}
