"""Whether any pair is slower than linear: how the time of bodies made to hurt grows with their size.

Every shape is built at sizes n, 2n, 4n, 8n and the best of some runs counts. The growth is the slope of time over size
on logarithmic scales: 1 is linear, 2 quadratic. Only processor time is measured, and a shape is measured again before
it is called slow, so that a busy machine does not accuse the innocent.
"""

import gc
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import orjson

from tests import hub_cases as cases
from tests.translators.fuzz import hostile
from tests.wires import stream_of, wire_of
from translators import FORMATS, FormatError, Profile, Unsupported, WireRequest, bridge, hub
from translators.fold import unfold

GROWTH = 1.35
SIZES = (1, 2, 4, 8)
_ENOUGH = 0.002
"""Seconds that the smallest size should take at least; below, the clock and the caches are what is measured."""

type Work = Callable[[], object]
_SSE = "text/event-stream"


def _call(number: int, name: str = "get_weather", word: str = "call_weather") -> hub.ToolCall:
    return hub.ToolCall(f"{word}_{number:08}", name, '{"city":"Bonn"}')


def _turn(calls: tuple[hub.ToolCall, ...]) -> tuple[hub.Message, ...]:
    results = tuple(hub.ToolResult(call.id, (hub.Text("rain"),)) for call in calls)
    return hub.Message("assistant", calls), hub.Message("user", results)


def _nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def _many_tools(size: int) -> hub.Request:
    return replace(cases.PLAIN, tools=tuple(replace(cases.WEATHER, name=f"tool_{n}") for n in range(size)))


def _many_allowed(size: int) -> hub.Request:
    names = tuple(f"tool_{number}" for number in range(size))
    return replace(_many_tools(size), tool_choice=hub.ToolChoice("required", allowed=names))


def _many_illegal_tools(size: int) -> hub.Request:
    tools = tuple(replace(cases.WEATHER, name=f"tool.{'x' * 120}.{n}", namespace="mcp__a") for n in range(size))
    return replace(cases.PLAIN, tools=tools)


def _parallel_calls(size: int) -> hub.Request:
    return replace(cases.TOOLS, messages=(*cases.PLAIN.messages, *_turn(tuple(_call(n) for n in range(size)))))


def _many_turns(size: int) -> hub.Request:
    turns = tuple(message for n in range(size) for message in _turn((_call(n),)))
    return replace(cases.TOOLS, messages=(*cases.PLAIN.messages, *turns))


def _same_ids(size: int) -> hub.Request:
    turns = tuple(message for _ in range(size) for message in _turn((_call(0),)))
    return replace(cases.TOOLS, messages=(*cases.PLAIN.messages, *turns))


def _unknown_calls(size: int) -> hub.Request:
    turns = tuple(message for n in range(size) for message in _turn((_call(n, f"unknown_{n}"),)))
    return replace(cases.TOOLS, messages=(*cases.PLAIN.messages, *turns))


def _orphans(size: int) -> hub.Request:
    results = tuple(hub.ToolResult(f"call_gone_{n:08}", (hub.Text("late"),)) for n in range(size))
    return replace(cases.TOOLS, messages=(hub.Message("user", results), *cases.PLAIN.messages))


def _many_parts(size: int) -> hub.Request:
    return replace(cases.PLAIN, messages=(hub.Message("user", tuple(hub.Text(f"part {n} ") for n in range(size))),))


def _many_systems(size: int) -> hub.Request:
    pair = (hub.Message("system", (hub.Text("Be brief."),)), *cases.PLAIN.messages)
    return replace(cases.PLAIN, messages=pair * size)


def _huge_text(size: int) -> hub.Request:
    return replace(cases.PLAIN, messages=(hub.Message("user", (hub.Text('x<think>"\\é' * size),)),))


def _many_thoughts(size: int) -> hub.Request:
    said = hub.Message("assistant", (hub.Thinking("Hm."), hub.Text("Yes.")))
    return replace(cases.PLAIN, messages=(*cases.PLAIN.messages, *((said, *cases.PLAIN.messages) * size)))


def _deep_arguments(size: int) -> hub.Request:
    call = replace(_call(1), arguments=_nested(size))
    return replace(cases.TOOLS, messages=(*cases.PLAIN.messages, *_turn((call,))))


def _schema(size: int) -> dict[str, hub.JSON]:
    schema: dict[str, hub.JSON] = {"type": "string"}
    for _ in range(size):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def _deep_schema(size: int) -> hub.Request:
    return replace(cases.PLAIN, tools=(replace(cases.WEATHER, schema=_schema(size)),))


def _wide_schema(size: int) -> hub.Request:
    fields: dict[str, hub.JSON] = {
        f"f{n}": {"anyOf": [{"$ref": f"#/$defs/d{n}"}, {"type": "null"}]} for n in range(size)
    }
    defs: dict[str, hub.JSON] = {
        f"d{n}": {"type": ["string", "null"], "title": "D", "format": "x"} for n in range(size)
    }
    schema: dict[str, hub.JSON] = {"type": "object", "properties": fields, "$defs": defs, "required": [*fields]}
    return replace(cases.PLAIN, tools=(replace(cases.WEATHER, schema=schema),))


