"""Whatever stands where Gemini's fields should be, the answer is a hub value or a FormatError, never a crash."""

import contextlib
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, WireRequest
from translators.formats.gemini import Gemini

FIELDS = ["contents", "parts", "role", "text", "thought", "thoughtSignature", "functionCall", "partialArgs", "jsonPath", "stringValue", "willContinue", "functionResponse", "name", "id", "args", "response", "inlineData", "fileData", "mimeType", "data", "fileUri", "tools", "functionDeclarations", "parameters", "type", "properties", "toolConfig", "mode", "candidates", "functionCallingConfig", "allowedFunctionNames", "generationConfig", "thinkingConfig", "thinkingLevel", "thinkingBudget", "content", "topK", "stopSequences", "responseSchema", "systemInstruction", "finishReason", "usageMetadata", "promptTokenCount", "groundingMetadata", "groundingChunks", "groundingSupports", "segment", "promptFeedback", "blockReason", "error", "code", "message", "status", "details", "web", "uri"]  # fmt: skip

scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=3))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)),
    max_leaves=25,
)
documents = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_any_request_is_read_or_refused(document: dict[str, Any]) -> None:
    wire = WireRequest(path="/v1beta/models/m:generateContent", body=orjson.dumps(document))
    with contextlib.suppress(FormatError):
        Gemini().render_request(Gemini().parse_request(wire), Profile(), [])


@settings(max_examples=300, deadline=None)
@given(documents)
def test_any_chunk_is_read_or_refused(document: dict[str, Any]) -> None:
    data = orjson.dumps(document)
    parser = Gemini().stream_parser()
    with contextlib.suppress(FormatError):
        events = [*parser.feed(b"data: " + data + b"\n\n"), *parser.close()]
        assert isinstance(events[-1], hub.Finished | hub.Failed)
    with contextlib.suppress(FormatError):
        Gemini().parse_response(data)
    assert Gemini().parse_error(500, {}, data) is not None


@settings(max_examples=100, deadline=None)
@given(documents)
def test_disown_and_retarget_never_raise(document: dict[str, Any]) -> None:
    wire = WireRequest(path="/v1beta/models/m:generateContent", body=orjson.dumps({"contents": document}))

    Gemini().disown(wire)
    Gemini().retarget(wire, "x")


def test_a_model_with_half_an_emoji_has_an_address() -> None:
    asked = hub.Request(model="m\ud83d", messages=(hub.Message("user", (hub.Text("hi"),)),))
    assert Gemini().render_request(asked, Profile(), []).path.endswith("/m%3F:generateContent")
