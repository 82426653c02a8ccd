"""What the client is told when nobody answers; when two attempts fail beside each other, see test_hedge.py."""

import orjson

from omniroute_addon.engine.call import Call
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT, WHOLE, Stage, claude, failure, scene
from tests.omniroute_addon.loopback import Provider
from tests.servers import faults

GOOD = loopback.stream(*CHAT)


def test_a_request_that_cannot_be_read_is_a_400_when_there_is_no_other_target() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask(claude(b"[]"))
        assert (got.status, one.received, two.received) == (400, [], [])

    scene(main, [], [], "b/m")


def test_a_refusal_that_everybody_would_give_goes_straight_back() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (got.status, two.received) == (400, [])
        assert "temperature" in orjson.loads(got.body)["error"]["message"]

    refusal = b'{"error":{"message":"temperature must be a number","type":"invalid_request_error"}}'
    scene(main, [loopback.json(400, refusal)], [GOOD])


def test_exhausted_quotas_are_a_429_with_the_soonest_reset() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        assert got.status == 429
        assert 1700 <= int(got.header("retry-after") or 0) <= 1800
        message = orjson.loads(got.body)["error"]["message"]
        assert all(name in message for name in ("c/m (c-1)", "c/m (c-2)", "g/m (g-1)", "g/m (g-2)"))

    first, second = faults.quota("anthropic-messages", 3600), faults.quota("gemini", 1800)
    scene(main, [failure(first)], [failure(second)], "c/m, g/m")


def test_the_clients_own_providers_error_comes_back_as_it_was() -> None:
    error = faults.quota("anthropic-messages")

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        assert (got.status, got.body) == (429, error.body)
        assert got.header("anthropic-ratelimit-unified-status") == "rejected"

    scene(main, [failure(error)], [], "origin")


def test_a_refused_login_of_the_tool_goes_back_to_it() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (got.status, two.received) == (401, [])
        assert on.record.outcome == "failed: OAuth token has expired"

    error = faults.failure("anthropic-messages", 401, "authentication_error", "OAuth token has expired")
    scene(main, [failure(error)], [GOOD], "origin, b/m")


def test_a_redirect_of_the_clients_own_provider_is_the_clients_to_follow() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        assert (got.status, got.header("location")) == (307, "https://eu.api.anthropic.com/v1/messages")

    location = "location: https://eu.api.anthropic.com/v1/messages"
    scene(main, [loopback.answer(307, b"", location)], [], "origin")


def test_another_providers_error_brings_no_cookies() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        assert (got.status, got.header("set-cookie"), got.header("alt-svc")) == (400, None, None)

    error = faults.failure("anthropic-messages", 400, "invalid_request_error", "no", set_cookie="a=1", alt_svc="h3")
    scene(main, [failure(error)], [], "c/m")


def count(body: bytes = WHOLE) -> Call:
    return claude(body, operation="count", path="/v1/messages/count_tokens")


def test_tokens_are_estimated_for_a_target_of_another_format() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask(count())
        assert (got.header("x-omniroute-estimated"), one.received, two.received) == ("true", [], [])
        assert orjson.loads(got.body)["input_tokens"] > 0

    scene(main, [], [], "a/m")


def test_tokens_are_estimated_when_a_target_cannot_count() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(count())
        assert (got.status, got.header("x-omniroute-estimated"), len(one.received)) == (200, "true", 1)

    scene(main, [loopback.answer(404, b"not found")], [], "c/m")


def test_a_count_of_nonsense_is_a_400() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask(count(b'{"messages": 7}'))
        assert (got.status, orjson.loads(got.body)["type"]) == (400, "error")

    scene(main, [], [], "a/m")
