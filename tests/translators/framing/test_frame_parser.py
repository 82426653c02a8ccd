"""What was read before a breach comes out first, whatever the framing is."""

import pytest

from translators import FormatError, hub
from translators.framing.frame_parser import FrameParser


class Lines(FrameParser[str]):
    """One text an ASCII line; a line ``!`` is a breach."""

    def __init__(self) -> None:
        self._kept = b""

    def _decode(self, data: bytes) -> list[str]:
        *lines, self._kept = (self._kept + data).split(b"\n")
        return [line.decode() for line in lines]

    def _take(self, frame: str, events: list[hub.Event]) -> None:
        if frame == "!":
            raise FormatError("a breach")
        events.append(hub.PartDelta(0, hub.TextDelta(frame)))

    def _end(self, events: list[hub.Event]) -> None:
        events.append(hub.Failed(hub.Failure("cut", self._kept.decode())))


def test_an_error_without_events_before_it_is_raised_at_once() -> None:
    with pytest.raises(FormatError):
        Lines().feed(b"!\n")


def test_events_come_before_the_error_of_the_same_bytes() -> None:
    parser = Lines()
    assert parser.feed(b"a\n!\nb\n") == [hub.PartDelta(0, hub.TextDelta("a"))]
    with pytest.raises(FormatError):
        parser.feed(b"")


def test_an_error_that_was_kept_back_is_raised_at_the_end() -> None:
    parser = Lines()
    parser.feed(b"a\n!\n")
    with pytest.raises(FormatError):
        parser.close()


def test_nothing_is_read_behind_a_breach() -> None:
    parser = Lines()
    parser.feed(b"a\n!\n")
    for _ in range(2):
        with pytest.raises(FormatError):
            parser.feed(b"b\n")
