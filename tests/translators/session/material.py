"""What a recorded session is made of: real answers by provider, first requests of real tools, and what users and tools said.

All of it comes from ``../shared``, next to the repository.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.matrix import wire
from tests.matrix.request_facts import Declared
from tests.matrix.request_readers import read
from tests.matrix.said import Broken, Said
from tests.translators.session.agents import Picture

type Body = dict[str, Any]

SHARED = Path(__file__).resolve().parents[4] / "shared"
_FILES = {
    "anthropic-messages": "open-anthropic",
    "openai-chat": "open-openai-chat",
    "openai-responses": "open-openai-responses",
    "gemini": "open-gemini",
}
_CAPTURED = {
    "anthropic-messages": ("claude-code.jsonl", "/v1/messages?beta=true"),
    "openai-responses": ("codex.jsonl", "/v1/responses"),
    "gemini": ("gemini-cli.jsonl", "/v1beta/models/"),
    "gemini-cli": ("gemini-cli.jsonl", "/v1internal:streamGenerateContent"),
    "antigravity": ("gemini-cli.jsonl", "/v1internal:streamGenerateContent"),
}
_TURNS = ("messages", "input", "contents")
_LONGEST = 4000
"""Characters of a tool's result; the sum of forty is what the test's time goes into."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A good answer with something in it that a conversation goes on from."""

    id: str
    host: str
    stream: bool
    body: str
    said: Said
    signed: bool
    tools: tuple[Declared, ...]
    """Those of its request that it calls."""

    @property
    def kind(self) -> tuple[int, bool, bool]:
        return min(len(self.said.calls), 2), bool(self.said.thinking), self.signed


@cache
def answers(form: str, host: str) -> tuple[Recorded, ...]:
    """In an order that brings each kind of answer early."""
    kinds: dict[tuple[int, bool, bool], list[Recorded]] = {}
    for one in _answers(form):
        if one.host == host:
            kinds.setdefault(one.kind, []).append(one)
    rows = [kinds[kind] for kind in sorted(kinds, reverse=True)]
    longest = max(map(len, rows), default=0)
    return tuple(row[index] for index in range(longest) for row in rows if index < len(row))


def _answers(form: str) -> Iterator[Recorded]:
    signs = ('"signature":', '"redacted_thinking"', '"thoughtSignature":', '"encrypted_content": "', '"data":')
    for row in _rows(f"recordings/{_FILES[form]}.jsonl"):
        stream, body = row["stream"] is True, row["response"]
        if row["status"] != 200 or (stream and '"annotations":[{' in body):  # the SDK of chat breaks on those
            continue
        said = (wire.stream if stream else wire.whole)(form, body)
        if isinstance(said, Broken) or said.stop not in ("end", "tools") or not (said.text or said.calls):
            continue
        uri = urlsplit(row["uri"])
        called = {call.name for call in said.calls}
        declared = {tool.name: tool for tool in read(form, row["request"], uri.path).tools if tool.name in called}
        if set(declared) == called and not any(tool.custom for tool in declared.values()):
            tools = tuple(plain(tool) for tool in declared.values())
            yield Recorded(row["id"], uri.netloc, stream, body, said, any(sign in body for sign in signs), tools)


def plain(tool: Declared) -> Declared:
    """As any format can declare it."""
    return replace(tool, schema=tool.schema or {"type": "object", "properties": {}}, strict=False, deferred=False)


def first_request(form: str) -> Body:
    """The largest request that the tool of this format was seen to send, up to the first answer in it."""
    if form == "openai-chat":
        return _first_chat()
    file, ending = _CAPTURED[form]
    found = [row["body"] for row in _rows(f"client-requests/{file}") if ending in row["path"]]
    opened = [body.get("request", body) for body in found if isinstance(body, dict)]
    return _begun(max((body for body in opened if body.get("tools")), key=lambda body: len(json.dumps(body))))


def _first_chat() -> Body:
    found = [row["request"] for row in _rows("recordings/open-openai-chat.jsonl") if row["request"].get("tools")]
    functions = [body for body in found if all(tool.get("type") == "function" for tool in body["tools"])]
    best = max(functions, key=lambda body: len(body["tools"]))
    return _begun({name: best[name] for name in ("model", "messages", "tools")})


def _begun(body: Body) -> Body:
    name = next(name for name in _TURNS if name in body)
    turns: list[Body] = []
    for turn in body[name]:
        if turn.get("role") not in ("user", "system", "developer"):
            break
        turns.append(turn)
    return {key: value for key, value in body.items() if key not in ("session_id", "stream")} | {name: turns}


@cache
def pictures() -> tuple[Picture, ...]:
    """The images that users have sent, the smallest first: it is sent again with each turn after its own."""
    found: set[tuple[str, str]] = set()
    for row in _rows("recordings/open-anthropic.jsonl"):
        for message in row["request"]["messages"]:
            blocks = message["content"] if isinstance(message["content"], list) else ()
            sources = [block["source"] for block in blocks if block["type"] == "image"]
            found |= {(source["media_type"], source["data"]) for source in sources if source["type"] == "base64"}
    return tuple(Picture(*one) for one in sorted(found, key=lambda one: len(one[1])))


@cache
def questions() -> tuple[str, ...]:
    """What users have asked."""
    return _texts("user", "recordings/open-anthropic.jsonl")


@cache
def results() -> tuple[str, ...]:
    """What tools have answered."""
    names = [f"recordings/{file}.jsonl" for file in _FILES.values()]
    return tuple(dict.fromkeys(text for name in names for text in _texts("tool", name)))


def _texts(role: str, name: str) -> tuple[str, ...]:
    form = next(form for form, file in _FILES.items() if name.endswith(f"/{file}.jsonl"))
    found: list[str] = []
    for row in _rows(name):
        facts = read(form, row["request"], row["uri"])
        found += [text for spoken, text in facts.said if spoken == role and len(text) < _LONGEST]
    return tuple(dict.fromkeys(found))


def _rows(name: str) -> Sequence[Body]:
    return _parsed(SHARED / name)


@cache
def _parsed(path: Path) -> tuple[Body, ...]:
    with path.open() as lines:
        return tuple(map(json.loads, lines))
