"""Who leaves while nothing is asked of anybody yet, and what a call that was left leaves behind: no place, no budget."""

import contextlib
import json
import socket
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.calls import Ask, ask, post, spoken
from tests.e2e.http2_client import connected
from tests.e2e.targets import routes
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE, Gate, Say, Silence, Step, Whole, says

type StartProxy = Callable[..., Proxy]
type Leaving = Callable[[Proxy, Ask], contextlib.AbstractContextManager[None]]

ANSWER = Answer(pieces=("First words of an answer ", "never"), input_tokens=100)
FORM = "openai-chat"
PRICED = "prices: {'m*': {input: 1000, output: 2000}}\n"
ROUND_TRIPS = 10


def rules(provider: Provider, rates: str = "") -> str:
    """One account of one provider for every call."""
    return (
        f"providers: {{up: {{format: {FORM}, base_url: '{provider.url(FORM)}', auth: bearer}}}}\n"
        f"accounts: [{{name: only, provider: up, key: k{rates}}}]\n" + routes("up/m")
    )


@contextlib.contextmanager
def by_http1(proxy: Proxy, asked: Ask) -> Generator[None]:
    """The call is under way inside the block, and its connection is closed at the end."""
    host = str(urlsplit(asked.url).hostname)
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        assert plain.recv(4096).startswith(b"HTTP/1.1 200")
        with proxy.trust.wrap_socket(plain, server_hostname=host) as sock:
            head = f"POST {asked.path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(asked.content)}\r\n\r\n"
            sock.sendall(head.encode() + asked.content)
            yield


@contextlib.contextmanager
def by_http2(proxy: Proxy, asked: Ask) -> Generator[None]:
    """The same, with a reset of the stream; the connection stays until somebody else was served on it."""
    with connected(proxy, asked) as connection:
        stream = connection.post(asked)
        yield
        connection.leave(stream)


versions = pytest.mark.parametrize("leaving", [by_http1, by_http2], ids=["http1", "http2"])
manners = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def seen_by(proxy: Proxy) -> None:
    """Go to the proxy and back so often that whatever came before is where it can get to."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
        for _ in range(ROUND_TRIPS):
            http.get(f"{proxy.gateway}/v1/models")


def recorded(home: Path, columns: str, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        return connection.execute(f"SELECT {columns} FROM {table} ORDER BY started").fetchall()


def held_inside() -> tuple[Step, Gate]:
    """Stops before the second piece."""
    gate = Gate()
    never = next(number for number, event in enumerate(events(FORM, ANSWER, "m")) if b"never" in event)
    return Say(ANSWER, gates={never: gate}), gate


@versions
@manners
def test_who_leaves_the_line_before_a_place_is_never_sent(
    provider: Provider, start_proxy: StartProxy, leaving: Leaving, *, stream: bool
) -> None:
    step, gate = held_inside()
    provider.script(step, says("Third"))
    proxy = start_proxy(rules(provider, ", rates: {concurrency: 1}"))
    answers: list[str] = []

    def call(word: str) -> Thread:
        asked = ask("anthropic-messages", stream=True, question=word)
        thread = Thread(target=lambda: answers.append(spoken(asked.format, post(proxy, asked))))
        thread.start()
        return thread

    holds = call("one")
    gate.wait_reached()
    with leaving(proxy, ask("anthropic-messages", stream=stream, question="two")):
        seen_by(proxy)
    seen_by(proxy)
    waits = call("three")
    gate.open()
    holds.join()
    waits.join()
    assert sorted(answers) == sorted((ANSWER.text, "Third"))
    assert [call.json["messages"][-1]["content"] for call in provider.calls] == ["one", "three"]
    assert proxy.stop() == 0
    assert sorted(recorded(proxy.home, "outcome, attempts", "exchanges")) == [
        ("client left", 0),
        ("done", 1),
        ("done", 1),
    ]


@versions
@manners
def test_who_leaves_while_a_throttle_is_waited_out_is_asked_for_no_more(
    provider: Provider, start_proxy: StartProxy, leaving: Leaving, *, stream: bool
) -> None:
    throttle = json.dumps({"error": {"message": "slow down", "type": "rate_limit_error"}}).encode()
    provider.script(Whole(429, {"retry-after": "2", "content-type": "application/json"}, throttle), says("Next"))
    proxy = start_proxy(rules(provider))
    with leaving(proxy, ask("anthropic-messages", stream=stream, question="left")):
        provider.wait_calls(1)
        seen_by(proxy)
    seen_by(proxy)
    asked = ask("anthropic-messages", question="next")
    assert spoken(asked.format, post(proxy, asked)) == "Next"
    assert [call.json["messages"][-1]["content"] for call in provider.calls] == ["left", "next"]
    proxy.stop()
    assert recorded(proxy.home, "outcome, attempts", "exchanges") == [("client left", 1), ("done", 1)]


@versions
@manners
def test_a_call_that_was_left_gives_its_place_and_its_budget_back(
    provider: Provider, start_proxy: StartProxy, leaving: Leaving, *, stream: bool
) -> None:
    """The account has one place, and the budget room for one call: the next call needs both."""
    provider.script(Silence(), says("Next"))
    budget = "budgets: [{name: cap, daily: 0.3, on_exceed: deny}]\n"
    proxy = start_proxy(rules(provider, ", rates: {concurrency: 1}") + PRICED + budget)
    asked = ask("anthropic-messages", stream=stream)
    with leaving(proxy, asked):
        left = provider.wait_calls(1)[0]
    left.wait_gone()
    assert spoken(asked.format, post(proxy, asked)) == "Next"
    proxy.stop()
    assert recorded(proxy.home, "outcome", "attempts") == [("cancelled",), ("used",)]


@versions
def test_what_came_before_the_client_left_is_in_the_books(
    provider: Provider, start_proxy: StartProxy, leaving: Leaving
) -> None:
    """As an estimate: the provider tells its tokens at the end, which never came."""
    step, gate = held_inside()
    provider.script(step)
    proxy = start_proxy(rules(provider) + PRICED)
    with leaving(proxy, ask("anthropic-messages", stream=True, question="word " * 80)):
        gate.wait_reached()
        seen_by(proxy)
    provider.call.wait_gone()
    proxy.stop()
    ((outcome, given, said, estimated, micro),) = recorded(
        proxy.home, "outcome, input, output, estimated, micro", "attempts"
    )
    assert (outcome, estimated) == ("used", 1)
    assert isinstance(given, int)
    assert isinstance(said, int)
    assert 80 <= given <= 120
    assert said == len("First words of an answer ") // 4
    assert micro == given * 1000 + said * 2000
