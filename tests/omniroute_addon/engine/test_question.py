"""Calls that are only described; tests of ``omniroute explain`` ask most of it."""

import pytest

from omniroute_addon.config import load
from omniroute_addon.engine.question import Question, QuestionError, clients, headers_of

RAW = b'POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nX-Api-Key: k\r\n\r\n{"model":"claude-x","messages":[]}'


def test_a_whole_request_says_who_asks_for_what() -> None:
    ask = Question().with_request(RAW).ask(load())
    assert (ask.format, ask.model, ask.host, ask.path) == (
        "anthropic-messages",
        "claude-x",
        "api.anthropic.com",
        "/v1/messages",
    )
    assert ask.headers["x-api-key"] == "k"


def test_what_is_said_goes_before_the_request() -> None:
    assert Question(model="other").with_request(RAW).ask(load()).model == "other"


@pytest.mark.parametrize(
    "question, words",
    [
        (Question(), "who calls?"),
        (Question(client="nobody", model="m"), "unknown client"),
        (Question(client="codex"), "which model"),
        (Question(host="example.com", model="m"), "on no surface"),
        (Question(gateway=True, path="/nothing", model="m"), "does not serve"),
    ],
)
def test_what_is_missing_is_named(question: Question, words: str) -> None:
    with pytest.raises(QuestionError, match=words):
        question.ask(load())


@pytest.mark.parametrize("raw", [b"", b"hello", b"POST http://[ HTTP/1.1\n\n", b"POST / HTTP/1.1\nnonsense\n\n"])
def test_what_is_no_request_is_said(raw: bytes) -> None:
    with pytest.raises(QuestionError):
        Question().with_request(raw)


def test_headers_and_clients() -> None:
    assert headers_of(["A: b: c", "D:"]) == {"a": "b: c", "d": ""}
    assert {"claude-code", "codex"} <= set(clients(load()))
