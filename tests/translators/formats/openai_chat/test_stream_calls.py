"""Calls put together from pieces, at the level of events."""

from collections.abc import Mapping
from itertools import count

from translators import hub
from translators.formats.openai_chat.stream_calls import CallAssembler


class _Assembler:
    """With its own numbers."""

    def __init__(self) -> None:
        self._calls = CallAssembler()
        self._numbers = count()
        self.end = self._calls.end

    def add(self, item: Mapping[str, hub.JSON], seed: str) -> list[hub.Event]:
        return self._calls.add(item, seed, lambda: next(self._numbers))


def _piece(index: int, call_id: str = "", name: str = "", arguments: str = "") -> dict[str, hub.JSON]:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def test_a_whole_call_ends_when_the_next_one_starts() -> None:
    calls = _Assembler()
    calls.add(_piece(0, "a", "f", '{"x":1}'), "")
    assert hub.PartEnded(0) in calls.add(_piece(1, "b", "g"), "")


def test_a_call_that_is_not_whole_stays_open() -> None:
    calls = _Assembler()
    calls.add(_piece(0, "a", "f", '{"x":'), "")
    calls.add(_piece(1, "b", "g"), "")
    assert calls.add(_piece(0, arguments="1}"), "") == [hub.PartDelta(0, hub.ArgumentsDelta("1}"))]


def test_an_empty_piece_is_nothing() -> None:
    assert _Assembler().add(_piece(0), "") == []


def test_a_name_that_is_repeated_in_every_piece_is_one_call() -> None:
    calls = _Assembler()
    events = calls.add(_piece(0, "a", "f", "{"), "") + calls.add(_piece(0, "a", "f", "}"), "") + calls.end()
    assert sum(isinstance(event, hub.PartStarted) for event in events) == 1


def test_every_call_ends_once() -> None:
    calls = _Assembler()
    calls.add(_piece(0, "a", "f"), "")
    assert calls.end() == [hub.PartDelta(0, hub.ArgumentsDelta("{}")), hub.PartEnded(0)]
    assert calls.end() == []


def test_a_signature_belongs_to_its_call() -> None:
    item: dict[str, hub.JSON] = {**_piece(0, "a", "f"), "extra_content": {"google": {"thought_signature": "s"}}}
    signature = hub.Signature("s", "openai-chat")
    assert hub.PartDelta(0, hub.SignatureDelta(signature)) in _Assembler().add(item, "")
