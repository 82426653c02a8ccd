"""What a call wants, as far as rules can see it. What needs the body to be parsed is found out when first asked."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Protocol

import orjson

from omniroute_addon.config.models import Operation
from omniroute_addon.routing import glimpse
from translators import FORMATS, TranslationError, WireRequest, hub
from translators.estimate import input_tokens
from translators.jsontext import glance

_NAMES_FILES = frozenset(["gemini", "gemini-cli", "antigravity"])
"""Formats that may name a file of any size in a few bytes."""


class Facts(Protocol):
    """What rules ask of a request's body."""

    @property
    def has(self) -> frozenset[str]:
        """Features, by the names of ``config.governance.FEATURES``."""
        ...

    @property
    def tokens(self) -> int:
        """Of the input, estimated."""
        ...

    @property
    def at_most(self) -> int:
        """A bound of ``tokens`` that costs nothing."""
        ...

    @property
    def max_output(self) -> int | None:
        """Tokens of output that the client allows; None when it does not say."""
        ...

    @property
    def session(self) -> str | None:
        """Who goes on with an earlier conversation: the client's own id, else a hash of how the conversation begins."""
        ...

    def glimpse(self) -> "Told":
        """What is known without any further work; what is not known is told as well as that allows."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """Facts that are known already."""

    has: frozenset[str] = frozenset()
    tokens: int = 0
    max_output: int | None = None
    session: str | None = None

    @property
    def at_most(self) -> int:
        return self.tokens

    def glimpse(self) -> "Told":
        return self


class BodyFacts:
    """Facts of a request as it came over the wire; a body that cannot be parsed has no features."""

    def __init__(self, form: str, wire: WireRequest, headers: Mapping[str, str]) -> None:
        """``headers``: found by lower-case name."""
        self._format = form
        self._wire = wire
        self._headers = headers

    @property
    def at_most(self) -> int:
        """No tokeniser makes more than one token of a byte, and media are priced by size."""
        files = self._wire.body.count(b"fileData") if self._format in _NAMES_FILES else 0
        return len(self._wire.body) + 5000 * files

    @cached_property
    def has(self) -> frozenset[str]:
        return frozenset() if self._request is None else _features(self._request)

    @cached_property
    def tokens(self) -> int:
        return len(self._wire.body) // 4 if self._request is None else input_tokens(self._request)

    @cached_property
    def max_output(self) -> int | None:
        return None if self._request is None else self._request.max_tokens

    @cached_property
    def session(self) -> str | None:
        return told_session(self._headers) or self._body_session() or self._conversation()

    def glimpse(self) -> Told:
        """What was found out, and else what a look at the body's shape suggests: for records, which may not cost much."""
        known = self.__dict__
        return Told(
            known["has"] if "has" in known else glimpse.features(self._wire),
            known.get("tokens", 0),
            known.get("max_output"),
            known["session"] if "session" in known else told_session(self._headers),
        )

    @cached_property
    def _request(self) -> hub.Request | None:
        try:
            return FORMATS[self._format].parse_request(self._wire)
        except TranslationError:
            return None

    def _body_session(self) -> str | None:
        """Claude Code's ``metadata.user_id``, Codex' ``prompt_cache_key``, Qwen Code's ``metadata.sessionId``."""
        body = glance(self._wire.body)
        if not isinstance(body, dict):
            return None
        metadata = body.get("metadata")
        if isinstance(metadata, dict):
            if isinstance(found := metadata.get("sessionId"), str):
                return found
            if isinstance(found := metadata.get("user_id"), str):
                return _claude_session(found)
        inner = body.get("request")
        for name, owner in (("prompt_cache_key", body), ("session_id", body), ("session_id", inner)):
            if isinstance(owner, dict) and isinstance(found := owner.get(name), str) and found:
                return found
        return None

    def _conversation(self) -> str | None:
        """System text and first message of the user, which stay while a conversation grows."""
        if self._request is None:
            return None
        digest = sha256()
        for message in self._request.messages:
            said = "\0".join(part.text for part in message.parts if isinstance(part, hub.Text))
            digest.update(_PER_CALL.sub("", said).encode("utf-8", "replace"))
            if message.role == "user":
                return digest.hexdigest()[:32]
        return None


@dataclass(frozen=True, slots=True)
class Ask:
    client: str
    format: str
    model: str | None = None
    host: str = ""
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Found by lower-case name."""
    operation: Operation = "generate"
    gateway: bool = False
    """It came to the base-URL endpoints, so there is no own call."""
    provider: str | None = None
    """The surface's provider."""
    slash_models: bool = False
    """The surface's own model names contain slashes."""
    key: str | None = None
    """The name of the gateway key that the caller has shown."""
    source: str = ""
    """The client's address."""
    facts: Facts = field(default_factory=Told, compare=False)


_PER_CALL = re.compile(r"\bcch=[0-9a-f]+")
"""What Claude Code changes in its system text with every call."""
_SESSION_HEADERS = ("x-omniroute-session", "x-claude-code-session-id", "session-id", "session_id", "x-session-id")


def told_session(headers: Mapping[str, str]) -> str | None:
    """The session that the client's headers name. ``headers`` are found by lower-case name."""
    return next((found for name in _SESSION_HEADERS if (found := headers.get(name))), None)


def _claude_session(user_id: str) -> str:
    """The session within ``metadata.user_id``: a JSON object since 2.1, ``user_…_session_UUID`` before; else all of it."""
    if user_id.startswith("{"):
        try:
            told = orjson.loads(user_id)
        except orjson.JSONDecodeError:
            return user_id
        return str(told.get("session_id") or user_id) if isinstance(told, dict) else user_id
    return user_id.rpartition("_session_")[2] or user_id


def _features(request: hub.Request) -> frozenset[str]:
    found: set[str] = set()
    if request.tools:
        found.add("tools")
    if request.stream:
        found.add("stream")
    if request.output is not None:
        found.add("structured")
    if request.reasoning is not None:
        found.add("thinking")
    for message in request.messages:
        found.update(_part_features(message.parts))
    return frozenset(found)


def _part_features(parts: Iterable[hub.Part | hub.ToolReference]) -> Iterable[str]:
    for part in parts:
        match part:
            case hub.Media(kind=kind):
                yield _MEDIA[kind]
            case hub.ToolResult(parts=inner):
                yield "tool-results"
                yield from _part_features(inner)
            case _:
                pass


_MEDIA = {"image": "images", "document": "documents", "audio": "audio", "video": "video"}
