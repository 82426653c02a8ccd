"""Addresses: the model and the stream flag are in the path, and nothing else is touched there."""

import orjson
import pytest

from translators.format import WireRequest
from translators.formats.gemini import Gemini
from translators.hub import Signature
from translators.signatures import wrap

FOREIGN = wrap(Signature("sig", "anthropic-messages"), "gemini")


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "/v1beta/models/gemini-3-flash:streamGenerateContent"),
        ("/v1/projects/p/locations/l/publishers/google/models/x:generateContent",
         "/v1/projects/p/locations/l/publishers/google/models/gemini-3-flash:generateContent"),
        ("/elsewhere", "/elsewhere"),
    ],
)  # fmt: skip
def test_retarget_changes_the_model_alone(path: str, expected: str) -> None:
    wire = WireRequest(path=path, query="alt=sse&key=k", body=b"{ not json")

    moved = Gemini().retarget(wire, "gemini-3-flash")

    assert (moved.path, moved.query, moved.body) == (expected, wire.query, wire.body)


def test_the_path_says_whether_to_stream() -> None:
    assert Gemini().asks_stream(WireRequest(path="/v1beta/models/m:streamGenerateContent"))
    assert not Gemini().asks_stream(WireRequest(path="/v1beta/models/m:generateContent"))
    assert not Gemini().asks_stream(WireRequest(path="/"))


def test_disown_leaves_a_clean_request_alone() -> None:
    wire = WireRequest(body=b'{"contents":[{"parts":[{"text":"a","thoughtSignature":"c2ln"}]}]}')

    assert Gemini().disown(wire) is wire


def test_disown_takes_out_what_we_put_in() -> None:
    parts = [
        {"text": "hm", "thought": True, "thoughtSignature": FOREIGN},
        {"functionCall": {"name": "f"}, "thoughtSignature": FOREIGN},
        {"text": "a", "thoughtSignature": "c2ln"},
    ]
    body = orjson.dumps({"contents": [{"role": "model", "parts": parts}, {"role": "model", "parts": parts[:1]}]})

    cleaned = orjson.loads(Gemini().disown(WireRequest(body=body)).body)

    call = {"functionCall": {"name": "f"}, "thoughtSignature": "skip_thought_signature_validator"}
    assert cleaned == {"contents": [{"role": "model", "parts": [call, parts[2]]}]}
