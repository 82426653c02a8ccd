"""Speed of the translators alone, one core, no network: each pair's request and stream, and the passthrough listener.

The request is of the size and shape that Claude Code sends in the middle of a task: a long system prompt, two dozen
tools with schemas, a history of tool calls and results. It is made here in Anthropic's format and brought into each
client format by the translators themselves.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from statistics import median

import orjson

from tests.servers import answers
from translators import FORMATS, WireRequest, bridge

BUDGET = 0.25
"""Seconds that one figure may take."""
PIECES = 400
ROUNDS = 5
REQUEST_TARGET = 3.0
EVENTS_TARGET = 5_000.0
LISTENER_TARGET = 50.0

_TURNS = 30
_TOOLS = 24
_SPOKEN = {"antigravity": "gemini-cli"}
"""Formats whose streams are those of another."""


@dataclass(frozen=True, slots=True)
class Pair:
    client: str
    upstream: str
    request_ms: float
    events_per_second: float | None
    """None for a passthrough, whose stream is not translated."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A passthrough that reads along for usage and errors."""

    format: str
    megabytes_per_second: float


@dataclass(frozen=True, slots=True)
class Figures:
    request_bytes: int
    pairs: list[Pair]
    listeners: list[Listener]


def measure(tell: Callable[[str], None]) -> Figures:
    original = claude_code_request()
    requests = {name: _in_format(name, original) for name in FORMATS}
    streams = {name: _stream(name, PIECES) for name in FORMATS}
    pairs: list[Pair] = []
    for client in FORMATS:
        for upstream in FORMATS:
            tell(f"translators: {client} → {upstream}")
            request_ms = _seconds(lambda c=client, u=upstream: bridge(c, u).request(requests[c], "other-model")) * 1000
            events = None if client == upstream else _events(client, upstream, requests[client], streams[upstream])
            pairs.append(Pair(client, upstream, request_ms, events))
    listeners = [Listener(name, _listened(name, requests[name], streams[name])) for name in FORMATS]
    return Figures(len(original.body), pairs, listeners)


def claude_code_request() -> WireRequest:
    """About 120 KB."""
    system = [
        {
            "type": "text",
            "text": "You are an agent for software engineering. " * 300,
            "cache_control": {"type": "ephemeral"},
        }
    ]
    tools = [
        {
            "name": f"tool_{number}",
            "description": "Reads, writes or searches files of the project and explains its result. " * 15,
            "input_schema": {
                "type": "object",
                "properties": {
                    f"argument_{field}": {"type": "string", "description": "What this argument means to the tool."}
                    for field in range(10)
                },
                "required": ["argument_0"],
                "additionalProperties": False,
            },
        }
        for number in range(_TOOLS)
    ]
    messages: list[answers.Document] = [{"role": "user", "content": "Repair the failing test."}]
    for turn in range(_TURNS):
        call = {
            "type": "tool_use",
            "id": f"toolu_01{sha256(bytes([turn])).hexdigest()[:22]}",
            "name": f"tool_{turn % _TOOLS}",
        }
        content = "def function(argument: int) -> int:\n    return argument + 1\n" * 25
        messages += [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look at the next file."},
                    {**call, "input": {"argument_0": f"file_{turn}.py"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": content}]},
        ]
    body = {
        "model": "claude-bench",
        "max_tokens": 32_000,
        "stream": True,
        "system": system,
        "tools": tools,
        "messages": messages,
        "metadata": {"user_id": "bench"},
    }
    return WireRequest("POST", "/v1/messages", "", {}, orjson.dumps(body))


def _in_format(name: str, original: WireRequest) -> WireRequest:
    if name == "anthropic-messages":
        return original
    wire = bridge("anthropic-messages", name).request(original, "bench-model")
    return WireRequest("POST", wire.path, wire.query, {}, wire.body)


def _stream(name: str, pieces: int) -> list[bytes]:
    said = answers.Answer(
        pieces=tuple(f"word {number} of the answer " for number in range(pieces)),
        calls=(answers.Call("call_1", "tool_1", '{"argument_0": "file.py"}'),),
        thinking="I should read the file first.",
    )
    return answers.events(_SPOKEN.get(name, name), said, "bench-model")


def _events(client: str, upstream: str, request: WireRequest, events: list[bytes]) -> float:
    def translate() -> None:
        one = bridge(client, upstream)
        one.request(request, "other-model")
        for event in events:
            one.feed(event, "text/event-stream")
        one.close()
        assert one.finished, f"{client} → {upstream}: the stream was not understood"

    def only_ask() -> None:
        bridge(client, upstream).request(request, "other-model")

    return len(events) / (_seconds(translate) - _seconds(only_ask))


def _listened(name: str, request: WireRequest, events: list[bytes]) -> float:
    """Fed in pieces of 16 KB, as a fast network brings it."""
    data = b"".join(events)
    pieces = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]

    def listen() -> None:
        one = bridge(name, name)
        one.request(request)
        for piece in pieces:
            one.feed(piece, "text/event-stream")
        one.close()
        assert one.finished, f"{name}: the stream was not understood"

    def only_ask() -> None:
        bridge(name, name).request(request)

    return len(data) / (_seconds(listen) - _seconds(only_ask)) / 1e6


def _seconds(work: Callable[[], object]) -> float:
    """The median time of one call of ``work``."""
    began = time.perf_counter()
    work()
    once = time.perf_counter() - began
    times = max(1, int(BUDGET / ROUNDS / max(once, 1e-6)))
    samples: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        samples.append((time.perf_counter() - began) / times)
    return median(samples)
