"""Answers to questions in other words, over real HTTP: who gets them, who does not, and what becomes of a call when the
embeddings are slow, broken or not allowed.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import Any

import openai
import pytest

from tests.e2e.calls import Ask, async_client, post, post_gateway, spoken
from tests.e2e.calls import ask as asking
from tests.e2e.targets import targets
from tests.e2e.test_books import to_be_killed
from tests.servers.answers import Answer
from tests.servers.embeddings import PATH, asked, embeds
from tests.servers.provider import Provider, Received, serving
from tests.servers.proxy import ROOT, Proxy, environment, running
from tests.servers.steps import PATIENCE, Hangup, Say, Silence, Step, Whole, says
from tests.web.mitmweb import Mitmweb

type StartProxy = Callable[..., Proxy]

FORMATS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli")
FRANCE, REWORDED, GERMANY = "What is the capital of France", "The capital of France is what", "What is my name"
PRICES = "prices: {'up-*': {input: 1000, output: 1000}, 'near-openai-chat/*': {input: 100}}\n"
PARIS = Answer(pieces=("It is ", "Paris"))


@pytest.fixture
def near() -> Generator[Provider]:
    """Makes embeddings."""
    with serving() as one:
        one.sides[PATH] = embeds
        yield one


def rules(up: Provider, near: Provider, *, more: str = "", cache: str = "", to: str = "up-openai-chat/m") -> str:
    tier = f"{{embeddings: near-openai-chat/small, threshold: 0.9, timeout: 5s{more}}}"
    route = f"routes: [{{match: {{model: '*'}}, to: {to}, cache: semantic}}]\n"
    return targets(up=up, near=near) + route + PRICES + f"cache: {{enabled: true, semantic: {tier}{cache}}}\n"


def cold(form: str, question: str, *, stream: bool = False, **more: Any) -> Ask:
    one = asking(form, stream=stream, question=question)
    settings: dict[str, Any] = {"temperature": 0}
    match form:
        case "gemini":
            body = {**one.body, "generationConfig": settings}
        case "gemini-cli":
            body = {**one.body, "request": {**one.body["request"], "generationConfig": settings}}
        case _:
            body = one.body | settings
    return replace(one, body=body | more)


def how(response: Any) -> str | None:
    assert response.status_code == 200, response.text
    found: str | None = response.headers.get("x-omniroute-cache")
    return found


def chat(proxy: Proxy, question: str, **headers: str) -> str | None:
    return how(post(proxy, cold("openai-chat", question), **headers))


def rows(proxy: Proxy, sql: str) -> list[tuple[Any, ...]]:
    """Of the books of a proxy that has ended."""
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        return books.execute(sql).fetchall()


def told(proxy: Proxy, *command: str) -> str:
    line = [sys.executable, "-m", "omniroute_addon", *command, "--config", str(proxy.config)]
    done = subprocess.run(line, env=environment(proxy.home), capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_a_question_in_other_words_gets_the_kept_answer_in_either_manner(
    form: str, streamed: bool, provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Say(PARIS))
    proxy = start_proxy(rules(provider, near))
    first = post(proxy, cold(form, FRANCE, stream=streamed))
    like = post(proxy, cold(form, REWORDED, stream=streamed))
    other = post(proxy, cold(form, REWORDED, stream=not streamed))
    assert [how(one) for one in (first, like, other)] == [None, "SEMANTIC", "SEMANTIC"]
    assert {spoken(form, one) for one in (first, like, other)} == {PARIS.text}
    assert like.content == first.content
    assert like.headers["x-omniroute-cache-hit"] == "true"
    assert 0.9 <= float(like.headers["x-omniroute-cache-similarity"]) <= 1
    assert len(provider.calls) == 1
    assert asked(near) == [FRANCE, REWORDED, REWORDED]


def test_the_same_words_need_no_vector(provider: Provider, near: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(rules(provider, near))
    assert [chat(proxy, FRANCE), chat(proxy, FRANCE)] == [None, "HIT"]
    assert asked(near) == [FRANCE]


def test_another_question_is_asked(provider: Provider, near: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(rules(provider, near))
    assert [chat(proxy, FRANCE), chat(proxy, GERMANY)] == [None, None]
    assert [chat(proxy, "Add 2 and 2 please now"), chat(proxy, "Please add 2 and 3 now")] == [None, None]
    assert len(provider.calls) == 4


DIFFERENT: dict[str, dict[str, Any]] = {
    "system": {"system": "Be brief."},
    "max_tokens": {"max_tokens": 101},
    "stop_sequences": {"stop_sequences": ["x"]},
    "output": {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
    "tools": {"tools": [{"name": "t", "input_schema": {"type": "object"}}]},
    "a model": {"model": "other"},
    "a message before": {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": REWORDED},
        ]
    },
    "a temperature": {"temperature": 0.1},
}


def test_only_the_last_text_may_differ(provider: Provider, near: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(rules(provider, near, cache=", tools: true", to="up-anthropic-messages/m"))
    form = "anthropic-messages"
    assert how(post(proxy, cold(form, FRANCE))) is None
    for case, more in DIFFERENT.items():
        assert how(post(proxy, cold(form, REWORDED, **more))) is None, case
    assert how(post(proxy, cold(form, REWORDED), anthropic_beta="new-2026")) is None
    assert how(post(proxy, cold(form, REWORDED))) == "SEMANTIC"


def test_nobody_gets_another_caller_s_answer(provider: Provider, near: Provider, start_proxy: StartProxy) -> None:
    keys = "keys: [{name: ada, key: the-key-of-ada-1234}, {name: bob, key: the-key-of-bob-1234}]\n"
    provider.script(says("For ada"), says("For bob"))
    proxy = start_proxy(rules(provider, near) + keys)

    def say(name: str, question: str) -> str:
        key = f"Bearer the-key-of-{name}-1234"
        return spoken("openai-chat", post_gateway(proxy, cold("openai-chat", question), authorization=key))

    assert [say("ada", FRANCE), say("bob", REWORDED), say("ada", REWORDED)] == ["For ada", "For bob", "For ada"]
    assert say("bob", FRANCE) == "For bob"
    assert chat(proxy, FRANCE, authorization="Bearer its-own-login") is None
    assert len(provider.calls) == 3


def test_a_client_can_decline_and_a_route_that_did_not_opt_in_asks(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    plain = rules(provider, near).replace(", cache: semantic}", "}")
    proxy = start_proxy(rules(provider, near))
    assert chat(proxy, FRANCE) is None
    assert chat(proxy, REWORDED, **{"x-omniroute-no-cache": "true"}) is None
    assert chat(proxy, REWORDED, cache_control="no-cache") is None
    assert asked(near) == [FRANCE]
    assert chat(proxy, REWORDED) == "SEMANTIC"
    proxy = start_proxy(plain)
    assert [chat(proxy, FRANCE), chat(proxy, REWORDED)] == [None, None]
    assert len(asked(near)) == 2
    assert "no route has 'cache: semantic'" in told(proxy, "check")


def _failing(status: int, body: bytes = b"{}") -> Step:
    return Whole(status, {"content-type": "application/json"}, body)


BROKEN: dict[str, Step] = {
    "a reset": Hangup(),
    "no such path": _failing(404),
    "a server error": _failing(500),
    "a quota": _failing(429),
    "too long a text": _failing(400),
    "no JSON": _failing(200, b"<html>"),
    "no vector": _failing(200, b'{"data": []}'),
    "no numbers": _failing(200, b'{"data": [{"embedding": ["a"]}]}'),
    "no direction": _failing(200, b'{"data": [{"embedding": [0, 0]}]}'),
    "endless": _failing(200, b'{"data": [{"embedding": [1e300, 1]}]}'),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_embedding_changes_nothing(
    case: str, provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near))
    assert chat(proxy, FRANCE) is None
    near.wait_received(1)  # beside the answer, not before it
    near.sides[PATH] = BROKEN[case]
    assert [chat(proxy, REWORDED), chat(proxy, f"{REWORDED} now")] == [None, None]
    near.sides[PATH] = embeds
    assert chat(proxy, f"{FRANCE} please") == "SEMANTIC"
    assert FRANCE not in proxy.log.read_text()


def test_a_provider_that_is_gone_is_soon_left_alone(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near))
    assert [chat(proxy, FRANCE), chat(proxy, REWORDED)] == [None, "SEMANTIC"]
    near.sides[PATH] = _failing(500)
    for number in range(5):
        assert chat(proxy, f"Question number {number}") is None
    assert len(asked(near)) == 2 + 3
    assert "no embeddings of near-openai-chat/small (500): the semantic cache waits 30 s" in proxy.log.read_text()


def test_a_silent_embedding_delays_a_call_by_the_limit_and_no_more(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near).replace("timeout: 5s", "timeout: 2s"))
    assert chat(proxy, FRANCE) is None
    near.wait_received(1)
    near.sides[PATH] = Silence()
    assert chat(proxy, REWORDED) is None
    near.wait_received(2)[1].wait_gone()
    assert proxy.stop() == 0
    (entry,) = rows(
        proxy, "SELECT outcome, micro, cost_estimated FROM attempts WHERE number = 0 AND NOT outcome = 'embedding'"
    )
    assert entry == ("not in time", 800, 1)


def test_a_question_with_nothing_to_compare_does_not_wait(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    looked, gone = threading.Event(), threading.Event()

    def silent(request: Received) -> Step:
        looked.set()
        request.gone = gone
        return Silence()

    near.sides[PATH] = silent
    proxy = start_proxy(rules(provider, near).replace("timeout: 5s", "timeout: 10s"))
    assert chat(proxy, FRANCE) is None
    assert looked.wait(PATIENCE)
    assert not gone.is_set()


def test_a_client_that_leaves_while_it_is_looked_up_costs_no_call(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near))
    assert chat(proxy, FRANCE) is None
    near.wait_received(1)
    looked = threading.Event()

    def silent(request: Received) -> Step:
        del request
        looked.set()
        return Silence()

    near.sides[PATH] = silent
    one = cold("openai-chat", REWORDED)

    async def leave() -> None:
        async with async_client(proxy, http2=False) as http:
            call = asyncio.create_task(http.post(one.url, content=one.content))
            assert await asyncio.to_thread(looked.wait, PATIENCE)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    asyncio.run(leave())
    looked_up = [one for one in near.received if one.path == PATH][1]
    looked_up.wait_gone()
    assert proxy.stop() == 0
    assert len(provider.calls) == 1
    assert rows(proxy, "SELECT outcome FROM exchanges ORDER BY started") == [("done",), ("client left",)]
    assert rows(proxy, "SELECT count(*) FROM attempts WHERE outcome = 'running'") == [(0,)]


def test_a_policy_or_a_budget_keeps_texts_from_the_embeddings(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    denied = start_proxy(rules(provider, near) + "policies: [{name: private, deny: 'near-*'}]\n")
    assert [chat(denied, FRANCE), chat(denied, REWORDED)] == [None, None]
    budget = "budgets: [{name: none, match: {provider: near-openai-chat}, daily: 0}]\n"
    spent = start_proxy(rules(provider, near) + budget)
    assert [chat(spent, FRANCE), chat(spent, REWORDED)] == [None, None]
    assert asked(near) == []


def test_errors_and_answers_given_again_are_not_kept(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Whole(400, {"content-type": "application/json"}, b'{"error":{"message":"no"}}'), says("Good"))
    proxy = start_proxy(rules(provider, near))
    assert post(proxy, cold("openai-chat", FRANCE)).status_code == 400
    assert [chat(proxy, REWORDED), chat(proxy, FRANCE)] == [None, "SEMANTIC"]
    # Each next one is near to the one before, but the third is far from the first.
    words = ["alpha", "beta", "gamma", "delta", "eta", "iota", "kappa", "lambda", "omega", "sigma", "tau", "phi"]
    others = ["one", "two"]
    seen = [chat(proxy, " ".join([*words[count:], *others[:count]])) for count in range(3)]
    assert seen == [None, "SEMANTIC", None]


def test_entries_bytes_and_age_are_bounded(provider: Provider, near: Provider, start_proxy: StartProxy) -> None:
    questions = ["Name one tree", "Where do cats sleep", "Who painted this"]
    few = start_proxy(rules(provider, near, cache=", max_entries: 2"))
    assert [chat(few, one) for one in questions] == [None, None, None]
    again = [" ".join(reversed(one.split())) for one in reversed(questions)]
    assert [chat(few, one) for one in again] == ["SEMANTIC", "SEMANTIC", None]
    old = start_proxy(rules(provider, near, cache=", ttl: 0"))
    assert [chat(old, FRANCE), chat(old, REWORDED)] == [None, None]
    small = start_proxy(rules(provider, near, cache=", max_bytes: 1KiB"))
    assert [chat(small, FRANCE), chat(small, REWORDED)] == [None, None]
    long = start_proxy(rules(provider, near, more=", max_text: 10"))
    assert [chat(long, FRANCE), chat(long, REWORDED)] == [None, None]


def test_it_outlives_the_proxy_and_its_killing_without_any_text_or_secret(
    provider: Provider, near: Provider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("semantic")
    kept = rules(provider, near, cache=", persist: true")
    headers = {"authorization": "Bearer canary-of-a-credential"}
    with running(directory, kept) as proxy:
        assert chat(proxy, FRANCE, **headers) is None
        assert chat(proxy, REWORDED, **headers) == "SEMANTIC"
    path = proxy.home / "semantic.db"
    assert path.stat().st_mode & 0o777 == 0o600
    for secret in (b"canary-of-a-credential", b"capital"):
        assert all(secret not in one.read_bytes() for one in proxy.home.glob("semantic.db*"))
    with to_be_killed(directory, kept) as proxy:
        # The last of them waits until the answer of the one before it is kept.
        asked = (f"{FRANCE} please", "Who painted this", "Painted who this")
        asked_again = [chat(proxy, one, **headers) for one in asked]
        proxy.process.kill()
    assert asked_again == ["SEMANTIC", None, "SEMANTIC"]
    with running(directory, kept) as proxy:
        assert chat(proxy, "This painted who", **headers) == "SEMANTIC"
        assert chat(proxy, f"{FRANCE} please", authorization="Bearer somebody-else") is None
    path.write_bytes(b"this is no database at all" * 400)
    with running(directory, kept) as proxy:
        assert chat(proxy, f"Well {FRANCE}", **headers) is None
        assert chat(proxy, f"{FRANCE} well", **headers) == "SEMANTIC"
        assert "a new one begins" in proxy.log.read_text()
    (aside,) = directory.rglob("semantic.db.damaged-*")
    assert aside.read_bytes().startswith(b"this is no database at all")
    assert "capital" not in proxy.log.read_text()


def test_the_books_tell_what_was_saved_what_the_vectors_cost_and_whose_answer_it_was(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near))
    assert [chat(proxy, one) for one in (FRANCE, REWORDED, GERMANY)] == [None, "SEMANTIC", None]
    status = json.loads(told(proxy, "status", "--json"))["replayed"]
    assert status["today"] == {"cache.semantic": {"calls": 1, "saved": 0.018}}
    figures = status["cache"]["semantic"]
    assert {name: figures[name] for name in ("hits", "misses", "failed")} == {"hits": 1, "misses": 2, "failed": 0}
    assert "semantic cache: " in told(proxy, "status")
    assert proxy.stop() == 0
    exchanges = rows(proxy, "SELECT id, route, outcome, attempts FROM exchanges ORDER BY started")
    assert [one[1:] for one in exchanges] == [
        ("routes[0]", "done", 1),
        ("cache.semantic", "replayed", 0),
        ("routes[0]", "done", 1),
    ]
    first, like, other = (one[0] for one in exchanges)
    sql = (
        "SELECT number, target, outcome, used, input, micro, worth FROM attempts WHERE exchange = '{}' ORDER BY number"
    )
    assert rows(proxy, sql.format(like)) == [
        (0, "near-openai-chat/small", "embedding", 0, 6, 600, 600),
        (1, "cache", "cache.semantic", 1, 0, 0, 18_000),
    ]
    explained = told(proxy, "explain", "--id", like)
    assert f"semantic cache: answered as call {first[:8]}, similarity " in explained
    assert "saved 18 tokens" in explained
    assert "embedding: near-openai-chat/small: embedding" in explained
    explained = told(proxy, "explain", "--id", other)
    assert f"semantic cache: the nearest question is that of call {first[:8]}, similarity 0." in explained


def test_calls_at_once_share_one_look_and_one_answer(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near))
    assert chat(proxy, FRANCE) is None
    one = cold("openai-chat", REWORDED)

    async def together() -> list[Any]:
        async with async_client(proxy, http2=False) as http:
            calls = [asyncio.create_task(http.post(one.url, content=one.content)) for _ in range(3)]
            return await asyncio.gather(*calls)

    answers = asyncio.run(together())
    assert len(provider.calls) == 1
    assert "SEMANTIC" in {how(answer) for answer in answers} <= {"SEMANTIC", "HIT"}
    assert {spoken("openai-chat", answer) for answer in answers} == {"Hello from upstream"}


def test_mitmweb_shows_the_embedding_beside_the_call_and_whose_answer_it_was(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(rules(provider, near), headless=False)
    assert proxy.web is not None
    assert [chat(proxy, FRANCE), chat(proxy, REWORDED)] == [None, "SEMANTIC"]
    with Mitmweb(proxy.web) as web:
        found = web.wait_rows(lambda rows: any("cache.semantic" in row["comment"] for row in rows))
        (hit,) = [row["comment"] for row in found if row["comment"].startswith("cache.semantic")]
        assert hit.startswith("cache.semantic · answered here · saved $0.0180 · ")
        beside = [row for row in found if row["comment"].startswith("↳ embedding of ")]
        assert [row["comment"].endswith("· near-openai-chat/small · embedding") for row in beside] == [True, True]
        assert not any(row["marked"] for row in beside)


def test_the_official_sdk_reads_an_answer_given_again(
    provider: Provider, near: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Say(PARIS))
    proxy = start_proxy(rules(provider, near))
    with openai.OpenAI(api_key="its-own", base_url=f"{proxy.gateway}/v1") as sdk:
        for question, expected in ((FRANCE, None), (REWORDED, "SEMANTIC")):
            raw = sdk.chat.completions.with_raw_response.create(
                model="m", temperature=0, messages=[{"role": "user", "content": question}]
            )
            assert raw.headers.get("x-omniroute-cache") == expected
            assert raw.parse().choices[0].message.content == PARIS.text
        with sdk.chat.completions.stream(
            model="m", temperature=0, messages=[{"role": "user", "content": f"{FRANCE} please"}]
        ) as stream:
            assert stream.get_final_completion().choices[0].message.content == PARIS.text
    assert len(provider.calls) == 1
