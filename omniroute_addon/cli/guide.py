"""The first run in a terminal: four questions before ``omniroute up`` starts, and the test call once it serves.

Asked only where somebody sits at a terminal and there are no rules. Enter takes what stands in brackets; ``q`` or the end of
input leaves everything as it is. ``/omniroute/start`` asks the same on a page.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omniroute_addon.cli import console

if TYPE_CHECKING:
    from pathlib import Path

    from omniroute_addon.firstrun import KeyFound, Machine, ToolFound, Wish

PATIENCE = 60.0
"""Seconds for the answer of a test call."""
LONGEST = 300
"""Characters of it that are told."""


class Left(Exception):  # noqa: N818 -- no error: somebody said q
    """Nothing more is to be asked."""


@dataclass(frozen=True, slots=True)
class Led:
    """What came of the questions."""

    tools: "tuple[ToolFound, ...]" = ()
    tries: tuple[str, ...] = ()
    """Targets to ask for a word, once calls are served."""


def wanted(config: "Path | None") -> bool:
    """Whether there are no rules, and somebody to ask."""
    if config is not None or not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return False
    from omniroute_addon.firstrun import place

    return _in_front() and not os.path.lexists(place(os.environ))


def lead() -> Led:
    """Ask, and write the rules if that is wished for."""
    console.tell("There are no rules yet, so every call would pass untouched. Four steps lead to the first ones.")
    console.tell("Enter takes what stands in brackets; q leaves it for later.", "dim")
    try:
        return _steps()
    except Left:
        console.tell("Nothing was written.")
        return Led()


def conclude(led: Led, gateway: str | None, page: str | None) -> None:
    """Make the test calls in the background, and say what comes next."""
    if led.tools:
        threading.Thread(target=_conclude, args=(led, gateway, page), name="first calls", daemon=True).start()


def _steps() -> Led:
    from omniroute_addon import firstrun
    from omniroute_addon.accounts.vault import from_vault

    machine = firstrun.look(os.environ)
    tools = _which_tools(machine)
    machine = _which_keys(machine)
    wish = firstrun.Wish(tools, _which_targets(machine, firstrun.proposed(machine.tools, machine.keys)))
    path, text = firstrun.place(os.environ), firstrun.text(wish, machine.keys)
    _step(3, "First rules")
    console.tell("\n".join(f"    {line}" for line in text.splitlines()), "dim")
    if not _yes(f"Write this to {path}?"):
        raise Left
    firstrun.write(path, text, os.environ, from_vault)
    from omniroute_addon.home import data_dir
    from omniroute_addon.logs.writer import audit_now

    audit_now(data_dir(), "first rules", rules=str(path))
    console.tell("Written. A saved change is used at once, also while the proxy runs.", "green")
    _step(4, "A test call")
    there = {one.provider for one in machine.keys if one.there}
    tries = tuple(target for target in wish.targets if target.partition("/")[0] in there)
    if not tries:
        console.tell("No provider has a key, so there is nothing to test from here.")
    elif not _asked(lambda: _yes(f"Ask {', '.join(tries)} for one word, once the proxy is up?")):
        tries = ()
    return Led(tuple(one for one in machine.tools if one.tool.command in tools), tries)


def _which_tools(machine: "Machine") -> tuple[str, ...]:
    _step(1, "Which tools")
    shown = [one for one in machine.tools if one.installed] or list(machine.tools)
    for number, one in enumerate(shown, 1):
        login = f"login seen in {one.login}" if one.login else "no login seen"
        console.tell(f"  {number}  {one.tool.title:<12} {login if one.installed else 'not installed'}")
    default = range(1, len(shown) + 1) if shown[0].installed else range(1, 2)
    return tuple(
        shown[place - 1].tool.command for place in _numbers("Whose calls go by the rules?", default, len(shown))
    )


def _which_keys(machine: "Machine") -> "Machine":
    from omniroute_addon import firstrun

    _step(2, "Which keys and logins")
    for one in machine.keys:
        if one.there:
            console.tell(f"     {one.title:<12} key in {'the vault' if one.vault else one.variable}")
    if not any(one.there for one in machine.keys):
        console.tell("  No provider's key is on this machine yet; without one there is nothing to fall back to.")
    offered = [one.provider for one in machine.keys if not one.there]
    while name := _ask(f"Add a key? Its provider ({', '.join(offered[:4])}, … ? lists all) [no]: "):
        if name.lower() in ("n", "no"):
            break
        found = next((one for one in machine.keys if one.goes_by(name)), None)
        if name == "?":
            _list(machine.keys)
        elif found is None:
            console.tell("The guide knows no provider of this name; ? lists all.", "yellow")
        elif _keep(found):
            machine = firstrun.look(os.environ)
    return machine


def _list(keys: "Sequence[KeyFound]") -> None:
    for one in keys:
        console.tell(f"     {one.provider:<14} {one.title:<30} {one.tier:<13} {one.variables[0]}")


def _keep(one: "KeyFound") -> bool:
    import getpass

    from omniroute_addon.accounts.vault import Vault
    from omniroute_addon.home import data_dir
    from omniroute_addon.logs.writer import audit_now

    try:
        secret = getpass.getpass(f"Key for {one.title} (not shown; it goes into the vault): ").strip()
    except EOFError:
        raise Left from None
    if not secret:
        console.tell("Nothing was given, nothing is kept.")
        return False
    Vault().set(one.provider, secret)
    audit_now(data_dir(), "vault set", name=one.provider)
    return True


def _which_targets(machine: "Machine", proposed: "Wish") -> tuple[str, ...]:
    from omniroute_addon.config.models import ORIGIN

    there = [one for one in machine.keys if one.there]
    targets = [ORIGIN, *(one.target for one in there)]
    remarks = ["the tool's own login", *(f"{one.tier}, billed by use" if one.charges else one.tier for one in there)]
    for number, (target, remark) in enumerate(zip(targets, remarks, strict=True), 1):
        console.tell(f"  {number}  {target:<36} {remark}")
    default = [targets.index(target) + 1 for target in proposed.targets]
    return tuple(targets[place - 1] for place in _numbers("Ask them in which order?", default, len(targets)))


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _step(number: int, words: str) -> None:
    console.tell("")
    console.tell(f"{number} of 4 · {words}", "bold")


def _ask(question: str) -> str:
    answer = console.ask(question)
    if answer is None or answer.lower() == "q":
        raise Left
    return answer


def _asked(question: Callable[[], bool]) -> bool:
    """Behind what was written: leaving means no."""
    try:
        return question()
    except Left:
        return False


def _yes(question: str) -> bool:
    while True:
        match _ask(f"{question} [Y/n]: ").lower():
            case "" | "y" | "yes":
                return True
            case "n" | "no":
                return False
            case _:
                console.tell("y or n, please.", "yellow")


def _numbers(question: str, default: Sequence[int], most: int) -> list[int]:
    while True:
        words = _ask(f"{question} [{' '.join(map(str, default))}]: ").replace(",", " ").split()
        if not words:
            return list(default)
        found = [int(word) for word in dict.fromkeys(words) if word.isascii() and word.isdigit()]
        if len(found) == len(dict.fromkeys(words)) and all(1 <= one <= most for one in found):
            return found
        console.tell(f"Numbers from 1 to {most}, please.", "yellow")


def _in_front() -> bool:
    """Whether reading from the terminal would not stop us as a job in the background."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return True


