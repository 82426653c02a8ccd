"""What an exchange keeps from providers, records and observers."""

from dataclasses import replace

import pytest

from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import (
    CHAT,
    CLAUDE,
    CLIENT_HEADERS,
    BrokenError,
    Collected,
    Stage,
    claude,
    failure,
    rules,
    scene,
)
from tests.omniroute_addon.loopback import Provider
from tests.servers import faults

GOOD = loopback.stream(*CHAT)
CLAUDE_GOOD = loopback.stream(*CLAUDE)
ERROR_HEAD = ("content-type: application/json",)
BROKEN = failure(faults.server_error("openai-chat"))


@pytest.mark.parametrize(
    "target, key", [("a", "authorization"), ("c", "x-api-key"), ("g", "x-goog-api-key")], ids=["chat", "same", "gemini"]
)
def test_no_credential_of_the_client_reaches_another_provider(target: str, key: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        await on.ask()
        for sent in (*one.received, *two.received):
            assert "client-canary" not in f"{sent.target} {sent.headers} {sent.body!r}"
            assert {name.lower() for name, _ in sent.headers} <= {
                "host",
                "content-length",
                "content-type",
                "accept-encoding",
                "user-agent",
                "anthropic-version",
                key,
            }
            assert (sent.header(key) or "").removeprefix("Bearer ") == f"key-canary-{target}-1"

    scene(main, [BROKEN], [BROKEN], f"{target}/m")


def test_no_credential_stands_in_a_record() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        await on.ask()
        assert len(on.record.attempts) == 2
        assert "canary" not in f"{on.record} {on.record.summary()}"
        for attempt in on.record.attempts:
            assert b"canary" not in attempt.response_body.content()

    scene(main, [BROKEN], [GOOD], "origin, b/m")


def test_a_key_that_a_provider_repeats_in_its_error_is_told_to_nobody() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        assert b"canary" not in got.body
        assert b"[redacted]" in got.body
        assert all(b"canary" not in attempt.response_body.content() for attempt in on.record.attempts)
        assert "canary" not in f"{on.record}"

    echo = [
        loopback.json(401, f'{{"error":{{"message":"bad key key-canary-a-{n}","type":"x"}}}}'.encode()) for n in (1, 2)
    ]
    scene(main, echo, [], "a/m")


def test_geminis_query_key_is_neither_sent_on_nor_recorded() -> None:
    path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=client-canary-query"
    body = b'{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}'

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        call = replace(claude(body, path=path), format="gemini", model="gemini-2.5-pro", streaming=True)
        await on.ask(call)
        assert two.last.target == "/v1beta/models/m:streamGenerateContent?alt=sse"
        assert "client-canary" not in f"{on.record}"

    scene(main, [], [BROKEN], "g/m")


def test_geminis_query_key_goes_to_the_clients_own_provider_and_is_redacted_in_the_record() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask(claude(path="/v1/messages?key=client-canary-query"))
        assert one.last.target == "/v1/messages?key=client-canary-query"
        assert on.record.attempts[0].url.endswith("?key=[redacted]")

    scene(main, [CLAUDE_GOOD], [], "origin")


def test_an_observer_that_fails_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def attempt_started(self, *_: object) -> None:
            raise BrokenError

        attempt_ended = exchange_ended = attempt_started

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        exchange = on.exchange(claude())
        exchange._observer = Failing()
        sink = Collected()
        await exchange.run(sink)
        assert (sink.status, sink.ended) == (200, "finished")

    scene(main, [GOOD], [])
    assert "could not be shown" in caplog.text


def test_the_stages_own_rules_are_sound() -> None:
    assert len(CLIENT_HEADERS) == 7
    assert not rules("a/m", a="http://127.0.0.1:9").warnings
