"""Formats driven by bytes: what the properties, the fuzz and the table of losses have in common."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from translators import FORMATS, Format, FormatError, Profile, WireRequest, hub
from translators.fold import Fold


def wire_of(name: str, request: hub.Request) -> WireRequest:
    """The request as a client of this format would send it; Gemini streams as server-sent events."""
    return FORMATS[name].render_request(request, Profile(), [])


def stream_of(format_: Format, events: Iterable[hub.Event], asked: hub.Request) -> bytes:
    renderer = format_.stream_renderer(asked, [])
    return b"".join([renderer.render(event) for event in events]) + renderer.close()


def events_of(format_: Format, data: bytes, cuts: Sequence[int] = ()) -> list[hub.Event]:
    """What the format's own parser reads, the bytes being fed in pieces cut at ``cuts``."""
    parser = format_.stream_parser()
    events: list[hub.Event] = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        events += parser.feed(data[start:end])
    return events + parser.close()


def events_before_breach(format_: Format, data: bytes, cuts: Iterable[int] = ()) -> list[hub.Event]:
    """What the format's own parser reads of a stream that breaks its rules somewhere."""
    parser = format_.stream_parser()
    events: list[hub.Event] = []
    try:
        for start, end in pairwise([0, *cuts, len(data), len(data)]):
            events += parser.feed(data[start:end])
    except FormatError:
        return events
    raise AssertionError("nothing was wrong")


def folded(events: Iterable[hub.Event]) -> hub.Response:
    fold = Fold()
    for event in events:
        fold.add(event)
    assert fold.failure is None, fold.failure
    return fold.response()


def well_formed(events: Sequence[hub.Event]) -> None:
    """Every part that was started has ended, indexes are used once, and one end stands last."""
    opened: set[int] = set()
    seen: set[int] = set()
    for event in events:
        match event:
            case hub.PartStarted(index, _):
                assert index not in seen
                seen.add(index)
                opened.add(index)
            case hub.PartDelta(index, _):
                assert index in opened
            case hub.PartEnded(index):
                opened.remove(index)
            case _:
                pass
    assert not opened
    assert sum(isinstance(event, hub.Finished | hub.Failed) for event in events) == 1
    assert isinstance(events[-1], hub.Finished | hub.Failed)
