"""One damaged call through one pair of formats, and what must hold whatever came.

``request`` may raise FormatError and Unsupported, nothing else, and not at all in a passthrough; ``feed``, ``close``,
``fail``, ``error`` and the looks at a request (``model_of``, ``retarget``, …) never raise. What a translation
says is readable by the client's own format: a stream is well-formed and ends with an error exactly when there was one.
The events that a parser reads do not depend on how the bytes were cut, even where they break its rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Literal

from tests import hub_cases as cases
from tests.translators.fuzz import damage
from tests.translators.fuzz.corpus import Seeds, seeds
from tests.wires import events_of, well_formed, wire_of
from translators import (
    FORMATS,
    BoundedMemory,
    FormatError,
    Passthrough,
    Profile,
    Unsupported,
    WireRequest,
    bridge,
    hub,
    jsonvalue,
)

type Kind = Literal["request", "stream", "whole", "error"]
KINDS: tuple[Kind, ...] = ("request", "request", "stream", "stream", "whole", "error")
PROFILES = (
    Profile(),
    Profile(),
    Profile(
        developer_role=False, system_position="leading", max_tools=1, text_parts=False, images=False, documents=False
    ),
    Profile(system_position="none", reasoning_style="thinking", reasoning_field="reasoning", stream="always"),
    Profile(strict_tools=False, stream="never", max_output=10, omit=frozenset({"temperature"}), think_tags=True),
)
CONTENT_TYPES = ("text/event-stream", "text/event-stream", "", "application/json", "text/html", "text/plain; x")


@dataclass(frozen=True, slots=True)
class Case:
    """All that one number of one seed stands for."""

    kind: Kind
    client: str
    upstream: str
    profile: Profile
    data: bytes
    pieces: tuple[bytes, ...] = ()
    streams: bool = True
    """What the client asked for."""
    content_type: str = "text/event-stream"
    status: int = 500
    header: int = 0
    wire: WireRequest | None = None
    cut: bool = False
    """Whether to read it at once, too, and compare."""


def case(seed: int, number: int) -> Case:
    dice = Random(f"{seed}/{number}")
    names = sorted(FORMATS)
    pairs = list(product(names, names))
    client, upstream = pairs[number % len(pairs)]
    kind = KINDS[number // len(pairs) % len(KINDS)]
    profile = dice.choice(PROFILES)
    own: Seeds = seeds()[client if kind == "request" else upstream]
    base = Case(kind, client, upstream, profile, b"")
    match kind:
        case "request":
            wire = dice.choice(own.requests)
            others = [dice.choice(own.requests).body, dice.choice(seeds()[upstream].requests).body]
            body = damage.tree(dice, wire.body, others) if dice.random() < 0.85 else damage.raw(dice, wire.body)
            path = damage.raw(dice, wire.path.encode()).decode(errors="replace") if dice.random() < 0.05 else wire.path
            return _with(base, data=body, wire=WireRequest("POST", path, wire.query, {}, body))
        case "stream":
            seed_stream = dice.choice(own.streams)
            foreign = dice.choice(seeds()[dice.choice(names)].streams)
            data = damage.stream(dice, seed_stream, [dice.choice(own.streams), foreign])
            if dice.random() < 0.03:
                data = damage.raw(dice, seed_stream)
        case "whole":
            seed_answer = dice.choice(own.answers)
            data = damage.tree(dice, seed_answer, [dice.choice(own.answers), dice.choice(seeds()[client].answers)])
        case "error":
            status, body = dice.choice(own.errors)
            data = (
                damage.tree(dice, body, [dice.choice(own.errors)[1]]) if dice.random() < 0.9 else damage.raw(dice, body)
            )
            code = status if dice.random() < 0.5 else dice.choice(damage.STATUSES)
            return _with(base, data=data, status=code, header=dice.randrange(len(damage.HEADERS)))
    return _with(
        base,
        data=data,
        pieces=tuple(damage.pieces(dice, data)),
        streams=dice.random() < 0.7,
        content_type=dice.choice(CONTENT_TYPES),
        cut=kind == "stream" and dice.random() < 0.2,
    )


def _with(base: Case, **changes: object) -> Case:
    fields = {name: getattr(base, name) for name in Case.__slots__}
    return Case(**{**fields, **changes})  # type: ignore[arg-type]


@cache
def _asked(name: str, streams: bool) -> WireRequest:
    return wire_of(name, cases.TOOLS if streams else cases.PLAIN)


def run(one: Case) -> None:
    """Raises whatever must not happen."""
    memory = BoundedMemory(20)
    joined = bridge(one.client, one.upstream, profile=one.profile, memory=memory)
    if one.kind == "request":
        assert one.wire is not None
        _request(one, one.wire)
        return
    joined.request(_asked(one.client, one.streams), "a-model")
    translates = not isinstance(joined, Passthrough)
    client = FORMATS[one.client]
    if one.kind == "error":
        answer = joined.error(one.status, damage.HEADERS[one.header], one.data)
        assert joined.failure is not None
        if translates:
            assert client.parse_error(answer.status, answer.headers, answer.body) is not None
        return
    if one.cut:
        assert _read(one.upstream, [one.data]) == _read(one.upstream, one.pieces), "the cuts make a difference"
    out = b"".join([joined.feed(piece, one.content_type) for piece in one.pieces]) + joined.close()
    assert joined.content_type or not translates
    if isinstance(joined, Passthrough):
        assert one.data.startswith(out)
        assert out == one.data or (joined.failure is not None and joined.manner == "events")
    if joined.failure is not None:
        out += joined.fail(joined.failure)
    assert joined.close() == b""
    if isinstance(joined, Passthrough):
        return
    if joined.streaming:
        events = events_of(client, out)
        well_formed(events)
        assert isinstance(events[-1], hub.Failed) == (joined.failure is not None), "the end does not say what happened"
    elif joined.failure is None:
        client.parse_response(out)
    else:
        assert client.parse_error(502, {}, out) is not None
        jsonvalue.read(out, "the error")


def _read(name: str, pieces: Iterable[bytes]) -> tuple[list[hub.Event], bool]:
    """What the format's own parser reads, and whether an error stops it."""
    parser = FORMATS[name].stream_parser()
    events: list[hub.Event] = []
    try:
        for piece in pieces:
            events += parser.feed(piece)
        events += parser.feed(b"")
        events += parser.close()
    except FormatError:
        return events, True
    return events, False


def _request(one: Case, wire: WireRequest) -> None:
    client = FORMATS[one.client]
    client.model_of(wire)
    client.asks_stream(wire)
    client.retarget(wire, "other")
    client.disown(wire)
    joined = bridge(one.client, one.upstream, profile=one.profile, memory=BoundedMemory(5), wire=wire)
    try:
        sent = joined.request(wire, "a-model")
    except (FormatError, Unsupported):
        assert not isinstance(joined, Passthrough), "a passthrough must not refuse"
        return
    if isinstance(joined, Passthrough):
        return
    try:
        FORMATS[one.upstream].parse_request(sent)
    except Unsupported:
        return
