"""The model and the wish for a stream, without the body being parsed."""

from translators import WireRequest
from translators.model_in_body import ModelInBody

FORMAT = ModelInBody()


def test_only_the_bytes_of_the_model_change() -> None:
    wire = WireRequest(body=b'{ "a": 1.0e5, "model" : "old","stream":true }')
    assert FORMAT.retarget(wire, "new").body == b'{ "a": 1.0e5, "model" : "new","stream":true }'
    assert (FORMAT.model_of(wire), FORMAT.asks_stream(wire)) == ("old", True)


def test_the_same_model_keeps_the_request_itself() -> None:
    wire = WireRequest(body=b'{"model": "a\\u0062"}')
    assert FORMAT.retarget(wire, "ab") is wire


def test_a_body_without_a_model_is_left_alone() -> None:
    for body in (b"", b"[]", b"{", b'{"model": 3}', b"\xff"):
        wire = WireRequest(body=body)
        assert FORMAT.model_of(wire) is None
        assert not FORMAT.asks_stream(wire)
    assert FORMAT.retarget(WireRequest(body=b"{"), "a").body == b"{"
