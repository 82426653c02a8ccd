"""The five tools, each struck in the middle of a task: the task ends right, and no command runs twice.

``make test`` takes the cells in ``SHORT``; with ``EVERY_CELL=1`` all are taken. What users see: ``docs/clients.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.clients import launch, mishaps
from tests.clients.launch import Tool
from tests.clients.mishaps import FIRST, LOG, LOGGED, Mishap, Struck, Worker
from tests.clients.test_claude_code import claude as claude  # noqa: PLC0414 -- a fixture
from tests.clients.test_codex import codex as codex  # noqa: PLC0414 -- a fixture
from tests.clients.test_gemini_cli import gemini as gemini  # noqa: PLC0414 -- a fixture
from tests.clients.test_gemini_cli import google_login as google_login  # noqa: PLC0414 -- a fixture
from tests.clients.test_opencode import opencode as opencode  # noqa: PLC0414 -- a fixture
from tests.clients.test_qwen_code import qwen as qwen  # noqa: PLC0414 -- a fixture
from tests.servers import faults
from tests.servers.provider import Provider
from tests.servers.steps import Gate, Say, Step

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

AWHILE = 8.0
"""Seconds that a trouble lasts which the tool has to sit out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A tool under one of its logins."""

    fixture: str
    first: str
    """The format of the target on the rerouted road; another than the tool's own."""
    spare: str
    speaks: str = "anthropic-messages"
    """Of opencode: the format."""


SUBJECTS: Mapping[str, Subject] = {
    "claude": Subject("claude", "openai-responses", "gemini"),
    "codex": Subject("codex", "anthropic-messages", "openai-chat"),
    "gemini": Subject("gemini", "anthropic-messages", "openai-chat"),
    "gemini login": Subject("google_login", "openai-responses", "gemini"),
    "qwen": Subject("qwen", "anthropic-messages", "gemini"),
    "opencode": Subject("opencode", "openai-responses", "openai-chat"),
    "opencode openai": Subject("opencode", "anthropic-messages", "gemini", "openai-responses"),
    "opencode google": Subject("opencode", "anthropic-messages", "openai-responses", "gemini"),
}
TOOLS = ("claude", "codex", "gemini", "qwen", "opencode")


@dataclass(frozen=True, slots=True)
class Case:
    mishap: Mishap
    spare: bool = False
    """Whether there is a second target."""


def _for(seconds: float, fault: Mishap) -> Mishap:
    return lambda struck: fault(struck) if struck.age < seconds else None


def _once(fault: Mishap) -> Mishap:
    return lambda struck: None if struck.number else fault(struck)


def _storm(struck: Struck) -> Step:
    return faults.server_error(struck.form)


CASES: Mapping[str, Case] = {
    "quota, a spare": Case(lambda struck: faults.quota(struck.form), spare=True),
    "quota for 5 s": Case(_for(4, lambda struck: faults.quota(struck.form, 5))),
    "throttle, a spare": Case(lambda struck: faults.throttle(struck.form, 30), spare=True),
    "throttle for 1 s": Case(_once(lambda struck: faults.throttle(struck.form, 1))),
    "throttle for 6 s": Case(_for(5, lambda struck: faults.throttle(struck.form, 6))),
    "storm, a spare": Case(_storm, spare=True),
    "storm for 8 s": Case(_for(AWHILE, _storm)),
    "cut in text": Case(_once(lambda struck: struck.cut(struck.after("Now ")))),
    "cut in a call": Case(_once(lambda struck: struck.cut(struck.after(struck.said.calls[0].name, 1)))),
    "cut behind a call": Case(_once(lambda struck: struck.cut(struck.unended))),
}
KILLED = ("killed before the answer", "killed in the answer")

