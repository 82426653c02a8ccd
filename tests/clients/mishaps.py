"""A task in three turns whose second turn meets a mishap, and the rules it is done under.

Turn 0 has the tool copy the note into a log, turn 1 add a line and show the log, turn 2 says what it showed. Both commands
*append*: a tool that runs one twice, or not at all, leaves another log.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.agent import NOTE, call, reply, results, url
from tests.clients.launch import PROVIDER_KEY, TOKEN, Outcome
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider, Received
from tests.servers.steps import Say, Step

LOG = "log.txt"
COMMANDS = (f"cat {NOTE} >> {LOG}", f"echo second >> {LOG}; cat {LOG}")
LOGGED = f"{TOKEN}\nsecond\n"
STRUCK = 1
"""The turn of the mishap."""
FIRST = "/first/"
"""Of a provider, the calls under this path are those that mishaps strike on the rerouted road."""


ENDING = {"anthropic-messages": 2, "openai-chat": 3}
"""How many events end an answer, where it is not one."""


@dataclass(frozen=True, slots=True)
class Struck:
    """One call of the turn that the mishap strikes."""

    form: str
    number: int
    """From 0."""
    age: float
    """Seconds since the first such call."""
    said: Answer
    """What it would have got."""

    def cut(self, number: int) -> Say:
        """Broken off before the event of that number."""
        return Say(self.said, cut=number)

    def after(self, found: str, more: int = 0) -> int:
        """The event that comes ``more`` after the one behind the first with ``found`` in it, at most the last."""
        said = self._events
        first = next(number for number, event in enumerate(said) if found in event.decode())
        return min(first + 1 + more, len(said) - 1)

    @property
    def unended(self) -> int:
        """The first of the events that end the answer; its call is whole by then."""
        return len(self._events) - ENDING.get(self.form, 1)

    @property
    def _events(self) -> list[bytes]:
        return events(self.form, self.said, "some-model")


type Mishap = Callable[[Struck], Step | None]
"""What a struck call gets; None: its proper answer."""


@dataclass(slots=True, eq=False)
class Worker:
    """A provider's behaviour: does the task, but for what ``mishap`` does to calls under ``path``."""

    mishap: Mishap = lambda _: None
    path: str = "/"
    struck: list[float] = field(default_factory=list)
    """When."""

    def __call__(self, request: Received) -> Step:
        form, body = request.format, request.json
        assert form is not None
        turn = turn_of(request)
        asked = call(form, body, COMMANDS[min(turn, len(COMMANDS) - 1)], f"call_{turn:02}_0a1b2c3d4e5f")
        if asked is None:
            return Say(reply(form, body))
        if turn == len(COMMANDS):
            return Say(Answer(("The log ", "says: ", results(form, body)[-1].text), number=turn))
        said = Answer(("Now ", "step ", f"{turn}."), (asked,), number=turn)
        if turn != STRUCK or not request.path.startswith(self.path):
            return Say(said)
        self.struck.append(time.monotonic())
        return self.mishap(Struck(form, len(self.struck) - 1, self.struck[-1] - self.struck[0], said)) or Say(said)


def turn_of(request: Received) -> int:
    """By what the tool has heard, not how often: some keep a call that was cut off, with a result that says so."""
    assert request.format is not None
    heard = results(request.format, request.json)
    return len(COMMANDS) if any(_ran_last(result.text) for result in heard) else min(len(heard), STRUCK)


def _ran_last(heard: str) -> bool:
    """Qwen Code's shell loses what one command in a dozen prints; then the exit code has to do."""
    return TOKEN in heard or (COMMANDS[-1] in heard and "Exit Code: 0" in heard)


def rules(second: Provider, first: str | None, spare: str | None) -> str:
    """Calls go to ``second`` in the format ``first`` (None: the tool's own provider), then in the format ``spare``."""
    providers = accounts = ""
    targets: list[str] = [] if first else ["origin"]
    for name, form, path in (("first", first, FIRST.strip("/")), ("spare", spare, "")):
        if form:
            providers += f'  {name}: {{format: {form}, base_url: "{url(second, form, path)}", auth: bearer}}\n'
            accounts += f"  - {{name: {name}, provider: {name}, key: {PROVIDER_KEY}}}\n"
            targets.append(f"{name}/some-model")
    listed = f"accounts:\n{accounts}" if accounts else ""
    return f"""{providers}{listed}combos:
  task: {{strategy: priority, targets: [{", ".join(targets)}]}}
routes:
  - {{match: {{model: "*"}}, to: task}}
"""


def check_done(outcome: Outcome, directory: Path) -> None:
    """The task has ended right, and each command ran exactly once."""
    assert outcome.code == 0, str(outcome)
    log = directory / "work" / LOG
    assert log.exists(), str(outcome)
    assert log.read_text() == LOGGED, str(outcome)
    assert "second" in outcome.stdout, str(outcome)
