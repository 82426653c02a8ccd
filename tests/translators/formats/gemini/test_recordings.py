"""Every recorded call and every captured client request, when the shared folder is there."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from translators import hub
from translators.fold import Fold, unfold
from translators.format import Format, Profile, WireRequest
from translators.formats.gemini import Gemini
from translators.formats.gemini_cli import GeminiCLI

SHARED = Path(__file__).parents[5] / "shared"
RECORDINGS = SHARED / "recordings" / "open-gemini.jsonl"
CAPTURES = [SHARED / "client-requests" / name for name in ("gemini-cli.jsonl", "opencode.jsonl")]

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason="the shared recordings are not there")


def recorded() -> Iterator[dict[str, Any]]:
    with RECORDINGS.open() as lines:
        yield from map(json.loads, lines)


def wire_of(call: dict[str, Any]) -> WireRequest:
    uri = urlsplit(call["uri"])
    query = uri.query or ("alt=sse" if call["stream"] else "")
    return WireRequest(path=uri.path, query=query, body=json.dumps(call["request"]).encode())


def captured() -> Iterator[tuple[Format, WireRequest]]:
    for file in CAPTURES:
        with file.open() as lines:
            for capture in map(json.loads, lines):
                path, _, query = capture["path"].partition("?")
                if path.endswith("enerateContent"):
                    body = json.dumps(capture["body"]).encode()
                    client = GeminiCLI() if "v1internal" in path else Gemini()
                    yield client, WireRequest(path=path, query=query, body=body)


def meaning(request: hub.Request) -> hub.Request:
    """The request with neighbouring turns of one role put together, as rendering does."""
    turns: list[hub.Message] = []
    for message in request.messages:
        if turns and turns[-1].role == message.role:
            turns[-1] = replace(message, parts=(*turns[-1].parts, *message.parts))
        else:
            turns.append(message)
    return replace(request, messages=tuple(turns))


def folded(events: list[hub.Event]) -> hub.Response:
    fold = Fold()
    for event in events:
        fold.add(event)
    assert fold.failure is None
    return fold.response()


def answer_of(call: dict[str, Any]) -> hub.Response:
    body = call["response"].encode()
    if not call["stream"]:
        return Gemini().parse_response(body)
    parser = Gemini().stream_parser()
    return folded([*parser.feed(body), *parser.close()])


def test_requests_survive_the_round_trip_without_a_loss() -> None:
    losses: list[hub.Loss] = []
    for call in recorded():
        request = Gemini().parse_request(wire_of(call))
        again = Gemini().parse_request(Gemini().render_request(request, Profile(), losses))
        assert meaning(again) == meaning(request), call["id"]
    assert losses == []


def test_captured_client_requests_survive_the_round_trip() -> None:
    for client, wire in captured():
        losses: list[hub.Loss] = []
        request = client.parse_request(wire)
        rendered = client.render_request(request, Profile(), losses)
        assert rendered.path == wire.path
        assert meaning(client.parse_request(rendered)) == meaning(request)
        assert losses == []


@pytest.mark.parametrize("client", [Gemini(), GeminiCLI()], ids=lambda client: client.name)
def test_answers_survive_the_round_trip(client: Format) -> None:
    for call in recorded():
        if call["status"] != 200:
            continue
        response = answer_of(call)
        asked = hub.Request("m", ())
        renderer = client.stream_renderer(asked, [])
        out = b"".join(renderer.render(event) for event in unfold(response)) + renderer.close()
        parser = client.stream_parser()
        streamed = folded([*parser.feed(out), *parser.close()])
        whole = client.parse_response(client.render_response(response, asked, []))
        expected = replace(response, created=None)
        assert streamed == expected, call["id"]
        assert whole == expected, call["id"]


def test_recorded_errors_are_failures() -> None:
    kinds = [
        failure.kind
        for call in recorded()
        if call["status"] != 200 and (failure := Gemini().parse_error(call["status"], {}, call["response"].encode()))
    ]

    assert kinds == ["not_found", "invalid_request"]
