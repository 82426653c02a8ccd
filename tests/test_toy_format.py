"""A new format is one file (``toy_format.py``) and one line (``ALL``), and speaks with all others at once."""

from dataclasses import replace

import pytest

from tests import hub_cases as cases
from tests.toy_format import Toy
from tests.wires import events_of, folded, stream_of, well_formed
from translators import FORMATS, Bridge, Format, Profile, WireRequest, hub
from translators.bridge import join
from translators.fold import unfold

ALL: dict[str, Format] = {**FORMATS, "toy": Toy()}
every_other = pytest.mark.parametrize("other", sorted(FORMATS))
SSE = "text/event-stream"


def bridge(client: str, upstream: str) -> Bridge:
    return join(ALL[client], ALL[upstream], Profile(), None)


def wire_of(name: str, request: hub.Request) -> WireRequest:
    return ALL[name].render_request(request, Profile(), [])


def _directions(other: str) -> list[tuple[str, str]]:
    return [("toy", other), (other, "toy"), ("toy", "toy")]


@every_other
def test_a_request_crosses(other: str) -> None:
    for client, upstream in _directions(other):
        wire = bridge(client, upstream).request(wire_of(client, cases.SYSTEM), "another")
        there = ALL[upstream].parse_request(wire)
        assert there.model == "another"
        assert cases.conversation(there) == cases.conversation(cases.SYSTEM)


@every_other
def test_what_a_toy_cannot_say_is_a_loss(other: str) -> None:
    joined = bridge(other, "toy")
    joined.request(wire_of(other, cases.TOOLS))
    assert {"a toy has no tools", "ToolCall: a toy says text alone"} <= {loss.reason for loss in joined.losses}


@every_other
@pytest.mark.parametrize("streams", [True, False])
def test_an_answer_crosses(other: str, streams: bool) -> None:
    for client, upstream in _directions(other):
        joined = bridge(client, upstream)
        joined.request(wire_of(client, replace(cases.PLAIN, stream=streams)), "a-model")
        source = ALL[upstream]
        if streams:
            data = stream_of(source, unfold(cases.TEXT_ANSWER), cases.PLAIN)
        else:
            data = source.render_response(cases.TEXT_ANSWER, cases.PLAIN, [])
        out = b"".join(joined.feed(data[at : at + 3], SSE if streams else "") for at in range(0, len(data), 3))
        out += joined.close()
        assert joined.failure is None
        back = folded(events_of(ALL[client], out)) if streams else ALL[client].parse_response(out)
        assert cases.said(back.parts) == cases.said(cases.TEXT_ANSWER.parts)
        assert (back.usage.input, back.usage.output, back.stop.reason) == (10, 5, "end")


@every_other
def test_a_cut_stream_ends_in_an_error_of_the_client(other: str) -> None:
    for client, upstream in _directions(other)[:2]:
        data = stream_of(ALL[upstream], unfold(cases.TEXT_ANSWER), cases.PLAIN)
        joined = bridge(client, upstream)
        joined.request(wire_of(client, replace(cases.PLAIN, stream=True)), "a-model")
        events = events_of(ALL[client], joined.feed(data[: len(data) // 2], SSE) + joined.close())
        well_formed(events)
        assert isinstance(events[-1], hub.Failed)


@every_other
def test_an_error_crosses(other: str) -> None:
    for client, upstream in _directions(other):
        sent = ALL[upstream].render_error(cases.FAILURES["rate limit"])
        answer = bridge(client, upstream).error(sent.status, sent.headers, sent.body)
        back = ALL[client].parse_error(answer.status, answer.headers, answer.body)
        assert back is not None
        assert (back.kind, back.message) == ("rate_limit", "slow down")