def _chained_schema(size: int) -> hub.Request:
    links: dict[str, hub.JSON] = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(size)}
    fields: dict[str, hub.JSON] = {f"f{n}": {"$ref": "#/$defs/d0"} for n in range(size)}
    schema: dict[str, hub.JSON] = {"type": "object", "properties": fields, "$defs": links}
    return replace(cases.PLAIN, tools=(replace(cases.WEATHER, schema=schema, strict=None),))


def _combined_schema(size: int, word: str) -> hub.Request:
    parts: list[hub.JSON] = [
        {"type": "object", "properties": {f"f{n}": {"type": "string"}}, "required": [f"f{n}"]} for n in range(size)
    ]
    schema: dict[str, hub.JSON] = {"type": "object", "properties": {"a": {word: parts}}, word: parts}
    return replace(cases.PLAIN, tools=(replace(cases.WEATHER, schema=schema, strict=None),))


REQUESTS: Mapping[str, tuple[Callable[[int], hub.Request], int]] = {
    "many tools": (_many_tools, 400),
    "many allowed tools": (_many_allowed, 400),
    "many illegal tool names": (_many_illegal_tools, 200),
    "many parallel calls": (_parallel_calls, 100),
    "many turns": (_many_turns, 100),
    "one id for many calls": (_same_ids, 50),
    "many unknown tools called": (_unknown_calls, 200),
    "many orphan results": (_orphans, 100),
    "many parts": (_many_parts, 250),
    "many system messages": (_many_systems, 100),
    "many thoughts": (_many_thoughts, 100),
    "huge text": (_huge_text, 20_000),
    "deep arguments": (_deep_arguments, 100),
    "deep schema": (_deep_schema, 12),
    "wide schema": (_wide_schema, 50),
    "schema of chained references": (_chained_schema, 200),
    "schema of all of many": (partial(_combined_schema, word="allOf"), 200),
    "schema of any of many": (partial(_combined_schema, word="anyOf"), 200),
}


def _tiny_events(size: int) -> list[hub.Event]:
    events = unfold(cases.TEXT_ANSWER)
    return [*events[:2], *(hub.PartDelta(0, hub.TextDelta("a<")) for _ in range(size)), *events[3:]]


def _tiny_arguments(size: int) -> list[hub.Event]:
    deltas = [hub.PartDelta(0, hub.ArgumentsDelta(piece)) for piece in ('{"city":"', *("x" * size), '"}')]
    start: list[hub.Event] = [hub.Started("a", "m"), hub.PartStarted(0, replace(_call(1), arguments=""))]
    return [*start, *deltas, hub.PartEnded(0), hub.UsageReported(cases.USAGE), hub.Finished(hub.Stop("tool_calls"))]


def _tiny_thoughts(size: int) -> list[hub.Event]:
    deltas = [hub.PartDelta(0, hub.TextDelta("h")) for _ in range(size)]
    start: list[hub.Event] = [hub.Started("a", "m"), hub.PartStarted(0, hub.Thinking())]
    return [*start, *deltas, hub.PartEnded(0), hub.UsageReported(cases.USAGE), hub.Finished(hub.Stop("end"))]


def _many_calls(size: int) -> list[hub.Event]:
    return unfold(replace(cases.CALLS_ANSWER, parts=tuple(_call(number) for number in range(size))))


def _calls_of_one_id(size: int) -> list[hub.Event]:
    return unfold(replace(cases.CALLS_ANSWER, parts=tuple(_call(0) for _ in range(size))))


def _interleaved_calls(size: int) -> list[hub.Event]:
    starts = [hub.PartStarted(n, replace(_call(n), arguments="")) for n in range(size)]
    deltas = [hub.PartDelta(n, hub.ArgumentsDelta(text)) for text in ('{"city":', '"Bonn"}') for n in range(size)]
    ends = [hub.PartEnded(n) for n in range(size)]
    return [hub.Started("a", "m"), *starts, *deltas, *ends, hub.Finished(hub.Stop("tool_calls"))]


def _many_part_kinds(size: int) -> list[hub.Event]:
    parts = (hub.Thinking("Hm."), hub.Text("Yes."))
    return unfold(replace(cases.TEXT_ANSWER, parts=parts * size))


def _one_huge_text(size: int) -> list[hub.Event]:
    return unfold(replace(cases.TEXT_ANSWER, parts=(hub.Text("x<é" * size),)))


ANSWERS: Mapping[str, tuple[Callable[[int], list[hub.Event]], int, int]] = {
    "many tiny texts": (_tiny_events, 400, 0),
    "many tiny texts, byte by byte": (_tiny_events, 60, 1),
    "many tiny arguments": (_tiny_arguments, 400, 0),
    "many tiny thoughts": (_tiny_thoughts, 400, 0),
    "many calls": (_many_calls, 200, 0),
    "many calls of one id": (_calls_of_one_id, 200, 0),
    "interleaved calls": (_interleaved_calls, 80, 0),
    "many parts in turn": (_many_part_kinds, 100, 0),
    "one huge event, byte by byte": (_one_huge_text, 4_000, 1),
}
"""Events by size, the smallest size, and the bytes of a chunk (0: all at once)."""


