"""Kept answers over real HTTP: who gets them and who does not, in which manner, for how long, and what the books say."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.calls import Ask, ask, async_client, client, post, post_gateway, spoken
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer, Call, events
from tests.servers.provider import Provider
from tests.servers.proxy import ROOT, Proxy, environment, running
from tests.servers.steps import Gate, Say, Whole, says
from tests.web.mitmweb import Mitmweb

type StartProxy = Callable[..., Proxy]

FORMATS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli")
formats = pytest.mark.parametrize("form", FORMATS)
CACHE = "cache: {enabled: true}\n"
REFUSAL = Whole(400, {"content-type": "application/json"}, b'{"error":{"message":"no","type":"invalid_request_error"}}')
SAID = Answer(pieces=("Zero ", "is ", "zero"))
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}


def _rules(provider: Provider, up: str = "openai-chat") -> str:
    return targets(up=provider) + routes(f"up-{up}/m") + "prices: {'up-*': {input: 1000, output: 1000}}\n"


def cold(form: str, *, stream: bool = False, temperature: object = 0, **more: Any) -> Ask:
    """A call with a temperature."""
    asked = ask(form, stream=stream)
    match form:
        case "gemini":
            body = {**asked.body, "generationConfig": {"temperature": temperature}}
        case "gemini-cli":
            inner = {**asked.body["request"], "generationConfig": {"temperature": temperature}}
            body = {**asked.body, "request": inner}
        case _:
            body = {**asked.body, "temperature": temperature}
    return replace(asked, body=body | more)


def _hit(response: Any) -> bool:
    return response.headers.get("x-omniroute-cache") == "HIT"


def _twice(proxy: Proxy, asked: Ask, **headers: str) -> list[bool]:
    answers = [post(proxy, asked, **headers) for _ in range(2)]
    assert all(one.status_code == 200 for one in answers), answers[0].text
    return [_hit(one) for one in answers]


@formats
def test_the_same_request_gets_the_kept_answer_in_either_manner(
    form: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Say(SAID))
    proxy = start_proxy(_rules(provider) + CACHE)
    whole, stream = cold(form), cold(form, stream=True)
    first = post(proxy, whole)
    again, streamed = post(proxy, whole), post(proxy, stream)
    assert not _hit(first)
    assert (_hit(again), _hit(streamed)) == (True, True)
    assert again.content == first.content
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert {spoken(form, one) for one in (first, again, streamed)} == {SAID.text}
    assert len(provider.calls) == 1


@formats
@pytest.mark.parametrize("up", ["openai-chat", "anthropic-messages"])
def test_a_kept_stream_is_told_as_a_stream_or_whole(
    form: str, up: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Say(SAID))
    proxy = start_proxy(_rules(provider, up) + CACHE)
    whole, stream = cold(form), cold(form, stream=True)
    first = post(proxy, stream)
    again, one_piece = post(proxy, stream), post(proxy, whole)
    assert (_hit(first), _hit(again), _hit(one_piece)) == (False, True, True)
    assert again.content == first.content
    assert one_piece.headers["content-type"] == "application/json"
    assert {spoken(form, one) for one in (first, again, one_piece)} == {SAID.text}
    assert len(provider.calls) == 1


def test_the_official_sdks_read_replayed_tool_calls_and_text(provider: Provider, start_proxy: StartProxy) -> None:
    calls = (Call("call_1", "now", '{"zone":"UTC"}'), Call("call_2", "now", '{"zone":"CET"}'))
    provider.script(Say(Answer(pieces=("Two ", "zones"), calls=calls)))
    proxy = start_proxy(_rules(provider) + "cache: {enabled: true, tools: true}\n")
    chat: Any = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "Hi"}], "tools": [TOOL]}
    with openai.OpenAI(api_key="its-own", base_url=f"{proxy.gateway}/v1") as sdk:
        first = sdk.chat.completions.create(**chat)
        for _ in range(2):
            with sdk.chat.completions.stream(**chat) as stream:
                message = stream.get_final_completion().choices[0].message
            assert message.content == first.choices[0].message.content == "Two zones"
            assert [call.function.arguments for call in message.tool_calls or ()] == [call.arguments for call in calls]
    claude: Any = {
        "model": "m",
        "extra_body": {"temperature": 0.0},
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "now", "input_schema": {"type": "object", "properties": {}}}],
    }
    with anthropic.Anthropic(api_key="its-own", base_url=proxy.gateway) as sdk:
        with sdk.messages.stream(**claude) as stream:
            told = stream.get_final_message()
        whole = sdk.messages.create(**claude)
    assert [block.type for block in told.content] == [block.type for block in whole.content]
    assert [block.input for block in whole.content if block.type == "tool_use"] == [{"zone": "UTC"}, {"zone": "CET"}]
    assert whole.stop_reason == told.stop_reason == "tool_use"
    assert len(provider.calls) == 2


OTHERS: dict[str, Ask] = {
    "no temperature": ask("anthropic-messages"),
    "a temperature of its own": cold("anthropic-messages", temperature=0.1),
    "none at all": cold("anthropic-messages", temperature=None),
    "false is no number": cold("anthropic-messages", temperature=False),
    "tools": cold("anthropic-messages", tools=[{"name": "t", "input_schema": {"type": "object"}}]),
    "what the provider keeps": cold("openai-responses", previous_response_id="resp_1"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_may_have_another_answer_is_asked_again(case: str, provider: Provider, start_proxy: StartProxy) -> None:
    up = OTHERS[case].format
    proxy = start_proxy(_rules(provider, up) + CACHE)
    assert _twice(proxy, OTHERS[case]) == [False, False]
    assert len(provider.calls) == 2


DIFFERENT: dict[str, dict[str, Any]] = {
    "system": {"system": "Be brief."},
    "max_tokens": {"max_tokens": 101},
    "tool_choice": {"tool_choice": {"type": "none"}},
    "stop_sequences": {"stop_sequences": ["x"]},
    "top_p": {"top_p": 1},
    "output": {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
    "a message": {"messages": [{"role": "user", "content": "Say hello. "}]},
    "a model": {"model": "other"},
    "a member that nobody knows": {"future": 1},
}


def test_every_part_of_the_request_counts(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider, "anthropic-messages") + CACHE)
    assert _twice(proxy, cold("anthropic-messages")) == [False, True]
    for case, more in DIFFERENT.items():
        assert not _hit(post(proxy, cold("anthropic-messages", **more))), case
    assert not _hit(post(proxy, cold("anthropic-messages"), anthropic_beta="new-2026"))
    assert not _hit(post(proxy, cold("anthropic-messages"), user_agent="claude-cli/2.1"))


def test_the_order_of_members_does_not_count(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider) + CACHE)
    asked = cold("openai-chat")
    assert not _hit(post(proxy, asked))
    assert _hit(post(proxy, replace(asked, body=dict(reversed(asked.body.items())))))


def test_a_member_that_stands_twice_is_never_taken_for_another_request(
    provider: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(_rules(provider) + CACHE)
    asked = cold("openai-chat")
    double = asked.content.replace(b'"temperature": 0', b'"temperature": 1, "temperature": 0')
    with client(proxy) as http:
        answers = [http.post(asked.url, content=body) for body in (asked.content, double, double)]
    assert [_hit(one) for one in answers] == [False, False, False]


def test_nobody_gets_another_caller_s_answer(provider: Provider, start_proxy: StartProxy) -> None:
    keys = "keys: [{name: ada, key: the-key-of-ada-1234}, {name: bob, key: the-key-of-bob-1234}]\n"
    provider.script(says("For ada"), says("For bob"))
    proxy = start_proxy(_rules(provider) + CACHE + keys)
    for name in ("ada", "bob", "ada", "bob"):
        answer = post_gateway(proxy, cold("openai-chat"), authorization=f"Bearer the-key-of-{name}-1234")
        assert spoken("openai-chat", answer) == f"For {name}"
    assert len(provider.calls) == 2


def test_nobody_gets_the_answer_to_another_login(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider, "gemini") + CACHE)
    asked = cold("gemini")
    assert not _hit(post(proxy, asked, x_goog_api_key="one-of-them"))
    assert not _hit(post(proxy, asked, x_goog_api_key="the-other"))
    assert _hit(post(proxy, asked, x_goog_api_key="one-of-them"))
    in_query = [replace(asked, path=f"{asked.path}?key={name}") for name in ("first-key", "second-key", "first-key")]
    assert [_hit(post(proxy, one)) for one in in_query] == [False, False, True]


def test_a_client_can_decline(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider) + CACHE)
    asked = cold("openai-chat")
    assert _twice(proxy, asked, **{"x-omniroute-no-cache": "true"}) == [False, False]
    assert not _hit(post(proxy, asked))
    assert not _hit(post(proxy, asked, **{"x-omniroute-no-cache": "true"}))
    assert not _hit(post(proxy, asked, cache_control="no-cache"))
    assert _hit(post(proxy, asked))


def test_it_is_off_by_itself(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider))
    assert _twice(proxy, cold("openai-chat")) == [False, False]
    assert not list(proxy.home.glob("cache*"))


def test_errors_pieces_and_refusals_are_not_kept(provider: Provider, start_proxy: StartProxy) -> None:
    asked = cold("openai-chat", stream=True)
    last = len(tuple(events("openai-chat", SAID, "m"))) - 2
    refused = json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "No"}, "finish_reason": "content_filter"}
            ],
        }
    )
    provider.script(
        REFUSAL, Say(SAID, cut=last), Whole(200, {"content-type": "application/json"}, refused.encode()), says("Good")
    )
    proxy = start_proxy(_rules(provider) + CACHE)
    assert post(proxy, asked).status_code == 400
    assert b"error" in post(proxy, asked).content
    assert not _hit(post(proxy, replace(asked, body=cold("openai-chat").body)))
    assert [_hit(post(proxy, asked)) for _ in range(2)] == [False, True]


def test_age_and_size_are_bounded(provider: Provider, start_proxy: StartProxy) -> None:
    old = start_proxy(_rules(provider) + "cache: {enabled: true, ttl: 0}\n")
    assert _twice(old, cold("openai-chat")) == [False, False]
    long = start_proxy(_rules(provider) + "cache: {enabled: true, max_answer: 10}\n")
    assert _twice(long, cold("openai-chat")) == [False, False]
    one = start_proxy(_rules(provider) + "cache: {enabled: true, max_entries: 1}\n")
    first, second = cold("openai-chat"), cold("openai-chat", max_tokens=5)
    assert [_hit(post(one, asked)) for asked in (first, first, second, first, second)] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_a_target_that_the_rules_no_longer_name_answers_no_more(
    provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    second.script(says("From the other"))
    named = targets(up=provider, other=second) + CACHE
    proxy = start_proxy(named + routes("up-openai-chat/m", "other-openai-chat/m"))
    asked = cold("openai-chat")
    assert _twice(proxy, asked) == [False, True]
    proxy.write(named + routes("other-openai-chat/m"))
    for _ in range(200):
        answer = post(proxy, asked)
        if not _hit(answer):
            break
    assert spoken("openai-chat", answer) == "From the other"


def test_kept_answers_outlive_the_proxy_without_any_secret(
    provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("kept")
    rules = _rules(provider) + "cache: {enabled: true, persist: true}\n"
    headers = {"authorization": "Bearer canary-of-a-credential"}
    asked = cold("openai-chat")
    with running(directory, rules) as proxy:
        assert _twice(proxy, asked, **headers) == [False, True]
    kept = proxy.home / "cache.db"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert all(b"canary-of-a-credential" not in path.read_bytes() for path in proxy.home.glob("cache.db*"))
    assert all(b"Say hello." not in path.read_bytes() for path in proxy.home.glob("cache.db*"))
    with running(directory, rules) as proxy:
        assert _hit(post(proxy, asked, **headers))
        assert not _hit(post(proxy, asked, authorization="Bearer somebody-else"))
    kept.write_bytes(b"this is no database at all" * 100)
    with running(directory, rules) as proxy:
        assert _twice(proxy, asked, **headers) == [False, True]
        assert "begins anew" in proxy.log.read_text()
    assert len(provider.calls) == 3


def test_the_books_say_what_was_saved(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider) + CACHE)
    assert _twice(proxy, cold("openai-chat")) == [False, True]
    assert proxy.stop() == 0
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        exchanges = books.execute("SELECT route, outcome, ok, attempts FROM exchanges ORDER BY started").fetchall()
        attempts = books.execute(
            "SELECT target, provider, micro, worth, input FROM attempts ORDER BY started"
        ).fetchall()
    assert exchanges == [("routes[0]", "done", 1, 1), ("cache.hit", "replayed", 1, 0)]
    (asked, _, paid, worth, _), (again, owner, cost, saved, tokens) = attempts
    assert (asked, again, owner) == ("up-openai-chat/m", "cache", "up-openai-chat")
    assert worth == paid == 18_000
    assert (cost, saved, tokens) == (0, 18_000, 0)
    command = [sys.executable, "-m", "omniroute_addon", "status", "--json", "--config", str(proxy.config)]
    plain = subprocess.run(
        [one for one in command if one != "--json"],
        env=environment(proxy.home),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert "answered again: 1 cache.hit; saved $0.0180 at list prices" in plain.stdout
    shown = subprocess.run(command, env=environment(proxy.home), capture_output=True, text=True, cwd=ROOT, check=False)
    assert json.loads(shown.stdout)["replayed"] == {
        "today": {"cache.hit": {"calls": 1, "saved": 0.018}},
        "cache": {"entries": 1, "bytes": json.loads(shown.stdout)["replayed"]["cache"]["bytes"]}
        | {"hits": 1, "misses": 1, "joined": 0, "again": 0, "stored": 1, "evicted": 0},
    }


def test_calls_at_once_are_asked_once(provider: Provider, start_proxy: StartProxy) -> None:
    gate = Gate()
    provider.script(Say(SAID, gates={0: gate}))
    proxy = start_proxy(_rules(provider) + CACHE)
    asked = cold("anthropic-messages", stream=True)

    async def together() -> list[Any]:
        async with async_client(proxy, http2=False) as http:
            calls = [asyncio.create_task(http.post(asked.url, content=asked.content)) for _ in range(4)]
            await asyncio.to_thread(gate.wait_reached)
            gate.open()
            return await asyncio.gather(*calls)

    assert {spoken(asked.format, one) for one in asyncio.run(together())} == {SAID.text}
    assert len(provider.calls) == 1


def test_mitmweb_tells_what_was_answered_here_and_a_replay_asks_anew(
    provider: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(_rules(provider) + CACHE, headless=False)
    assert proxy.web is not None
    assert _twice(proxy, cold("openai-chat")) == [False, True]
    with Mitmweb(proxy.web) as web:
        rows = web.wait_rows(lambda rows: any("saved" in row["comment"] for row in rows))
        (hit,) = [row for row in rows if row["comment"].startswith("cache.hit")]
        assert hit["comment"].startswith("cache.hit · answered here · saved $0.0180")
        assert b"Hello from upstream" in web.content(hit, "response")
        web.post(f"/flows/{hit['id']}/replay")
        provider.wait_calls(2)
        web.wait_rows(lambda rows: all("cache.hit" not in row["comment"] for row in rows))


def test_clients_of_http2_get_and_join_answers(provider: Provider, start_proxy: StartProxy) -> None:
    gate = Gate()
    provider.script(Say(SAID, gates={0: gate}))
    proxy = start_proxy(_rules(provider) + CACHE)
    asked = cold("anthropic-messages", stream=True)

    async def together() -> list[Any]:
        async with async_client(proxy, http2=True) as http:
            calls = [asyncio.create_task(http.post(asked.url, content=asked.content)) for _ in range(8)]
            await asyncio.to_thread(gate.wait_reached)
            gate.open()
            return [*await asyncio.gather(*calls), await http.post(asked.url, content=asked.content)]

    answers = asyncio.run(together())
    assert {one.http_version for one in answers} == {"HTTP/2"}
    assert {spoken(asked.format, one) for one in answers} == {SAID.text}
    assert _hit(answers[-1])
    assert len(provider.calls) == 1
