"""One task of a real tool, its model in another wire format at every turn.

The turn is read off the tool results in the request. Each format has a target; of all of them only the turn's own knows
the model, so that each turn is also asked in vain in other formats, and none of them rests afterwards.
"""

import base64
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from tests.clients import launch
from tests.clients.agent import READ_NOTE, call, reply, results
from tests.clients.launch import TOKEN, Tool
from tests.clients.test_claude_code import claude as claude  # noqa: PLC0414 -- a fixture
from tests.clients.test_codex import codex as codex  # noqa: PLC0414 -- a fixture
from tests.clients.test_codex import model as model  # noqa: PLC0414 -- a fixture
from tests.servers import faults
from tests.servers.answers import FORMATS, Answer
from tests.servers.provider import Provider, Received
from tests.servers.steps import Say, Step

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

COMMANDS = (READ_NOTE, *(f"echo step {number} of $((3 * 3))" for number in range(1, 10)))
"""One per turn; the last turn says what they put out. Two rounds through all formats."""
OUTPUTS = (TOKEN, *(f"step {number} of 9" for number in range(1, 10)))
KINDS = {"anthropic-messages": "not_found_error", "gemini": "NOT_FOUND", "gemini-cli": "NOT_FOUND"}
GOOGLE = {"gemini", "gemini-cli"}


def format_of(turn: int) -> str:
    return FORMATS[turn % len(FORMATS)]


def proof(turn: int) -> str:
    return base64.b64encode(f"proof of turn {turn} in {format_of(turn)}".encode()).decode()


def traveller(request: Received) -> Step:
    form, body = request.format, request.json
    assert form is not None
    turn = len(results(form, body))
    asked = call(form, body, COMMANDS[turn] if turn < len(COMMANDS) else "", f"call_{turn:02}_0a1b2c3d4e5f")
    if asked is None:
        return Say(reply(form, body))
    if form != format_of(turn):
        return faults.failure(form, 404, KINDS.get(form, "model_not_found"), "model not found")
    if turn == len(COMMANDS):
        pieces = ("The tools said: ", *(f"{result.text}\n" for result in results(form, body)))
        return Say(Answer(pieces, number=turn))
    # Claude Code takes two messages of one id for one; only what is passed through needs ids of its own.
    number = turn if form == "anthropic-messages" else 1
    said = Answer(("Next ", "step."), (asked,), f"Thought {turn}.", proof(turn), number)
    return Say(said)


def answered(provider: Provider) -> list[Received]:
    """The requests that were answered, one per turn."""
    found: dict[int, Received] = {}
    for one in provider.calls:
        assert one.format is not None
        turn = len(results(one.format, one.json))
        if one.format == format_of(turn) and call(one.format, one.json, ""):
            assert turn not in found, f"turn {turn} was asked twice"
            found[turn] = one
    return list(found.values())


def proofs(request: Received, turns: Iterable[int]) -> set[int]:
    """Of which turns a request carries the proof, as it was given."""
    return {turn for turn in turns if proof(turn) in request.body.decode()}


def check(outcome: launch.Outcome, own: Provider, other: Provider, *, untold: Collection[str]) -> None:
    """The task is done; each format but ``untold`` has got its own reasoning back, and none another's."""
    assert outcome.code == 0, str(outcome)
    missing = [output for output in OUTPUTS if output not in outcome.stdout]
    assert missing == [], str(outcome)
    assert own.calls == []
    turns = answered(other)
    assert [one.format for one in turns] == [format_of(turn) for turn in range(len(COMMANDS) + 1)]
    for turn, one in enumerate(turns):
        form = one.format
        assert form is not None
        heard = [result.text for result in results(form, one.json)]
        assert [output for output, text in zip(OUTPUTS, heard, strict=False) if output not in text] == []
        alike = GOOGLE if form in GOOGLE else {form}
        own_turns = {before for before in range(turn) if format_of(before) == form and form not in untold}
        kin_turns = {before for before in range(turn) if format_of(before) in alike}
        carried = proofs(one, range(turn))
        assert own_turns <= carried <= kin_turns, f"turn {turn} in {form}: {carried}"


def test_claude_code_does_not_notice(claude: Tool, tmp_path: Path, provider: Provider, second: Provider) -> None:
    second.otherwise = traveller
    outcome = launch.run(claude, tmp_path, provider, launch.spread(second, FORMATS))
    # It keeps no thinking of a model that it has not asked for, which a passthrough names.
    check(outcome, provider, second, untold=("openai-chat", "anthropic-messages"))


@pytest.mark.parametrize("model", ["default", "gpt-5.5"], indirect=True)
def test_codex_does_not_notice(codex: Tool, tmp_path: Path, provider: Provider, second: Provider) -> None:
    second.otherwise = traveller
    outcome = launch.run(codex, tmp_path, provider, launch.spread(second, FORMATS))
    check(outcome, provider, second, untold=("openai-chat",))
