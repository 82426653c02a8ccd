"""Streaming is streaming: every piece is with the client before the upstream has said the next one. Gates, no clocks."""

from collections.abc import Generator

import httpx
import pytest

from tests.e2e.calls import HOSTS, ask, client
from tests.e2e.targets import targets
from tests.servers.answers import FORMATS, Answer, Call, events
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import Gate, Say

PIECES = ("alpha ", "beta ", "gamma ", "delta ")


@pytest.fixture(scope="module")
def upstream() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def streaming_proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    rules = "".join(f"  - {{match: {{model: to-{form}}}, to: up-{form}/m}}\n" for form in FORMATS)
    config = (
        f"{targets(up=upstream)}  anthropic: {{base_url: '{upstream.url('anthropic-messages')}'}}\nroutes:\n{rules}"
    )
    with running(tmp_path_factory.mktemp("streaming"), config) as proxy:
        yield proxy


def _position(form: str, answer: Answer, marker: str) -> int:
    """The number of the first event that says ``marker``."""
    said = events(form, answer, "m")
    return next(number for number, event in enumerate(said) if marker.encode() in event)


class Reader:
    """Reads a stream as far as a marker."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_raw()
        self.read = b""

    def until(self, marker: str) -> None:
        while marker.encode() not in self.read:
            self.read += next(self._chunks)


def _each_piece_in_its_time(proxy: Proxy, upstream: Provider, asked_by: str, form: str, model: str) -> None:
    upstream.forget()
    answer = Answer(pieces=PIECES)
    gates = [Gate() for _ in PIECES[1:]]
    at = {_position(form, answer, word): gate for word, gate in zip(PIECES[1:], gates, strict=True)}
    upstream.script(Say(answer, gates=at))
    asked = ask(asked_by, model, stream=True)
    with client(proxy) as one, one.stream("POST", asked.url, content=asked.content) as response:
        reader = Reader(response)
        for word, gate in zip(PIECES, gates, strict=False):
            reader.until(word.strip())
            gate.open()
        reader.until(PIECES[-1].strip())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("asked_by", FORMATS)
def test_each_piece_of_text_arrives_before_the_next_is_said(
    asked_by: str, form: str, upstream: Provider, streaming_proxy: Proxy
) -> None:
    _each_piece_in_its_time(streaming_proxy, upstream, asked_by, form, f"to-{form}")


def test_a_call_without_a_rule_streams_too(upstream: Provider, streaming_proxy: Proxy) -> None:
    _each_piece_in_its_time(streaming_proxy, upstream, "anthropic-messages", "anthropic-messages", "claude-x")


@pytest.mark.parametrize("form", [form for form in FORMATS if "gemini" not in form])
@pytest.mark.parametrize("asked_by", [form for form in FORMATS if "gemini" not in form])
def test_half_of_a_tool_calls_arguments_arrives_before_the_other(
    asked_by: str, form: str, upstream: Provider, streaming_proxy: Proxy
) -> None:
    """Gemini says a call's arguments in one piece."""
    upstream.forget()
    answer = Answer(calls=(Call("call_1", "write", '{"first": 11111, "other": 22222}'),))
    gate = Gate()
    upstream.script(Say(answer, gates={_position(form, answer, "22222"): gate}))
    asked = ask(asked_by, f"to-{form}", stream=True)
    with client(streaming_proxy) as one, one.stream("POST", asked.url, content=asked.content) as response:
        reader = Reader(response)
        reader.until("11111")
        gate.open()
        reader.until("22222")


def test_every_format_has_a_vendor_to_call() -> None:
    assert set(HOSTS) == set(FORMATS)
