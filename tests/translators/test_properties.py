"""What holds for every registered format and every conversation: nothing is lost in silence, and nothing is invented.

``known`` reduces a request to named facts. A fact that is gone on the other side needs a loss that speaks of it; a fact
that was not there before is an invention, which only the upstream's own rules can excuse, and a loss must say so.
"""

import json
import re
from collections import Counter
from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests import hub_cases as cases
from tests.translators import conversations
from tests.wires import events_of, folded, stream_of, well_formed, wire_of
from translators import FORMATS, Passthrough, Profile, Unsupported, bridge, hub

NAMES = sorted(FORMATS)
PAIRS = list(product(NAMES, NAMES))
every_format = pytest.mark.parametrize("name", NAMES)
every_pair = pytest.mark.parametrize("client, upstream", PAIRS)
thorough = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
quick = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

type Fact = tuple[str, ...]

EXPLAINS = {
    "media": r"image|audio|video|document|file|media|sound|picture",
    "thinking": r"reason|thought|thinking|signature",
    "description": r"description|tool",
    "custom": r"custom|grammar",
    "error": r"error|failed",
    "output": r"schema|output|json|structured|response",
    "max_tokens": r"max_tokens|limit|tokens",
}
"""Words of a loss that explain why a fact of this kind is gone; any other kind goes by its own name."""


def known(request: hub.Request) -> Counter[Fact]:
    facts: Counter[Fact] = Counter()
    for message in request.messages:
        for part in message.parts:
            facts.update(_of_part(part))
    for tool in request.tools:
        if isinstance(tool, hub.Tool):
            facts["tool", tool.name] += 1
            if tool.description:
                facts["description", tool.name, tool.description] += 1
    for name in (
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "verbosity",
    ):
        if (value := getattr(request, name)) is not None:
            facts[name, str(value)] += 1
    facts.update(("stop", word) for word in request.stop)
    if request.output is not None:
        facts["output", str(request.output.schema is not None)] += 1
    if request.tool_choice is not None and request.tool_choice.mode != "auto":
        facts["tool_choice", request.tool_choice.mode, request.tool_choice.name or ""] += 1
    return facts


def _of_part(part: hub.Part) -> list[Fact]:
    match part:
        case hub.Text(text):
            return [("text", line) for line in text.split("\n") if line.strip()]
        case hub.Thinking(text):
            return [("thinking", text)] if text.strip() else []
        case hub.ToolCall(name=name, arguments=arguments, custom=custom):
            return [("call", name, arguments if custom else _canonical(arguments))]
        case hub.ToolResult(parts=inner, error=error):
            return [("result", _joined(inner)), *([("error", _joined(inner))] if error else [])]
        case hub.Media(kind=kind, data=data, url=url):
            return [("media", kind, data or url or "file")]
        case _:
            return []


def _joined(parts: tuple[hub.Text | hub.Media | hub.ToolReference | hub.Opaque, ...]) -> str:
    return "".join(part.text for part in parts if isinstance(part, hub.Text))


def _canonical(arguments: str) -> str:
    return json.dumps(json.loads(arguments), sort_keys=True)


def unexplained(gone: Counter[Fact], losses: list[hub.Loss]) -> list[Fact]:
    said = [f"{loss.path} {loss.reason}" for loss in losses]
    return [
        fact
        for fact in gone
        if not any(re.search(EXPLAINS.get(fact[0], fact[0]), line, re.IGNORECASE) for line in said)
    ]


@every_format
@given(request=conversations.requests())
@thorough
def test_a_request_loses_nothing_in_silence_and_gains_nothing(name: str, request: hub.Request) -> None:
    losses: list[hub.Loss] = []
    format_ = FORMATS[name]
    joined = bridge("openai-chat" if name != "openai-chat" else "gemini", name)
    adapted = joined._tools.lower(request, losses) if not isinstance(joined, Passthrough) else request
    back = format_.parse_request(format_.render_request(adapted, Profile(), losses))
    before, after = known(adapted), known(back)
    assert unexplained(before - after, losses) == []
    assert list(after - before) == [] or any("invented" in loss.reason for loss in losses)


