"""Whole answers ↔ hub.Response. A whole answer is read as a stream of one chunk, so both ways say the same."""

from typing import cast

from translators import hub
from translators.errors import FormatError
from translators.fold import Fold
from translators.formats.gemini.answer import AnswerReader, answer_of, check_answer, render_usage
from translators.formats.gemini.errors import parse_error_object
from translators.formats.gemini.stream import end_fields, render_part
from translators.formats.gemini.wire import NAME, Object, loads
from translators.hub import JSON, Citation, Loss


def parse_answer(body: bytes, origin: str, *, wrapped: bool = False) -> hub.Response:
    """Also takes a list of chunks, which a stream without ``alt=sse`` is."""
    document = loads(body, "the answer", status_hint=502)
    failure = parse_error_object(document)
    if failure is not None:
        raise FormatError(f"an error instead of an answer: {failure.message}", status_hint=502)
    reader = AnswerReader(origin)
    fold = Fold()
    for item in document if isinstance(document, list) else [document]:
        chunk = answer_of(item, wrapped=wrapped)
        check_answer(chunk)
        for event in reader.read(chunk):
            fold.add(event)
    for event in reader.finish(whole=True):
        fold.add(event)
    return fold.response()


def render_answer(response: hub.Response, own: str, losses: list[Loss]) -> Object:
    parts: list[Object] = []
    cited: list[tuple[Citation, str, int]] = []
    before = 0
    malformed = False
    for part in response.parts:
        rendered = render_part(part, own, losses)
        malformed = malformed or (rendered is None and isinstance(part, hub.ToolCall))
        if rendered is not None:
            parts.append(rendered)
        if isinstance(part, hub.Text):
            cited += [(citation, part.text, before) for citation in part.citations]
            before += len(part.text.encode(errors="surrogatepass"))
    stop = response.stop
    if malformed and stop.reason != "max_tokens":
        stop = hub.Stop("other", raw="MALFORMED_FUNCTION_CALL")
    candidate, beside = end_fields(stop, response.extra.get(NAME, {}), cited)
    content: Object = {"role": "model", "parts": cast("list[JSON]", parts)}
    document: Object = {"candidates": [{"content": content, "index": 0, **candidate}], **beside}
    if usage := render_usage(response.usage):
        document["usageMetadata"] = usage
    if response.model:
        document["modelVersion"] = response.model
    if response.id:
        document["responseId"] = response.id
    return document
