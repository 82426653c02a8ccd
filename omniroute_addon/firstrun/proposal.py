"""First rules for what is on this machine, as a file's text with comments. Pure.

The text names keys and holds none: ``"${VARIABLE}"`` for one of the environment, ``{vault: NAME}`` for one of the vault.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omniroute_addon.config.models import ORIGIN
from omniroute_addon.firstrun.found import HABITS, KeyFound, ToolFound

COMBO = "first"
MODEL = r"[A-Za-z0-9][A-Za-z0-9_./@+-]{0,150}(?::[A-Za-z0-9_.-]{1,40})?"
"""What may stand behind a target's slash; nothing that YAML would read otherwise."""
_TARGET = re.compile(rf"(?P<provider>[a-z0-9-]+)/{MODEL}")


class ProposalError(ValueError):
    """What was wished for cannot be written."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody chose."""

    tools: tuple[str, ...]
    """Commands."""
    targets: tuple[str, ...]
    """In order; ``origin`` is the tool's own login."""


def proposed(tools: Sequence[ToolFound], keys: Sequence[KeyFound]) -> Wish:
    """What to choose unless somebody knows better: everything that is there, but nothing that would surprise by its price.

    The own login stands first, also where none was seen: keychains cannot be looked into.
    """
    installed = tuple(one.tool.command for one in tools if one.installed)
    there = [one for one in keys if one.there]
    kind = [one for one in there if not one.charges] or there[:1]
    return Wish(installed or (tools[0].tool.command,), (ORIGIN, *(one.target for one in kind)))


def text(wish: Wish, keys: Sequence[KeyFound]) -> str:
    """The file. Raises ProposalError."""
    known = {one.provider: one for one in keys}
    used = _providers(wish, known)
    lines = [
        "# First rules, written by OmniRoute's guide; yours from now on. A saved change is used at once.",
        "# Every key is explained in config/omniroute.example.yaml and docs/rules.md.",
        "version: 1",
    ]
    if used:
        lines += ["", "# Where keys are, never what they are.", "accounts:"]
        lines += [
            f"  - {{name: {one.provider}, provider: {one.provider}, key: {_key(one)}}}   # {one.title}" for one in used
        ]
    lines += ["", "combos:", f"  {COMBO}:"]
    lines += ["    strategy: priority         # from top to bottom, until one answers", "    targets:"]
    lines += [f"      - {target}{_remark(target, known)}" for target in wish.targets]
    lines += ["", "# The first that matches wins; what none matches passes untouched.", "routes:"]
    lines += [
        f"  - {{name: {command}, match: {{client: {HABITS[command].client}}}, to: {COMBO}}}" for command in wish.tools
    ]
    return "\n".join(lines) + "\n"


def _providers(wish: Wish, known: Mapping[str, KeyFound]) -> list[KeyFound]:
    if unknown := [command for command in wish.tools if command not in HABITS]:
        raise ProposalError(f"{unknown[0]!r} is no tool that the guide knows")
    if not wish.tools:
        raise ProposalError("no tool is chosen")
    if not wish.targets:
        raise ProposalError("no target is chosen")
    if len(set(wish.targets)) < len(wish.targets) or len(set(wish.tools)) < len(wish.tools):
        raise ProposalError("something is named twice")
    found: dict[str, KeyFound] = {}
    for target in wish.targets:
        if target == ORIGIN:
            continue
        match = _TARGET.fullmatch(target)
        if match is None or match["provider"] not in known:
            raise ProposalError(f"{target!r} is no target that the guide knows; it must be provider/model")
        found[match["provider"]] = known[match["provider"]]
    return list(found.values())


def _key(one: KeyFound) -> str:
    """The vault first: whoever put a key there meant it."""
    return f"{{vault: {one.provider}}}" if one.vault else f'"${{{one.variable or one.variables[0]}}}"'


def _remark(target: str, known: Mapping[str, KeyFound]) -> str:
    if target == ORIGIN:
        return "                 # the call as the tool made it, with its own login"
    one = known[target.partition("/")[0]]
    price = {"subscription": "a plan", "cheap": "cheap", "free": "free"}.get(one.tier)
    return f"   # {price}" if price else "" if one.charges else "   # free"
