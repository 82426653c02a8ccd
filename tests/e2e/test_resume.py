"""``on_midstream_failure: resume``: an answer that broke off at one provider and was told to its end by another.

The official SDKs read both as one answer, whatever the three formats are; the ledger has both calls.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.calls import Ask, ask, client, spoken
from tests.e2e.sdks import SDKS, Heard, through
from tests.e2e.targets import targets
from tests.servers import faults
from tests.servers.answers import FORMATS, Answer, Call
from tests.servers.answers import events as said
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import Gate, Say

NEVER = "never said"
BEGUN = Answer(pieces=("The files ", "say ", NEVER), thinking="Both were read.")
REST = Answer(pieces=("what ", "they say."), thinking="Again.", input_tokens=20, output_tokens=5)
WORK = Answer(pieces=("what ", "they say."), calls=(Call("call_a", "read_file", '{"path": "c.txt"}'),))
TEXT = "The files say what they say."
WAYS = ("reset", "close", "clean end", "error event", "silence")
CROSSED = [(client, one, two) for client in SDKS for one in FORMATS for two in FORMATS]
ENDED = [(client, one, way) for client in FORMATS for one in FORMATS for way in WAYS]


@pytest.fixture(scope="module")
def one() -> Generator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(scope="module")
def two() -> Generator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(scope="module")
def module_proxy(one: Provider, two: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    cases = [(*case, case[2]) for case in CROSSED] + [(*case, case[1]) for case in ENDED]
    combos = "".join(combo(name(*case), case[1], second) for *case, second in cases)
    combos += combo("booked", "openai-chat", "openai-chat")
    config = (
        f"{targets(one=one, two=two)}combos:\n{combos}"
        "combo_defaults: {on_midstream_failure: resume}\nresilience: {enabled: false}\ntimeouts: {idle: 1}\n"
        "routes:\n  - {match: {model: plain}, on_midstream_failure: error, to: [one-openai-chat/plain, two-openai-chat/plain]}\n"
    )
    with running(tmp_path_factory.mktemp("resume"), config) as proxy:
        yield proxy


@pytest.fixture
def proxy(module_proxy: Proxy, one: Provider, two: Provider, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    one.forget()
    two.forget()
    through(module_proxy, monkeypatch)
    return module_proxy


def name(*case: str) -> str:
    """A case has targets of its own: one that has failed rests."""
    return "-".join(case).replace(" ", "-")


def combo(named: str, first: str, second: str) -> str:
    return f"  {named}: {{targets: [one-{first}/{named}, two-{second}/{named}]}}\n"


def position(form: str, answer: Answer, word: str) -> int:
    return next(number for number, event in enumerate(said(form, answer, "m")) if word.encode() in event)


def cut(form: str, answer: Answer = BEGUN, word: str = NEVER) -> Say:
    return Say(answer, cut=position(form, answer, word))


def ending(form: str, way: str, gate: Gate) -> Say:
    """A stream that ends in this way once the client has its beginning."""
    at = position(form, BEGUN, NEVER)
    gates = {at: gate}
    match way:
        case "reset":
            return Say(BEGUN, gates=gates, cut=at)
        case "close":
            return Say(BEGUN, gates=gates, cut=at, cut_by="close")
        case "clean end":
            return Say(BEGUN, gates=gates, insert={at: b"\n"}, ends_there=True)
        case "error event":
            return Say(BEGUN, gates=gates, insert={at: faults.error_event(form)}, ends_there=True)
        case _:
            return Say(BEGUN, gates=gates)


def read(proxy: Proxy, asked: Ask, gate: Gate | None = None) -> httpx.Response:
    """The stream to its end; the gate opens when the client has the beginning."""
    with client(proxy) as http, http.stream("POST", asked.url, content=asked.content) as response:
        chunks = response.iter_raw()
        body = b""
        while b"say " not in body:
            body += next(chunks)
        if gate is not None:
            gate.open()
        body += b"".join(chunks)
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def rows(home: Path, text: str, *values: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        return connection.execute(text, values).fetchall()


@pytest.mark.parametrize("client, first, second", CROSSED)
@pytest.mark.usefixtures("proxy")
def test_the_sdk_reads_one_answer(client: str, first: str, second: str, one: Provider, two: Provider) -> None:
    one.script(cut(first))
    two.script(Say(REST))
    with SDKS[client]() as sdk:
        heard = sdk.stream(name(client, first, second))
    told = Heard(TEXT, BEGUN.thinking, [], "end", heard.input_tokens, heard.output_tokens)
    assert heard == told
    assert (heard.input_tokens or 0) > REST.input_tokens
    assert (heard.output_tokens or 0) > REST.output_tokens
    assert (len(one.calls), len(two.calls)) == (1, 1)


@pytest.mark.parametrize("asked_by, first, way", ENDED)
def test_whatever_ends_it(asked_by: str, first: str, way: str, proxy: Proxy, one: Provider, two: Provider) -> None:
    gate = Gate()
    one.script(ending(first, way, gate))
    two.script(Say(WORK))
    asked = ask(asked_by, name(asked_by, first, way), stream=True)
    response = read(proxy, asked, None if way == "silence" else gate)
    thoughts = BEGUN.thinking if asked_by.startswith("gemini") else ""
    assert spoken(asked_by, response) == thoughts + TEXT
    assert b"read_file" in response.content
    assert b"c.txt" in response.content


def test_a_route_may_say_otherwise(proxy: Proxy, one: Provider, two: Provider) -> None:
    one.script(cut("openai-chat"))
    response = read(proxy, ask("openai-chat", "plain", stream=True))
    assert b'"error"' in response.content
    assert two.calls == []


def test_the_ledger_has_both_calls_and_the_clients_sum(proxy: Proxy, one: Provider, two: Provider) -> None:
    one.script(cut("openai-chat"))
    two.script(Say(REST))
    with SDKS["openai-chat"]() as sdk:
        heard = sdk.stream("booked")
    assert proxy.stop() == 0
    found = rows(
        proxy.home,
        "SELECT a.outcome, a.used, a.input, a.output FROM attempts a JOIN exchanges x ON a.exchange = x.id "
        "WHERE x.model = ? ORDER BY a.number",
        "booked",
    )
    assert [outcome.partition(":")[0] for outcome, *_ in found] == ["used until it broke off", "resumed"]
    assert [used for _, used, *_ in found] == [1, 1]
    assert (heard.input_tokens, heard.output_tokens) == tuple(map(sum, zip(*(row[2:] for row in found), strict=True)))