# ── the test call ───────────────────────────────────────────────────────────────────────────────────────────────────


def _conclude(led: Led, gateway: str | None, page: str | None) -> None:
    for target in led.tries if gateway else ():
        good, said = tried(f"{gateway}/v1/messages", target)
        console.tell(f"  {'✓' if good else '✗'} {said}", "green" if good else "red")
        if not good and page:
            console.tell(f"    another key can be given at {page}")
    console.tell(f"  now, in another terminal: {' · '.join(one.command for one in led.tools)}")
    for command in filter(None, (one.without_login for one in led.tools)):
        console.tell(f"    without a login of its own: {command}")


def tried(address: str, target: str) -> tuple[bool, str]:
    """Ask ``target`` for a word at the gateway's ``address``: whether it answered, and what to say of it."""
    import httpx

    from omniroute_addon.engine.trial import OUTPUT, QUESTION
    from omniroute_addon.web.secrets import without

    body = {"model": target, "max_tokens": OUTPUT, "messages": [{"role": "user", "content": QUESTION}]}
    begun = time.monotonic()
    try:
        answer = httpx.post(address, json=body, timeout=PATIENCE, trust_env=False)
        said = _words(answer.json())
    except httpx.TimeoutException:
        return False, f"{target} has not answered within {PATIENCE:.0f} s"
    except (httpx.HTTPError, ValueError) as error:
        return False, f"{target} has not answered: {type(error).__name__}"
    shown = without("".join(sign for sign in said if sign.isprintable()))[:LONGEST]
    if answer.status_code == httpx.codes.OK:
        return True, f"{target} has answered in {time.monotonic() - begun:.1f} s: {shown}"
    return False, f"{target} has not answered ({answer.status_code}): {shown}"


def _words(answer: object) -> str:
    match answer:
        case {"error": {"message": str(message)}}:
            return message
        case {"content": [*blocks]}:
            return " ".join(block["text"] for block in blocks if isinstance(block, dict) and block.get("text"))
        case _:
            return ""
