"""A first target that fails, in each way and in each format: the client gets the second one's answer and no trace."""

import json
import socket
from collections.abc import Callable, Generator

import pytest

from tests.e2e.calls import ask, post, spoken
from tests.e2e.targets import routes, targets
from tests.servers import faults
from tests.servers.answers import FORMATS, Answer
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import Hangup, Say, Silence, Step, Stream, Whole, says

HELLO = Answer(pieces=("Never", " seen"))
JSON = {"content-type": "application/json"}
MANNERS = ("whole", "stream")


def _error_first(form: str, *, stream: bool) -> Step:
    if stream:
        return Say(HELLO, insert={0: faults.error_event(form)}, ends_there=True)
    return Whole(200, JSON, json.dumps(faults.document(form, 503, "overloaded_error", "Overloaded")).encode())


FAULTS: dict[str, Callable[[str, bool], Step]] = {
    "quota": lambda form, _: faults.quota(form),
    "throttle": lambda form, _: faults.throttle(form, 60),
    "server-error": lambda form, _: faults.server_error(form),
    "cut-before-the-first-event": lambda _, __: Say(HELLO, cut=0),
    "closed-before-the-first-event": lambda _, __: Say(HELLO, cut=0, cut_by="close"),
    "hangup": lambda _, __: Hangup(),
    "html": lambda _, __: faults.HTML,
    "empty": lambda _, __: faults.EMPTY,
    "empty-stream": lambda _, __: Stream(()),
    "not-its-format": lambda _, __: Whole(200, JSON, b'{"ok": true}'),
    "error-event-first": lambda form, stream: _error_first(form, stream=stream),
}
PAIRS = [(form, form) for form in FORMATS] + [("anthropic-messages", form) for form in FORMATS[1:]]
"""Client and first upstream: without translation, and with."""


def _healthy_format(client: str) -> str:
    return "openai-chat" if client != "openai-chat" else "anthropic-messages"


@pytest.fixture(scope="module")
def flaky() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def healthy() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def fallback_proxy(flaky: Provider, healthy: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    """The model names the case; every case has a first target of its own, because failed targets rest."""
    cases = [(fault, *pair, manner) for fault in FAULTS for pair in PAIRS for manner in MANNERS]
    firsts = [
        f"  {'-'.join(case)}: {{format: {case[2]}, base_url: '{flaky.url(case[2])}', auth: none}}" for case in cases
    ]
    lines = [targets(healthy=healthy).rstrip(), *firsts, "routes:"]
    for case in cases:
        name, second = "-".join(case), _healthy_format(case[1])
        lines.append(f"  - {{match: {{model: {name}}}, to: [{name}/first, healthy-{second}/second]}}")
    with running(tmp_path_factory.mktemp("fallback"), "\n".join(lines)) as proxy:
        yield proxy


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("pair", PAIRS, ids=" at ".join)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_second_target_answers(
    fault: str, pair: tuple[str, str], manner: str, flaky: Provider, healthy: Provider, fallback_proxy: Proxy
) -> None:
    flaky.forget()
    healthy.forget()
    stream = manner == "stream"
    flaky.script(FAULTS[fault](pair[1], stream))
    healthy.script(says("From", " the", " second."))
    response = post(fallback_proxy, ask(pair[0], "-".join((fault, *pair, manner)), stream=stream))
    assert spoken(pair[0], response) == "From the second."
    assert (len(flaky.calls), flaky.calls[0].model, healthy.call.model) == (1, "first", "second")


@pytest.mark.parametrize("manner", MANNERS)
def test_the_second_target_answers_when_nobody_listens_at_the_first(
    manner: str, provider: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    rules = f"{targets(up=provider)}  gone: {{format: gemini, base_url: 'http://127.0.0.1:{port}', auth: none}}\n"
    proxy = start_proxy(rules + routes("gone/m", "up-openai-chat/m"))
    response = post(proxy, ask("anthropic-messages", stream=manner == "stream"))
    assert spoken("anthropic-messages", response) == "Hello from upstream"


@pytest.mark.parametrize("manner", MANNERS)
def test_the_second_target_answers_when_the_first_stays_silent(
    manner: str, provider: Provider, second: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    provider.script(Silence())
    rules = targets(up=provider, other=second) + routes("up-gemini/m", "other-openai-chat/m")
    proxy = start_proxy(f"{rules}timeouts: {{first_event: 2, whole: 2}}\n")
    response = post(proxy, ask("anthropic-messages", stream=manner == "stream"))
    assert spoken("anthropic-messages", response) == "Hello from upstream"
    provider.call.wait_gone()


def test_a_short_throttle_is_waited_out(
    provider: Provider, second: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    provider.script(faults.throttle("openai-chat", 0), says("After", " a moment"))
    proxy = start_proxy(targets(up=provider, other=second) + routes("up-openai-chat/m", "other-openai-chat/m"))
    assert spoken("gemini", post(proxy, ask("gemini"))) == "After a moment"
    assert not second.calls


def test_a_target_whose_quota_is_gone_rests(
    provider: Provider, second: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    provider.script(faults.quota("openai-chat"))
    proxy = start_proxy(targets(up=provider, other=second) + routes("up-openai-chat/m", "other-openai-chat/m"))
    for _ in range(3):
        post(proxy, ask("openai-chat"))
    assert (len(provider.calls), len(second.calls)) == (1, 3)


def test_the_second_account_is_used_in_the_same_call(provider: Provider, start_proxy: Callable[..., Proxy]) -> None:
    provider.script(faults.quota("anthropic-messages"), says("With", " the spare."))
    proxy = start_proxy(
        f"""
providers:
  up: {{format: anthropic-messages, base_url: '{provider.url("anthropic-messages")}', auth: x-api-key}}
accounts:
  - {{name: main, provider: up, key: "${{MAIN}}"}}
  - {{name: spare, provider: up, key: "${{SPARE}}", priority: 2}}
{routes("up/m")}""",
        env={"MAIN": "key-of-main", "SPARE": "key-of-spare"},
    )
    response = post(proxy, ask("anthropic-messages", stream=True), x_api_key="sk-of-the-client")
    assert spoken("anthropic-messages", response) == "With the spare."
    assert [call.header("x-api-key") for call in provider.calls] == ["key-of-main", "key-of-spare"]


@pytest.mark.parametrize("client", FORMATS)
def test_after_the_first_text_a_cut_is_told_and_never_papered_over(
    client: str, provider: Provider, second: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    """The client has text of the first target: an answer of the second one must not follow it."""
    pieces = tuple(f"piece {number} " for number in range(6))
    provider.script(Say(Answer(pieces=pieces), cut=6))
    proxy = start_proxy(targets(up=provider, other=second) + routes("up-anthropic-messages/m", "other-openai-chat/m"))
    response = post(proxy, ask(client, stream=True))
    text = spoken(client, response)
    assert text
    assert "".join(pieces).startswith(text)
    assert b"rror" in response.content.rpartition(b"data: {")[2]
    assert not second.calls
