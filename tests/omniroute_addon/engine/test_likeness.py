"""What is the same call and what is not, in digests."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import ByteSize

from omniroute_addon.config.caching import Cache, Idempotency, Semantic
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.likeness import Question, errand, question
from omniroute_addon.routing.ask import Ask
from tests.omniroute_addon.engine.stage import called

ASK = Ask("claude-code", "anthropic-messages", source="10.0.0.7")
ON = Cache(enabled=True)
BODY: dict[str, Any] = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "Hi"}]}
PATHS = {
    "anthropic-messages": "/v1/messages",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": "/v1beta/models/m:generateContent",
    "gemini-cli": "/v1internal:generateContent",
}
KEY = (("idempotency-key", "k"),)


def call(
    form: str = "openai-chat", body: Any = BODY, headers: tuple[tuple[str, str], ...] = (), path: str = ""
) -> Call:
    return called(form, path or PATHS[form], body if isinstance(body, bytes) else orjson.dumps(body), headers)


def asked(*args: Any, ask: Ask = ASK, rules: Cache = ON, **kwargs: Any) -> Question | None:
    return question(call(*args, **kwargs), ask, rules)


def test_without_a_key_or_with_an_endless_one_it_is_no_errand() -> None:
    assert errand(call(), ASK, Idempotency()) is None
    assert errand(call(headers=(("idempotency-key", "k" * 513),)), ASK, Idempotency()) is None
    assert errand(call(headers=KEY), ASK, Idempotency(enabled=False)) is None
    assert errand(call(headers=KEY), ASK, Idempotency()) is not None


def test_a_request_id_is_a_key_only_by_the_rules() -> None:
    named = call(headers=(("x-request-id", "k"),))
    assert errand(named, ASK, Idempotency()) is None
    assert errand(named, ASK, Idempotency(request_id=True)) == errand(call(headers=KEY), ASK, Idempotency())


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key", "cookie", "chatgpt-account-id"])
def test_every_credential_tells_callers_apart(header: str) -> None:
    digests = {
        (errand(one, ASK, Idempotency()), question(one, ASK, ON))
        for value in ("first", "second")
        for one in (call(headers=(*KEY, (header, value))),)
    }
    assert len({one for one, _ in digests}) == len({two for _, two in digests}) == 2


def test_keys_of_the_gateway_and_without_credentials_addresses_tell_callers_apart() -> None:
    named = [replace(ASK, key=name) for name in ("ada", "bob")]
    assert len({asked(ask=one) for one in (ASK, *named)}) == 3
    assert asked(ask=replace(ASK, source="10.0.0.8")) != asked()
    login = (("authorization", "Bearer one"),)
    assert asked(headers=login, ask=replace(ASK, source="10.0.0.8")) == asked(headers=login)


@pytest.mark.parametrize("form", PATHS)
def test_only_an_explicit_zero_is_a_question(form: str) -> None:
    def body(temperature: object) -> dict[str, Any]:
        match form:
            case "gemini":
                return {"contents": [], "generationConfig": {"temperature": temperature}}
            case "gemini-cli":
                return {"request": {"contents": [], "generationConfig": {"temperature": temperature}}}
            case _:
                return {**BODY, "temperature": temperature}

    assert [asked(form, body(value)) is not None for value in (0, 0.0, 0.1, 1, None, False, "0")] == [
        True,
        True,
        *[False] * 5,
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"temperature",
        b'["temperature"]',
        b'{"temperature":0',
        b'{"temperature":1,"temperature":0}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_for_sure_is_no_question(body: bytes) -> None:
    assert asked(body=body + b" emperature" if body.startswith(b"[[") else body) is None


def test_tools_are_for_the_rules_to_allow() -> None:
    with_tools = {**BODY, "tools": [{"name": "t"}]}
    assert asked(body=with_tools) is None
    assert asked(body={**BODY, "tools": []}) is not None
    assert asked(body=with_tools, rules=Cache(enabled=True, tools=True)) is not None
    assert asked(rules=Cache()) is None


def test_the_manner_is_apart_from_the_question() -> None:
    whole, stream, counted = (
        asked(body={**BODY, **more}) for more in ({}, {"stream": True}, {"stream": True, "stream_options": {"a": 1}})
    )
    assert whole is not None
    assert stream is not None
    assert counted is not None
    assert whole.key == stream.key == counted.key
    assert len({whole.manner, stream.manner, counted.manner}) == 3
    config = {"contents": [], "generationConfig": {"temperature": 0}}
    paths = [PATHS["gemini"]] + [
        f"/v1beta/models/m:streamGenerateContent{query}" for query in ("", "?alt=sse", "?alt=sse&key=other")
    ]
    found = [asked("gemini", config, path=path) for path in paths]
    assert len({one.key for one in found if one}) == 2
    assert len({one.manner for one in found if one}) == 3


def test_what_else_shapes_a_call_counts() -> None:
    assert question(call(), ASK, ON, "a") != question(call(), ASK, ON, "b")
    for header in ("anthropic-beta", "openai-project", "x-omniroute-anything"):
        assert asked(headers=((header, "x"),)) != asked(), header
    assert asked(headers=(("accept", "x"), ("x-stainless-retry-count", "1"))) == asked()


@pytest.mark.parametrize(
    "header", [("x-omniroute-no-cache", "true"), ("cache-control", "no-cache"), ("cache-control", "no-store")]
)
def test_a_client_can_decline(header: tuple[str, str]) -> None:
    assert asked(headers=(header,)) is None
    assert errand(call(headers=(*KEY, header)), ASK, Idempotency()) is not None


REWORDED = Cache(enabled=True, tools=True, semantic=Semantic(embeddings="a/m", max_text=ByteSize(40)))


def scope(body: Any, rules: Cache = REWORDED, ask: Ask = ASK) -> str | None:
    found = question(call(body=body), ask, rules, reworded=True)
    return found.wording.scope if found is not None and found.wording is not None else None


def say(text: str, **more: Any) -> Any:
    return {**BODY, "messages": [{"role": "user", "content": text}], **more}


def test_questions_that_differ_in_words_only_have_one_scope() -> None:
    assert scope(say("Hi there")) == scope(say("Hello you")) != None  # noqa: E711 -- all three
    first, second = (question(call(body=say(text)), ASK, REWORDED, reworded=True) for text in ("Hi there", "Hello you"))
    assert first is not None
    assert second is not None
    assert first.key != second.key
    assert "Hi there" not in repr(first)


@pytest.mark.parametrize(
    "body",
    [
        say("Hi", model="n"),
        say("Hi", seed=1),
        say("Hi", response_format={"type": "json_object"}),
        say("Hi 2"),
        {**BODY, "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]},
        {**BODY, "messages": [{"role": "user", "name": "ada", "content": "Hi"}]},
    ],
)
def test_whatever_else_differs_is_another_scope(body: Any) -> None:
    assert scope(body) not in (None, scope(say("Hi")))


def test_other_callers_shapes_and_embeddings_have_other_scopes() -> None:
    mine = scope(say("Hi"))
    assert scope(say("Hi"), ask=replace(ASK, key="ada")) != mine
    other = REWORDED.model_copy(update={"semantic": Semantic(embeddings="a/n")})
    assert scope(say("Hi"), other) != mine
    shaped = question(call(body=say("Hi")), ASK, REWORDED, "shape", reworded=True)
    assert shaped is not None
    assert shaped.wording is not None
    assert shaped.wording.scope != mine


@pytest.mark.parametrize(
    "body",
    [
        say("Hi", tools=[{"type": "function"}]),
        say("Hi", functions=[{"name": "f"}]),
        say("  "),
        say("a" * 41),
        {**BODY, "messages": [{"role": "tool", "content": "Hi"}]},
    ],
)
def test_what_must_not_be_reworded_keeps_its_signature_only(body: Any) -> None:
    found = question(call(body=body), ASK, REWORDED, reworded=True)
    assert found is not None
    assert found.wording is None
    assert found.key == getattr(question(call(body=body), ASK, REWORDED), "key", None)


def test_half_a_character_breaks_nothing() -> None:
    assert scope(b'{"temperature": 0, "messages": [{"role": "user", "content": "a \\ud83d 1\\ud83d"}]}') is not None
