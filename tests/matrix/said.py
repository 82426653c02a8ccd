"""What an answer says, whatever its format: the value that must be the same before and after a translation.

Everything here counts the way ``hub.Usage`` documents it: cached tokens are inside ``input``, reasoning inside
``output``. Texts are the plain concatenation of their pieces, paragraphs of one reasoning summary a blank line apart.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

type Stop = Literal["end", "tools", "length", "stop_sequence", "refusal", "pause", "other"]

CALL_IDS: Mapping[str, str] = {
    "anthropic-messages": r"[a-zA-Z0-9_-]+",
    "openai-chat": r".{1,512}",
    "openai-responses": r".{1,512}",
    "gemini": r".{1,512}",
    "gemini-cli": r".{1,512}",
    "antigravity": r".{1,512}",
}
"""The call ids that a client's format allows."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the client is to run."""

    id: str
    """Empty where the source gives none; the client must get one all the same."""
    name: str
    arguments: Any
    """As parsed JSON; the raw text where it is none."""


@dataclass(frozen=True, slots=True)
class Said:
    text: str = ""
    thinking: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    stop: Stop = "end"
    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    """Tokens written to a cache; inside ``input``."""
    reasoning: int = 0
    citations: tuple[str, ...] = ()
    """The addresses of what is cited, in order, one for each passage that it backs."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An answer of status 200 that is an error all the same, or a stream that ends with one."""

    message: str


def differences(expected: Said, got: Said, client: str) -> list[str]:
    """One sentence for each field that differs; empty when the client was told the same."""
    found: list[str] = []
    for name in (field.name for field in fields(Said)):
        want, have = getattr(expected, name), getattr(got, name)
        if name == "calls":
            found += _calls(expected.calls, got.calls, CALL_IDS[client])
        elif name == "thinking" and "".join(want.split()) == "".join(have.split()):
            pass  # blank lines between its paragraphs and blocks: some formats have one text for all of them
        elif want != have:
            found.append(f"{name}: {_short(have)} instead of {_short(want)}")
    return found


def _calls(expected: tuple[Call, ...], got: tuple[Call, ...], pattern: str) -> list[str]:
    if [replace(call, id="") for call in expected] != [replace(call, id="") for call in got]:
        return [f"calls: {_short(got)} instead of {_short(expected)}"]
    ids = [call.id for call in got]
    if len(set(ids)) < len(ids) or not all(re.fullmatch(pattern, name) for name in ids):
        return [f"call ids: {ids} are not all legal and different"]
    wanted = [call.id for call in expected]
    kept = all(
        have == want
        for want, have in zip(wanted, ids, strict=True)
        if re.fullmatch(pattern, want) and wanted.count(want) == 1
    )
    return [] if kept else [f"call ids: {ids} instead of {wanted}"]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"
