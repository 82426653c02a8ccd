"""SIGTERM with calls under way: what ends in time is finished, the rest gets its format's own error; exit code 0."""

import signal
import threading
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.calls import ask, client, events, said_error
from tests.e2e.targets import routes, targets
from tests.servers.answers import FORMATS, Answer
from tests.servers.answers import events as said_by
from tests.servers.provider import Provider
from tests.servers.proxy import STOP_SECONDS, Proxy
from tests.servers.steps import Gate, Say

type StartProxy = Callable[..., Proxy]

ANSWER = Answer(pieces=("Half ", "whole."))
STORM = 10_000


def _held_by(gate: Gate, form: str) -> Say:
    said = said_by(form, ANSWER, "m")
    return Say(ANSWER, gates={next(number for number, event in enumerate(said) if b"whole." in event): gate})


def _rest(proxy: Proxy, response: httpx.Response, gate: Gate | None) -> bytes:
    """What the stream says from its first piece on, when SIGTERM comes after that piece."""
    chunks = response.iter_raw()
    read = b""
    while b"Half" not in read:
        read += next(chunks)
    proxy.process.send_signal(signal.SIGTERM)
    if gate is not None:
        gate.open()
    return read + b"".join(chunks)


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat"], ids=["passthrough", "translated"])
def test_a_stream_that_ends_in_time_is_whole(form: str, provider: Provider, start_proxy: StartProxy) -> None:
    gate = Gate()
    provider.script(_held_by(gate, form))
    proxy = start_proxy(targets(up=provider) + routes(f"up-{form}/m"))
    asked = ask("anthropic-messages", stream=True)
    with client(proxy) as http, http.stream("POST", asked.url, content=asked.content) as response:
        read = _rest(proxy, response, gate)
    assert (b"whole." in read, b"message_stop" in read) == (True, True)
    assert proxy.process.wait(STOP_SECONDS) == 0


@pytest.mark.parametrize("asked_by", FORMATS)
def test_a_stream_that_does_not_end_gets_an_error_event(
    asked_by: str, provider: Provider, start_proxy: StartProxy
) -> None:
    form = "openai-chat" if asked_by != "openai-chat" else "gemini"
    provider.script(_held_by(Gate(), form))
    proxy = start_proxy(targets(up=provider) + routes(f"up-{form}/m"))
    asked = ask(asked_by, stream=True)
    with client(proxy) as http, http.stream("POST", asked.url, content=asked.content) as response:
        read = _rest(proxy, response, None)
    assert said_error(asked_by, events(read)[-1])
    assert proxy.process.wait(STOP_SECONDS) == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_without_an_answer_gets_an_overload_that_sdks_retry(
    provider: Provider, start_proxy: StartProxy, *, stream: bool
) -> None:
    provider.script(Say(ANSWER, gates={0: Gate()}))
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"))
    asked = ask("anthropic-messages", stream=stream)

    def stop() -> None:
        provider.wait_calls(1)
        proxy.process.send_signal(signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with client(proxy) as http:
        response = http.post(asked.url, content=asked.content)
    stopper.join()
    assert response.status_code == 529
    assert said_error("anthropic-messages", response.json())
    assert proxy.process.wait(STOP_SECONDS) == 0


def test_a_storm_of_signals_changes_nothing(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"))
    for _ in range(STORM):
        proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(STOP_SECONDS) == 0
