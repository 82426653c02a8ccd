"""Counts on their way: who must be told something is told an estimate first, and nobody takes one for the truth."""

import json
from dataclasses import replace

import pytest

from tests.matrix import wire
from translators import FORMATS, Profile, WireRequest, bridge, hub
from translators.bridge import Bridge
from translators.estimate import input_tokens

CLAUDE = "anthropic-messages"
COUNTED = hub.Usage(input=1000, output=70, cache_read=900, reasoning=20)
ASKED = hub.Request("m", (hub.Message("user", (hub.Text("Tell me everything."),)),), max_tokens=100, stream=True)
UPSTREAMS = sorted(FORMATS)
OTHERS = sorted(set(FORMATS) - {CLAUDE})


def asked(client: str) -> WireRequest:
    return FORMATS[client].render_request(ASKED, Profile(), [])


def stream(upstream: str, usage: hub.Usage | None) -> bytes:
    renderer = FORMATS[upstream].stream_renderer(replace(ASKED, stream_usage=usage is not None), [])
    events: list[hub.Event] = [
        hub.Started("r-0123456789abcdef", "m"),
        hub.PartStarted(0, hub.Text("")),
        hub.PartDelta(0, hub.TextDelta("Yes.")),
        hub.PartEnded(0),
        *([hub.UsageReported(usage)] if usage else []),
        hub.Finished(hub.Stop("end")),
    ]
    return b"".join(map(renderer.render, events)) + renderer.close()


def told(joined: Bridge, answer: bytes) -> list[dict[str, int]]:
    """What a Claude client is told, first and last."""
    out = joined.feed(answer, "text/event-stream") + joined.close()
    events = [json.loads(data) for data in wire.sse(out.decode())]
    start = next(event["message"]["usage"] for event in events if event["type"] == "message_start")
    return [start, next(event["usage"] for event in events if event["type"] == "message_delta")]


@pytest.mark.parametrize("upstream", OTHERS)
def test_a_claude_client_is_told_an_estimate_and_then_the_true_figures(upstream: str) -> None:
    joined = bridge(CLAUDE, upstream)
    joined.request(asked(CLAUDE), "m")
    first, last = told(joined, stream(upstream, COUNTED))
    assert first["input_tokens"] == input_tokens(ASKED)
    assert (last["input_tokens"], last["cache_read_input_tokens"], last["output_tokens"]) == (100, 900, 70)
    assert (joined.usage.input, joined.usage.output, joined.usage.estimated) == (1000, 70, False)


@pytest.mark.parametrize("upstream", ["openai-chat", "gemini"])
def test_what_a_client_is_told_for_want_of_a_report_is_nobody_s_usage(upstream: str) -> None:
    joined = bridge(CLAUDE, upstream)
    joined.request(asked(CLAUDE), "m")
    first, last = told(joined, stream(upstream, None))
    assert first["input_tokens"] == last["input_tokens"] == input_tokens(ASKED)
    assert joined.usage == hub.Usage()


@pytest.mark.parametrize("client", [CLAUDE, "openai-chat"])
def test_counts_of_an_answer_that_has_not_ended_are_estimates(client: str) -> None:
    whole = FORMATS[CLAUDE].stream_renderer(ASKED, [])
    start = whole.render(hub.Started("msg_0123456789abcdef", "m"))
    joined = bridge(client, CLAUDE)
    joined.request(asked(client), "m")
    joined.feed(start, "text/event-stream")
    joined.close()
    assert joined.usage.input == input_tokens(ASKED)
    assert joined.usage.estimated
    assert joined.failure is not None


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_counts_of_an_answer_that_has_ended_are_none(upstream: str) -> None:
    joined = bridge(upstream, upstream)
    joined.request(asked(upstream), "m")
    joined.feed(stream(upstream, COUNTED), "text/event-stream")
    joined.close()
    assert (joined.usage.input, joined.usage.output, joined.usage.estimated) == (1000, 70, False)
