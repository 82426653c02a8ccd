"""The cells of the fault matrix, each with a provider entry, a model name and a route of its own.

Nothing that one cell does can rest a target of another: cooldowns and breakers belong to providers and accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.upstream import BEFORE_THE_BODY
from tests.faults.wires import WIRES
from tests.servers.answers import FORMATS
from tests.servers.provider import BASE_PATHS

CROSSED = {
    "anthropic-messages": "openai-chat",
    "openai-chat": "gemini",
    "openai-responses": "anthropic-messages",
    "gemini": "openai-responses",
    "gemini-cli": "anthropic-messages",
}
"""The format of a first target whose answers are translated, by the client's."""
ROADS = ("dns", "refused", "unreachable", "tls", BEFORE_THE_BODY)
"""Faults on the way to a provider; there is nobody to write them."""
LIMITS: Mapping[str, str] = {
    "unreachable": "{connect: 1}",
    "silence": "{first_event: 1, whole: 1}",
    "headers-then-silence": "{first_event: 1, whole: 1}",
    "late-first-event": "{first_event: 1, whole: 1}",
    "silence-middle": "{idle: 1}",
    "trickle": "{idle: 5}",
}
"""The limits that a fault is there to reach; everything else has all the time in the world."""


@dataclass(frozen=True, slots=True)
class Cell:
    number: int
    fault: str
    client: str
    stream: bool
    crossed: bool
    """The first target speaks another format than the client."""
    spare: bool
    """A second target is there, and it is sound."""

    @property
    def model(self) -> str:
        return f"cell-{self.number}"

    @property
    def upstream(self) -> str:
        return CROSSED[self.client] if self.crossed else self.client

    def __str__(self) -> str:
        manner = "stream" if self.stream else "whole"
        way = "crossed" if self.crossed else "same"
        return f"{self.fault}-{self.client}-{manner}-{way}-{'spare' if self.spare else 'alone'}"


FAULTS = (*ROADS, *(fault for fault in WIRES if fault != "sound"))


def cells(fault: str, client: str) -> list[Cell]:
    start = 8 * (FAULTS.index(fault) * len(FORMATS) + FORMATS.index(client))
    return [Cell(start + bits, fault, client, bool(bits & 1), bool(bits & 2), bool(bits & 4)) for bits in range(8)]


def config(broken: int, refused: int, unreachable: int) -> str:
    """The rules for all cells; the arguments are ports."""
    sound = f"http://127.0.0.1:{broken}/sound/v1/chat/completions"
    lines = ["providers:", f"  sound: {{format: openai-chat, base_url: '{sound}', auth: none}}"]
    routes = ["routes:"]
    for cell in (cell for fault in FAULTS for client in FORMATS for cell in cells(fault, client)):
        limits = LIMITS.get(cell.fault, "{}")
        url = _origin(cell.fault, broken, refused, unreachable) + BASE_PATHS[cell.upstream]
        name = f"first-{cell.number}"
        lines.append(f"  {name}: {{format: {cell.upstream}, base_url: '{url}', auth: none, timeouts: {limits}}}")
        targets = [f"{name}/{cell.model}", *([f"sound/{cell.model}"] if cell.spare else [])]
        routes.append(f"  - {{match: {{model: {cell.model}}}, to: [{', '.join(targets)}]}}")
    return "\n".join([*lines, *routes, ""])


def _origin(fault: str, broken: int, refused: int, unreachable: int) -> str:
    match fault:
        case "dns":
            return "http://nobody.invalid"
        case "refused":
            return f"http://127.0.0.1:{refused}"
        case "unreachable":
            return f"http://127.0.0.1:{unreachable}"
        case "tls":
            return f"https://127.0.0.1:{broken}"
        case _:
            return f"http://127.0.0.1:{broken}/{fault}"