GIVES_UP: Mapping[tuple[str, str, str], str] = {
    ("codex", "origin", "quota for 5 s"): "usage limit",
    ("gemini", "origin", "quota for 5 s"): "You have exhausted your daily quota on this model.",
    ("gemini login", "origin", "quota for 5 s"): "You have exhausted your daily quota on this model.",
    ("gemini", "origin", "killed in the answer"): "terminated",
    ("gemini", "rerouted", "killed in the answer"): "terminated",
    ("opencode", "origin", "cut behind a call"): "the connection broke",
    ("opencode openai", "origin", "cut behind a call"): "the connection broke",
}
"""Where the task ends, and what the tool says. It ends by the tool's own rules, but for opencode's: that one would run a
whole call once more."""

SHORT = {
    *((tool, "origin", "quota, a spare") for tool in TOOLS),
    *((tool, "rerouted", "cut in text") for tool in TOOLS),
    *((tool, "rerouted", "cut in a call") for tool in ("claude", "gemini", "qwen")),
    ("claude", "origin", "cut behind a call"),
    ("opencode", "rerouted", "cut behind a call"),
    *((tool, "rerouted", "quota for 5 s") for tool in ("codex",)),
    *((tool, "origin", "throttle for 6 s") for tool in ("codex",)),
    *((tool, "rerouted", "storm for 8 s") for tool in ("claude", "codex")),
    *((tool, "rerouted", "killed in the answer") for tool in ("claude", "codex")),
    ("claude", "origin", "killed before the answer"),
}
"""What every test run takes."""


def cells(*cases: str) -> list[object]:
    return [
        pytest.param(
            *cell, marks=() if cell in SHORT else pytest.mark.every_cell, id=f"{cell[0]}, {cell[1]}: {cell[2]}"
        )
        for cell in product(SUBJECTS, ("origin", "rerouted"), cases)
    ]


@pytest.fixture
def model() -> str:
    return "default"


@pytest.fixture
def speaks(name: str) -> str:
    return SUBJECTS[name].speaks


@pytest.fixture
def tool(request: pytest.FixtureRequest, name: str) -> Tool:
    found: Tool = request.getfixturevalue(SUBJECTS[name].fixture)
    return found


def struck_by(case: Case, name: str, road: str, provider: Provider, second: Provider) -> tuple[Worker, str]:
    """The worker that is struck, and the rules."""
    subject = SUBJECTS[name]
    first, spare = (subject.first if road == "rerouted" else None), (subject.spare if case.spare else None)
    worker = Worker(case.mishap, FIRST if first else "/")
    provider.otherwise, second.otherwise = (Worker(), worker) if first else (worker, Worker())
    return worker, mishaps.rules(second, first, spare)


def check(outcome: launch.Outcome, worker: Worker, directory: Path, cell: tuple[str, str, str]) -> None:
    assert worker.struck, str(outcome)
    # A kill as soon as the provider has said the beginning may come before the tool has it; then any tool asks again.
    early = cell[2] == KILLED[1] and outcome.code == 0
    if early or (words := GIVES_UP.get(cell)) is None:
        mishaps.check_done(outcome, directory)
        return
    assert outcome.code != 0, str(outcome)
    assert words in outcome.stdout + outcome.stderr, str(outcome)
    assert LOGGED.startswith((directory / "work" / LOG).read_text())  # nothing has run twice


@pytest.mark.parametrize("name, road, case", cells(*CASES))
def test_a_task_survives(
    tool: Tool, name: str, road: str, case: str, tmp_path: Path, provider: Provider, second: Provider
) -> None:
    worker, rules = struck_by(CASES[case], name, road, provider, second)
    check(launch.run(tool, tmp_path, provider, rules), worker, tmp_path, (name, road, case))


@pytest.mark.parametrize("name, road, case", cells(*KILLED))
def test_a_task_survives_a_proxy_that_is_killed_and_started_again(
    tool: Tool, name: str, road: str, case: str, tmp_path: Path, provider: Provider, second: Provider
) -> None:
    moment = Gate()

    def killed(struck: Struck) -> Step:
        at = struck.after("Now ") if case == KILLED[1] else 0
        return Say(struck.said, gates=MappingProxyType({at: moment}))

    worker, rules = struck_by(Case(_once(killed)), name, road, provider, second)
    check(launch.run_killed(tool, tmp_path, provider, rules, moment), worker, tmp_path, (name, road, case))