@every_format
@given(data=st.data())
@thorough
def test_an_answer_is_the_same_whole_and_streamed_and_in_pieces(name: str, data: st.DataObject) -> None:
    answer = data.draw(conversations.answers())
    events = data.draw(conversations.events(answer))
    format_ = FORMATS[name]
    losses: list[hub.Loss] = []
    whole = format_.parse_response(format_.render_response(answer, cases.TOOLS, losses))
    stream = stream_of(format_, events, cases.TOOLS)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    read = events_of(format_, stream, cuts)
    well_formed(read)
    assert _heard(folded(read)) == _heard(folded(events_of(format_, stream)))
    assert _heard(folded(read)) == _heard(whole)


@every_pair
@given(data=st.data())
@quick
def test_an_answer_crosses_without_loss_or_invention(client: str, upstream: str, data: st.DataObject) -> None:
    answer = data.draw(conversations.answers())
    streams = data.draw(st.booleans())
    joined = bridge(client, upstream)
    asked = wire_of(client, cases.TOOLS if streams else cases.PLAIN)
    joined.request(asked, "a-model")
    assume(streams or not isinstance(joined, Passthrough))
    sent = stream_of(FORMATS[upstream], data.draw(conversations.events(answer)), cases.TOOLS)
    size = data.draw(st.sampled_from([1, 7, len(sent)]))
    out = b"".join([joined.feed(sent[at : at + size], "text/event-stream") for at in range(0, len(sent), size)])
    out += joined.close()
    assert joined.failure is None
    there = folded(events_of(FORMATS[upstream], sent))
    here = folded(events_of(FORMATS[client], out)) if streams else FORMATS[client].parse_response(out)
    assert _heard(here)[:3] == _heard(there)[:3]
    before, after = Counter(_thoughts(there)), Counter(_thoughts(here))
    assert unexplained(Counter({("thinking", fact): 1 for fact in before - after}), joined.losses) == []
    assert not after - before


def _heard(answer: hub.Response) -> tuple[str, list[tuple[str, str]], tuple[str, int | None, int | None], list[str]]:
    """Text and reasoning joined, because formats cut parts differently."""
    text = "".join(part.text for part in answer.parts if isinstance(part, hub.Text))
    calls = [(part.name, _canonical(part.arguments)) for part in answer.parts if isinstance(part, hub.ToolCall)]
    return text, calls, (answer.stop.reason, answer.usage.input, answer.usage.output), ["".join(_thoughts(answer))]


def _thoughts(answer: hub.Response) -> list[str]:
    """Without white space: a format with one field for all reasoning sets its pieces apart."""
    joined = "".join(part.text for part in answer.parts if isinstance(part, hub.Thinking))
    return ["".join(joined.split())] if joined.strip() else []


@every_pair
@given(request=conversations.requests())
@quick
def test_a_request_crosses_with_every_text_call_and_function(client: str, upstream: str, request: hub.Request) -> None:
    wire = wire_of(client, request)
    asked = FORMATS[client].parse_request(wire)
    joined = bridge(client, upstream)
    try:
        sent = joined.request(wire, "a-model")
    except Unsupported:
        assume(False)
        raise
    back = FORMATS[upstream].parse_request(sent)
    before, after = known(asked), known(back)
    gone = Counter(
        {fact: count for fact, count in (before - after).items() if fact[0] in {"text", "call", "tool", "result"}}
    )
    if "custom" in {word for loss in joined.losses for word in loss.reason.split()}:
        gone = Counter({fact: count for fact, count in gone.items() if fact[0] != "call"})
    assert list(gone) == []
    invented = [
        fact for fact in after - before if fact[0] in {"text", "tool", "seed", "stop", "temperature", "max_tokens"}
    ]
    assert invented == [] or any("invented" in loss.reason for loss in joined.losses)


@every_pair
@given(data=st.data())
@quick
def test_a_stream_that_is_cut_anywhere_ends_well_formed(client: str, upstream: str, data: st.DataObject) -> None:
    answer = data.draw(conversations.answers())
    sent = stream_of(FORMATS[upstream], data.draw(conversations.events(answer)), cases.TOOLS)
    sent = sent[: data.draw(st.integers(0, len(sent)))]
    joined = bridge(client, upstream)
    joined.request(wire_of(client, cases.TOOLS), "a-model")
    out = joined.feed(sent, "text/event-stream") + joined.close()
    if isinstance(joined, Passthrough):
        assert sent.startswith(out)
    if joined.failure is not None:
        out += joined.fail(joined.failure)
    events = events_of(FORMATS[client], out)
    well_formed(events)
    assert isinstance(events[-1], hub.Failed) == (joined.failure is not None)
