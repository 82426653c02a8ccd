"""What a request says, read from its raw JSON: the same words for every wire format.

Deliberately independent of ``translators``: it reads the documents by the providers' references, so that a field which
our parser overlooks is still seen here. Both sides of a translation are read with it and then compared.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

type Role = Literal["system", "user", "assistant", "tool", "thought"]
type JSON = Any


@dataclass(frozen=True, slots=True)
class Declared:
    """A tool that the client runs."""

    name: str
    description: str
    schema: JSON
    """None for a custom tool."""
    custom: bool = False
    strict: bool = False
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    name: str
    arguments: JSON
    """The object, or the text of a custom tool."""


@dataclass(frozen=True, slots=True)
class Answered:
    text: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture, a sound, a document."""

    kind: str
    content: str
    """Base64, an address, the id of a file, or the text of a plain-text document."""


@dataclass(slots=True)
class Facts:
    said: list[tuple[Role, str]] = field(default_factory=list[tuple[Role, str]])
    shown: list[Shown] = field(default_factory=list[Shown])
    calls: list[Called] = field(default_factory=list[Called])
    answers: list[Answered] = field(default_factory=list[Answered])
    tools: list[Declared] = field(default_factory=list[Declared])
    server_tools: list[str] = field(default_factory=list[str])
    choice: tuple[str, tuple[str, ...]] = ("auto", ())
    """auto, none, required or tool; and the tools that it names."""
    parallel: bool = True
    output: JSON = None
    """True for JSON mode, the schema for structured output."""
    thinks: bool | None = None
    wants_thoughts: bool = False
    """Asks to see the thoughts, which a model that thinks by itself has unasked."""
    effort: str | None = None
    budget: int | None = None
    settings: dict[str, JSON] = field(default_factory=dict[str, JSON])
    """Sampling, limits and identity, by the neutral name."""
    opaque: list[str] = field(default_factory=list[str])
    """Words of parts and members that no other format has; each must be listed as a loss."""
    state: bool = False
    """Refers to what only its provider keeps."""

    def say(self, role: Role, text: JSON) -> None:
        if isinstance(text, str) and text.strip():
            self.said.append((role, text))

    def set(self, name: str, value: JSON) -> None:
        if value is not None:
            self.settings[name] = value

    def texts(self, role: Role) -> list[str]:
        return [text for spoken, text in self.said if spoken == role]


def show(kind: str, address: JSON, media_type: JSON = None) -> Shown:
    """``address`` may be base64, a data URI or a link."""
    content = address if isinstance(address, str) else ""
    if content.startswith("data:"):
        head, _, content = content.partition(",")
        media_type = head[5:].partition(";")[0] or media_type
    elif content.startswith(("http:", "https:", "gs:")):
        return Shown(kind, content)
    if isinstance(media_type, str) and media_type.startswith("text/"):
        try:
            return Shown(kind, base64.b64decode(content).decode())
        except (binascii.Error, UnicodeDecodeError):
            pass
    return Shown(kind, content.replace("-", "+").replace("_", "/"))


def parsed(arguments: JSON) -> JSON:
    """Arguments that came as JSON text; the text itself when it is none, an empty object for nothing."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return arguments


def objects(value: JSON) -> Iterable[dict[str, JSON]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def left(source: dict[str, JSON], known: str) -> list[str]:
    """Members that say something and are none of the known ones."""
    names = known.split()
    return [name for name, value in source.items() if name not in names and value not in (None, [], {}, "", False)]


def words(schema: JSON, root: JSON = None, depth: int = 0) -> set[str]:
    """Names of properties, choices and required members anywhere in a JSON schema, references resolved."""
    if not isinstance(schema, dict) or depth > 12:
        return set()
    root = schema if root is None else root
    found: set[str] = set()
    if isinstance(ref := schema.get("$ref"), str):
        target: JSON = root
        for step in ref.removeprefix("#").strip("/").split("/"):
            target = target.get(step, {}) if isinstance(target, dict) and step else target
        if target is not root:
            found |= words(target, root, depth + 1)
    for name, inner in (schema.get("properties") or {}).items():
        found |= {name} | words(inner, root, depth + 1)
    for name in ("items", "additionalProperties", "not"):
        found |= words(schema.get(name), root, depth + 1)
    for name in ("anyOf", "oneOf", "allOf", "prefixItems", "items"):
        for inner in objects(schema.get(name)):
            found |= words(inner, root, depth + 1)
    found |= {f"={choice}" for choice in schema.get("enum") or () if isinstance(choice, str) and choice}
    if isinstance(schema.get("required"), list):
        found |= {f"{name}!" for name in schema["required"] if name in (schema.get("properties") or {})}
    return found
