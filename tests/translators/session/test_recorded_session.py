"""A session of forty turns out of what was recorded, whose provider changes at every turn.

The first request is one that a real tool has sent. Each answer is one that the provider has given, word for word, with
the signatures in it; the official SDK of the client's format reads what becomes of it, and what it makes of it is the
agent's history. What users and tools say in between was said to providers, too.

At every turn the provider's validators look at the request: the SDK's types, what the API refuses (``providers``), and
that everything the client holds has arrived or is listed as lost.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.matrix.request_compare import Comparison
from tests.matrix.request_facts import Declared
from tests.matrix.request_readers import read
from tests.matrix.request_types import problems
from tests.matrix.wire import ENVELOPED
from tests.translators.session import material
from tests.translators.session.agents import AGENTS, Agent
from tests.translators.session.material import Recorded
from tests.translators.session.providers import SIGNED, Provider, signatures
from tests.translators.session.received import received
from translators import BoundedMemory, Passthrough, Profile, WireRequest, bridge
from translators.bridge import Bridge
from translators.signatures import wrap

TURNS = 40
MODEL = "gemini-3-pro"  # the one name that changes how its format behaves; to the others a name is a name
RECALLED = "invented thought text"
"""Reasoning that the client has forgotten and the provider wants to see again."""

WITHHELD = ("thought lost", "citations is nowhere mentioned")
"""A passthrough says how many signed parts it has taken out, and not where."""

pytestmark = pytest.mark.skipif(not material.SHARED.exists(), reason="the recordings are not here")


@dataclass
class Station:
    """A provider and what it has to say, of which each answer is given once."""

    provider: Provider
    answers: Iterator[Recorded]


def stations(lap: int) -> list[Station]:
    """All formats, and several providers of some; ``lap`` begins further on in what was recorded."""

    def station(name: str, form: str, host: str, share: slice = slice(None), **more: Any) -> Station:
        found = [one for one in material.answers(_inner(form), host) if _of_today(one, form)][share]
        return Station(Provider(name, form, **more), iter(found[lap:] + found[:lap]))

    vertex = "aiplatform.googleapis.com"
    return [
        station("anthropic", "anthropic-messages", "api.anthropic.com"),
        station("google", "gemini", "generativelanguage.googleapis.com"),
        station("openai-chat", "openai-chat", "api.openai.com", profile=Profile(reasoning_field="none")),
        station("openai", "openai-responses", "api.openai.com"),
        station("groq", "openai-chat", "api.groq.com"),
        station("vertex", "gemini", vertex, slice(0, None, 3)),
        station("openrouter", "openai-chat", "openrouter.ai"),
        station("deepseek", "openai-responses", "api.deepseek.com", official=False),
        station("code-assist", "gemini-cli", vertex, slice(1, None, 3)),
        station("mistral", "openai-chat", "api.mistral.ai"),
        station("antigravity", "antigravity", vertex, slice(2, None, 3)),
    ]


def _inner(form: str) -> str:
    return "gemini" if form in ENVELOPED else form


def _of_today(answer: Recorded, form: str) -> bool:
    """Before the third generation of Gemini calls had no signatures, and the third takes none of those."""
    return answer.signed or not answer.said.calls or _inner(form) != "gemini"


@pytest.mark.parametrize("lap", [0, 4])
@pytest.mark.parametrize("client", AGENTS)
def test_a_recorded_session_is_taken_by_each_provider_that_it_comes_to(client: str, lap: int) -> None:
    course = stations(lap)
    plan = [(station.provider, next(station.answers)) for station in itertools.islice(itertools.cycle(course), TURNS)]
    agent = AGENTS[client](_tools(plan), material.first_request(client))
    said = Said(agent)
    memory = BoundedMemory()
    refused: list[str] = []
    for number, (provider, answer) in enumerate(plan):
        same = client == provider.format
        asked = agent.wire(stream=answer.stream if same else number % 2 == 0)
        joined = bridge(
            client,
            provider.format,
            profile=provider.profile,
            memory=memory,
            wire=asked,
            origin=provider.name,
            home=agent.home,
        )
        wire = joined.request(asked, MODEL)
        wrong = [*_refusals(client, provider, asked, joined, wire)]
        refused += [f"{client} {number} {provider.name} ({answer.id}): {text}" for text in wrong]
        body = _enveloped(answer, provider.format)
        provider.issue(received(provider.format, body, stream=answer.stream, ours=False))
        kind = "text/event-stream" if answer.stream else "application/json"
        out = joined.feed(body, kind) + joined.close()
        assert joined.failure is None, f"{answer.id}: {joined.failure}"
        said.on(received(client, out, stream=joined.streaming, ours=not _kin(client, provider)), failed=number % 7 == 3)
    assert not refused, "\n".join(refused)


def test_the_session_has_all_that_an_agent_meets() -> None:
    course = stations(0)
    plan = [(station.provider, next(station.answers)) for station in itertools.islice(itertools.cycle(course), TURNS)]
    assert all(before.name != after.name for (before, _), (after, _) in itertools.pairwise(plan))
    answers = [answer for _, answer in plan]
    assert len({answer.id for answer in answers}) == TURNS
    assert {answer.stream for answer in answers} == {True, False}
    assert sum(bool(answer.said.calls) for answer in answers) >= 10
    assert sum(len(answer.said.calls) > 1 for answer in answers) >= 2
    assert sum(bool(answer.said.thinking) for answer in answers) >= 5
    assert sum(answer.signed for answer in answers) >= 10
    assert material.pictures()


@dataclass
class Said:
    """Leads the agent on with what users and tools have said."""

    agent: Agent

    def __post_init__(self) -> None:
        self._questions = itertools.cycle(material.questions())
        self._results = itertools.cycle(material.results())
        self._pictures = iter(material.pictures())

    def more(self) -> None:
        self.agent.say(next(self._questions), next(self._pictures, None))

    def on(self, answer: dict[str, Any], *, failed: bool) -> None:
        calls = self.agent.hear(answer)
        if calls:
            self.agent.ran(calls, [next(self._results) for _ in calls], failed=failed)
        else:
            self.more()


def _tools(plan: Sequence[tuple[Provider, Recorded]]) -> list[Declared]:
    """Of two of one name the first."""
    found: dict[str, Declared] = {}
    for _, answer in plan:
        found |= {tool.name: tool for tool in answer.tools if tool.name not in found}
    return [*found.values()]


def _refusals(client: str, provider: Provider, asked: WireRequest, joined: Bridge, wire: WireRequest) -> Iterator[str]:
    same = client == provider.format
    # What a client drops that speaks with its own kind of provider is between these two.
    dropped = same and isinstance(joined, Passthrough)
    own = problems(client, json.loads(asked.body), asked.headers) if same else []
    yield from (said for said in provider.refusals(wire, returned=not dropped) if said not in own)
    source = read(client, json.loads(asked.body), asked.path)
    target = read(provider.format, json.loads(wire.body), wire.path)
    found = Comparison(source, target, joined.losses).problems()
    withheld = isinstance(joined, Passthrough) and any(loss.path == "reasoning" for loss in joined.losses)
    expected = (RECALLED, *WITHHELD) if withheld else (RECALLED,)
    # Our reader of requests does not look for the citations that a Responses history can hold.
    known = [WITHHELD[1]] if b'"url_citation"' in wire.body else []
    # Where nobody has signed, the client holds our word for that, which is nothing that anybody misses.
    marks = signatures(json.loads(asked.body), SIGNED[client])
    if all(value == wrap(None, client) for value in marks):
        known += [f"{name} is nowhere mentioned" for name in SIGNED[client]]
    yield from (said for said in found if not said.startswith(expected) and said not in known)


def _kin(client: str, provider: Provider) -> bool:
    """Whether words of the vendor, which its SDK may not know, come through."""
    google = ("gemini", *ENVELOPED)
    return client == provider.format or (client in google and provider.format in google)


def _enveloped(answer: Recorded, form: str) -> bytes:
    if form not in ENVELOPED:
        return answer.body.encode()
    if not answer.stream:
        return f'{{"response": {answer.body}}}'.encode()
    lines = answer.body.splitlines()
    return (
        "\n".join(
            f'data: {{"response": {line.removeprefix("data:")}}}' if line.startswith("data:") else line
            for line in lines
        ).encode()
        + b"\n\n"
    )
