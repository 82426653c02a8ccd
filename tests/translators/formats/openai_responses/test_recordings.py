"""Captured traffic: the golden cases of this repository always, the full recordings and client requests where they are."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from openai.types.responses import Response

from translators import hub
from translators.fold import Fold
from translators.format import Profile, WireRequest
from translators.formats.openai_responses import OpenAIResponses
from translators.hub import JSON

FORMAT = OpenAIResponses()
ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "openai-responses"
SHARED = ROOT.parent / "shared"

STREAMS = sorted(GOLDEN.glob("*/stream.bin"))
REQUESTS = sorted(GOLDEN.glob("*/request.json"))


def lines(path: Path) -> list[dict[str, JSON]]:
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return [json.loads(line) for line in path.read_text().splitlines()]


def parse(data: bytes, size: int) -> list[hub.Event]:
    parser = FORMAT.stream_parser()
    events: list[hub.Event] = []
    for start in range(0, len(data), size):
        events += parser.feed(data[start : start + size])
    return events + parser.close()


def fold(events: list[hub.Event]) -> hub.Response:
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded.response()


def last_event(data: bytes) -> dict[str, JSON]:
    return [json.loads(line[5:]) for line in data.decode().splitlines() if line.startswith("data: {")][-1]


def comparable(response: hub.Response) -> hub.Response:
    """Ciphertexts and ids of reasoning differ between ``output_item.done`` and the last event of the same stream."""
    parts = tuple(
        replace(part, signature=None, extra={}) if isinstance(part, hub.Thinking) else part for part in response.parts
    )
    return replace(response, parts=parts)


def request_of(body: JSON) -> hub.Request:
    return FORMAT.parse_request(WireRequest(body=json.dumps(body).encode()))


def settled(response: hub.Response) -> hub.Response:
    """With the counts and the id as every answer of ours has them."""
    identity = response.id if response.id.startswith("resp") else f"resp_{response.id}"
    usage = replace(response.usage, cache_write=response.usage.cache_write or 0)
    stop = replace(response.stop, raw=None)
    return replace(response, id=identity, usage=usage, stop=stop)


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.parent.name)
def test_any_split_of_a_captured_stream_gives_the_same_events(path: Path) -> None:
    data = path.read_bytes()
    assert parse(data, 1) == parse(data, len(data))


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.parent.name)
def test_a_captured_stream_folds_to_its_last_event(path: Path) -> None:
    data = path.read_bytes()
    whole = FORMAT.parse_response(json.dumps(last_event(data)["response"]).encode())
    assert comparable(fold(parse(data, len(data)))) == comparable(whole)


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.parent.name)
def test_a_captured_stream_survives_being_rendered_again(path: Path) -> None:
    data = path.read_bytes()
    events = parse(data, len(data))
    renderer = FORMAT.stream_renderer(request_of(json.loads((path.parent / "request.json").read_text())), [])
    again = b"".join([renderer.render(event) for event in events]) + renderer.close()
    assert comparable(settled(fold(parse(again, len(again))))) == comparable(settled(fold(events)))


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.parent.name)
def test_a_captured_stream_cut_anywhere_ends_in_a_failure_with_no_part_open(path: Path) -> None:
    data = path.read_bytes()
    end = data.index(b'{"type":"response.completed"')
    for cut in range(0, end, 97):
        events = parse(data[:cut], max(1, cut))
        started = [event.index for event in events if isinstance(event, hub.PartStarted)]
        ended = [event.index for event in events if isinstance(event, hub.PartEnded)]
        assert isinstance(events[-1], hub.Failed)
        assert sorted(started) == sorted(ended)


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.parent.name)
def test_a_captured_request_comes_back_as_it_was(path: Path) -> None:
    body = json.loads(path.read_text())
    losses: list[hub.Loss] = []
    again = json.loads(FORMAT.render_request(request_of(body), Profile(), losses).body)
    assert (again, losses) == (without_defaults(body), [])


def test_every_recorded_whole_answer_is_rendered_as_the_official_sdk_wants_it() -> None:
    for record in lines(SHARED / "recordings" / "open-openai-responses.jsonl"):
        if record["stream"] or record["status"] != 200:
            continue
        body = str(record["response"]).encode()
        parsed = FORMAT.parse_response(body)
        rendered = FORMAT.render_response(parsed, request_of(record_request(record)), [])
        Response.model_validate_json(rendered)
        assert settled(FORMAT.parse_response(rendered)) == settled(parsed)


def test_every_recorded_stream_is_rendered_as_the_official_sdk_wants_it() -> None:
    for record in lines(SHARED / "recordings" / "open-openai-responses.jsonl"):
        if not record["stream"]:
            continue
        data = str(record["response"]).encode()
        events = parse(data, len(data))
        renderer = FORMAT.stream_renderer(request_of(record_request(record)), [])
        again = b"".join([renderer.render(event) for event in events]) + renderer.close()
        Response.model_validate(last_event(again)["response"])
        assert comparable(settled(fold(parse(again, len(again))))) == comparable(settled(fold(events)))


def test_every_recorded_error_is_a_failure_and_no_answer_is() -> None:
    for record in lines(SHARED / "recordings" / "open-openai-responses.jsonl"):
        status = record["status"]
        assert isinstance(status, int)
        failure = FORMAT.parse_error(status, {}, str(record["response"]).encode())
        assert (failure is None) == (status == 200)


def test_every_recorded_request_comes_back_as_it_was() -> None:
    for record in lines(SHARED / "recordings" / "open-openai-responses.jsonl"):
        body = record_request(record)
        losses: list[hub.Loss] = []
        again = json.loads(FORMAT.render_request(request_of(body), Profile(), losses).body)
        assert (again, losses) == (without_defaults(body), [])


@pytest.mark.parametrize("name", ["codex", "opencode"])
def test_every_request_of_a_real_client_comes_back_as_it_was(name: str) -> None:
    for record in lines(SHARED / "client-requests" / f"{name}.jsonl"):
        body = record["body"]
        if not isinstance(body, dict) or "/v1/responses" not in str(record["path"]):
            continue
        losses: list[hub.Loss] = []
        again = json.loads(FORMAT.render_request(request_of(body), Profile(), losses).body)
        assert (again, losses) == (body, [])


def record_request(record: dict[str, JSON]) -> dict[str, JSON]:
    body = record["request"]
    parsed = json.loads(body) if isinstance(body, str) else body
    assert isinstance(parsed, dict)
    return parsed


def without_defaults(body: dict[str, JSON]) -> dict[str, JSON]:
    """The body without members that say what their absence says."""
    kept = {
        name: value for name, value in body.items() if (name, value) not in (("stream", False), ("instructions", ""))
    }
    if isinstance(tools := body.get("tools"), list):
        kept["tools"] = [
            {name: value for name, value in tool.items() if (name, value) != ("description", None)}
            for tool in tools
            if isinstance(tool, dict)
        ]
    if isinstance(reasoning := body.get("reasoning"), dict):
        kept["reasoning"] = {name: value for name, value in reasoning.items() if (name, value) != ("effort", None)}
    return kept
