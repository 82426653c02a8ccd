"""An agent's session of forty turns whose provider changes at every turn, each of them strict about its reasoning."""

import orjson
import pytest

from tests.translators.session.agents import AGENTS, PIXEL
from tests.translators.session.providers import Maker
from translators import BoundedMemory, Passthrough, Profile, bridge

TURNS = 40
MODEL = "gemini-3-pro"  # the one name that changes how its format behaves; to the others a name is a name


def providers() -> list[Maker]:
    """All formats, and two providers of most of them."""
    return [
        Maker("anthropic", "anthropic-messages"),
        Maker("google", "gemini"),
        Maker("deepseek", "openai-chat", Profile(reasoning_lost="."), signs=False),
        Maker("glm", "anthropic-messages"),
        Maker("openai", "openai-responses"),
        Maker("other-google", "gemini"),
        Maker("router", "openai-chat"),
        Maker("azure", "openai-responses"),
        Maker("assist", "gemini-cli"),
    ]


@pytest.mark.parametrize("client", AGENTS)
def test_a_session_that_changes_its_provider_every_turn_is_taken_by_each(client: str) -> None:
    agent, memory, cycle = AGENTS[client](), BoundedMemory(), providers()
    agent.say("Look at this repository.")
    refused: list[str] = []
    for number in range(TURNS):
        provider = cycle[number % len(cycle)]
        asked = agent.wire(stream=False)
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
        # What a client drops that speaks with its own kind of provider is between these two.
        dropped = client == provider.format == "openai-chat" and isinstance(joined, Passthrough)
        refused += [
            f"{client} {number} {provider.name}: {said}" for said in provider.refusals(wire, returned=not dropped)
        ]
        out = joined.feed(provider.answer(number), "application/json") + joined.close()
        assert joined.failure is None
        answer = orjson.loads(out)
        calls = agent.hear(answer.get("response", answer))
        if calls:
            failed = number % 7 == 0
            agent.ran(calls, ["no such file" if failed else "done"] * len(calls), failed=failed)
        else:
            agent.say(f"And then, after {number}?", PIXEL if number % 3 == 0 else None)
        if number == 20:
            agent.rules += " Be brief."
    assert not refused, "\n".join(refused)
