"""One question through a gateway: what counts as an answer."""

import asyncio

import pytest

from omniroute_addon.evals.gateway import CLIENT, Gateway
from omniroute_addon.evals.run import Answer, Question
from omniroute_addon.evals.suite import Case
from tests.servers.provider import Provider
from tests.servers.steps import Hangup, Step, Whole, says

CASE = Case.model_validate(
    {
        "id": "c",
        "input": {"messages": [{"role": "user", "content": "?"}], "temperature": 0},
        "expected": {"strategy": "exact", "value": "x"},
    }
)
JSON = {"content-type": "application/json"}


def asked(provider: Provider, step: Step, key: str | None = None) -> Answer:
    provider.script(step)

    async def main() -> Answer:
        async with Gateway(provider.url(), key) as gateway:
            return await gateway.ask(Question("glm/x", CASE, "eval-1-0"))

    return asyncio.run(main())


def test_an_answer_is_its_text(provider: Provider) -> None:
    answer = asked(provider, says("Hello", " you"), "the-key")
    sent = provider.call
    assert (answer.text, answer.status, answer.error) == ("Hello you", 200, None)
    assert sent.json == {"model": "glm/x", "messages": [{"role": "user", "content": "?"}], "temperature": 0}
    names = ("user-agent", "authorization", "x-omniroute-session", "x-omniroute-no-cache")
    assert [sent.header(name) for name in names] == [CLIENT, "Bearer the-key", "eval-1-0", "true"]


@pytest.mark.parametrize(
    "step, said",
    [
        (Whole(429, JSON, b'{"error":{"message":"nothing left"}}'), "status 429: nothing left"),
        (Whole(500, JSON, b"[]"), "status 500"),
        (Whole(200, {"content-type": "text/html"}, b"<p>"), "status 200, no JSON"),
        (Whole(200, JSON, b'{"choices":[{"message":{"content":null}}]}'), "an answer without text"),
        (Hangup(), "ReadError"),
    ],
    ids=["an error", "no message", "html", "no text", "hangup"],
)
def test_what_is_no_answer_is_said(provider: Provider, step: Step, said: str) -> None:
    assert said in (asked(provider, step).error or "")


def test_a_refusal_is_an_answer(provider: Provider) -> None:
    body = b'{"choices":[{"message":{"content":null,"refusal":"I cannot"}}]}'
    assert asked(provider, Whole(200, JSON, body)).text == "I cannot"
