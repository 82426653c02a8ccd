"""Function calls whose arguments come in pieces."""

from typing import Any

import orjson
import pytest

from translators import hub
from translators.errors import FormatError
from translators.fold import Fold
from translators.formats.gemini import Gemini


def chunk(*parts: dict[str, Any], reason: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if reason:
        candidate["finishReason"] = reason
    return b"data: " + orjson.dumps({"responseId": "r", "candidates": [candidate]}) + b"\n\n"


def piece(path: str, more: bool = False, **value: Any) -> dict[str, Any]:
    partial = {"jsonPath": path, **value, **({"willContinue": True} if more else {})}
    return {"functionCall": {"partialArgs": [partial], "willContinue": True}}


def read(*chunks: bytes) -> tuple[hub.Response, list[hub.Event]]:
    parser = Gemini().stream_parser()
    events = [event for data in chunks for event in parser.feed(data)] + parser.close()
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.response(), events


START = {"functionCall": {"name": "edit", "id": "c1", "willContinue": True}, "thoughtSignature": "c2ln"}
END: dict[str, Any] = {"functionCall": {}}


def test_pieces_become_one_call() -> None:
    answer, _ = read(
        chunk(START),
        chunk(piece("$.path", more=True, stringValue="a")),
        chunk(piece("$.path", stringValue=".py")),
        chunk({"text": ""}),
        chunk(piece("$.edits[1].text", stringValue="x"), piece("$.edits[0]['new.text']", stringValue="é")),
        chunk(piece("$.n", numberValue=3), piece("$.all", boolValue=False), piece("$.old", nullValue="NULL_VALUE")),
        chunk(END, reason="STOP"),
    )

    (call,) = answer.parts
    assert isinstance(call, hub.ToolCall)
    assert (call.id, call.name, call.signature) == ("c1", "edit", hub.Signature("c2ln", "gemini"))
    assert orjson.loads(call.arguments) == {
        "path": "a.py", "edits": [{"new.text": "é"}, {"text": "x"}], "n": 3, "all": False, "old": None,
    }  # fmt: skip
    assert answer.stop == hub.Stop("tool_calls", raw="STOP")


def test_a_new_name_starts_the_next_call() -> None:
    answer, _ = read(
        chunk(START, piece("$.a", stringValue="1")),
        chunk({"functionCall": {"name": "look", "args": {"b": 2}}}, reason="STOP"),
    )

    calls = [(part.name, part.arguments) for part in answer.parts if isinstance(part, hub.ToolCall)]
    assert calls == [("edit", '{"a":"1"}'), ("look", '{"b":2}')]


def test_a_value_said_anew_replaces_the_old_one() -> None:
    answer, _ = read(chunk(START, piece("$.a", stringValue="1"), piece("$.a", stringValue="2"), END, reason="STOP"))

    assert [part.arguments for part in answer.parts if isinstance(part, hub.ToolCall)] == ['{"a":"2"}']


def test_half_a_call_at_the_token_limit_is_never_run() -> None:
    answer, events = read(chunk(START), chunk(piece("$.a", more=True, stringValue="rm"), reason="MAX_TOKENS"))

    assert answer.parts == ()
    assert any(isinstance(event, hub.Lost) for event in events)


@pytest.mark.parametrize("path", ["$", "", "$.a[", "$.a.b", "$[0]", "$.list.x", "$.list[99999999]"])
def test_a_path_that_leads_nowhere_is_a_format_error(path: str) -> None:
    parser = Gemini().stream_parser()
    parser.feed(chunk(START, piece("$.a", stringValue="1"), piece("$.list[0]", stringValue="1")))

    with pytest.raises(FormatError):
        parser.feed(chunk(piece(path, stringValue="x")))


def test_a_text_that_breaks_off_keeps_the_pieces_that_came() -> None:
    answer, _ = read(
        chunk(START),
        chunk(piece("$.path", more=True, stringValue="a")),
        chunk(piece("$.path", more=True, stringValue=".p")),
        chunk(piece("$.path", more=True, stringValue="y")),
        chunk(END, reason="STOP"),
    )
    (call,) = answer.parts
    assert isinstance(call, hub.ToolCall)
    assert orjson.loads(call.arguments) == {"path": "a.py"}