@dataclass(frozen=True, slots=True)
class Growth:
    pair: tuple[str, str]
    shape: str
    slope: float
    seconds: float
    """At the largest size."""


def growths(pair: tuple[str, str]) -> list[Growth]:
    return [_measured(pair, shape, make, start) for shape, make, start in works(*pair)]


def works(client: str, upstream: str) -> Iterator[tuple[str, Callable[[int], Work], int]]:
    for shape, (request, start) in REQUESTS.items():
        yield f"request: {shape}", partial(_ask, client, upstream, request), start
    for shape, (events, start, chunk) in ANSWERS.items():
        yield f"stream: {shape}", partial(_hear, client, upstream, events, chunk), start
    for shape, made in hostile.STREAMS.get(upstream, {}).items():
        yield f"hostile: {shape}", partial(_suffer, client, upstream, made), 1_500
    yield "whole: byte by byte", partial(_hear_whole, client, upstream), 4_000
    yield "error: huge body", partial(_refuse, client, upstream), 50_000


def _ask(client: str, upstream: str, request: Callable[[int], hub.Request], size: int) -> Work:
    wire = wire_of(client, request(size))

    def work() -> None:
        with suppress(FormatError, Unsupported):
            bridge(client, upstream).request(wire, "a-model")

    return work


def _hear(client: str, upstream: str, events: Callable[[int], list[hub.Event]], chunk: int, size: int) -> Work:
    data = stream_of(FORMATS[upstream], events(size), cases.TOOLS)
    return partial(_fed, client, upstream, data, chunk or len(data), _SSE, wire_of(client, cases.TOOLS))


def _suffer(client: str, upstream: str, made: Callable[[int], bytes], size: int) -> Work:
    data, asked = made(size), wire_of(client, cases.TOOLS)
    return partial(_fed, client, upstream, data, 1 << 16, _SSE, asked, Profile(think_tags=True))


def _hear_whole(client: str, upstream: str, size: int) -> Work:
    answer = replace(cases.TEXT_ANSWER, parts=(hub.Text("x<é" * size),))
    data = FORMATS[upstream].render_response(answer, cases.PLAIN, [])
    return partial(_fed, client, upstream, data, 1, "application/json", wire_of(client, cases.PLAIN))


def _fed(
    client: str,
    upstream: str,
    data: bytes,
    chunk: int,
    content_type: str,
    asked: WireRequest,
    profile: Profile | None = None,
) -> None:
    joined = bridge(client, upstream, profile=profile)
    joined.request(asked, "a-model")
    for at in range(0, len(data), chunk):
        joined.feed(data[at : at + chunk], content_type)
    joined.close()


def _refuse(client: str, upstream: str, size: int) -> Work:
    body = orjson.dumps({"error": {"message": "no " * size, "type": "x", "code": [_schema(20)] * (size // 1000)}})
    return lambda: bridge(client, upstream).error(400, {}, body)


def _measured(pair: tuple[str, str], shape: str, make: Callable[[int], Work], start: int) -> Growth:
    growth = Growth(pair, shape, 0.0, 0.0)
    for runs in (3, 7, 15):
        times = [_best(make(start * size), runs) for size in SIZES]
        growth = Growth(pair, shape, slope(times), times[-1])
        if growth.slope <= GROWTH:
            break
    return growth


def _best(work: Work, runs: int) -> float:
    began = time.process_time()
    work()
    once = time.process_time() - began
    times = max(1, min(20, int(_ENOUGH / max(once, 1e-6))))
    gc.collect()
    gc.disable()
    best = once
    for _ in range(runs):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - began) / times)
    gc.enable()
    return best


def slope(times: list[float]) -> float:
    """Least squares over the sizes; a fixed cost below a tenth of a millisecond is not growth."""
    points = [(math.log(size), math.log(max(seconds, 1e-4))) for size, seconds in zip(SIZES, times, strict=True)]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def main(workers: int) -> int:
    slow: list[Growth] = []
    worst = Growth(("", ""), "", 0.0, 0.0)
    with ProcessPoolExecutor(workers) as pool:
        pairs = product(sorted(FORMATS), repeat=2)
        measured = [growth for found in pool.map(growths, pairs) for growth in found]
    for growth in measured:
        worst = max(worst, growth, key=lambda one: one.slope)
        if growth.slope > GROWTH:
            slow.append(growth)
            sys.stdout.write(
                f"{growth.slope:5.2f} {growth.seconds:7.3f} s  {' → '.join(growth.pair)}  {growth.shape}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(
        f"{len(measured)} shapes measured, {len(slow)} slower than linear, steepest {worst.slope:.2f} ({worst.shape})\n"
    )
    return 1 if slow else 0
