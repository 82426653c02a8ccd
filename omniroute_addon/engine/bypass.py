"""Calls that a tool makes on its own and whose answer nobody needs: recognised, and answered without any provider. Pure.

``bypass:`` of the rules switches each kind on by itself. What a tool's throw-away calls look like was seen on the wire
(Claude Code 2.1, opencode 1.18) or is known from older versions; everything must fit, or the call goes its ordinary
way: a turn of the user that was answered from here would be worse than a hundred titles paid for.

=============  =======================================================================================================
warmup         Claude Code primes its prompt cache: its only message says ``Warmup``
titles         the title of a session, as JSON or as text (Claude Code, Codex, opencode); and whether a message begins
               a new topic (older Claude Code). The title is the first words of the conversation.
quota_probe    Claude Code asks for one token to see the quota's headers: ``quota``
count_tokens   token counting of any client; estimated here, and the answer says so. Also older Claude Code's way of
               counting: ``count`` with one token of output
=============  =======================================================================================================
"""

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from omniroute_addon.config.governance import Bypass
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.verdicts import estimate
from translators import FORMATS, TranslationError, WireRequest, WireResponse, hub
from translators.estimate import input_tokens
from translators.fold import unfold

type Kind = Literal["warmup", "titles", "quota_probe", "count_tokens"]
"""By the key that switches it on."""

NO_TITLE = "New session"

_JSON = "application/json"
_TOOLS = re.compile(rb'"tools"\s*:\s*\[\s*[^\s\]]')
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_SESSION = re.compile(r"<session>(.*?)</session>", re.DOTALL)
_ASKED = re.compile(
    r"\s*(?:Generate a title for this conversation:|Please write a 5-10 word title for the following conversation:)\s*"
    r"(?:User:)?",
)
_TITLE_WORDS, _TOPIC_WORDS, _LONGEST = 5, 3, 50
_SYSTEM = ("system", "developer")
_IDS = {"anthropic-messages": "msg_", "openai-chat": "chatcmpl-", "openai-responses": "resp_"}


@dataclass(frozen=True, slots=True)
class Canned:
    """A call that gets an answer of ours."""

    kind: Kind
    text: str
    stop: hub.StopReason = "end"
    tokens: int = 1
    """Of the input, as the answer reports it."""


def canned(call: Call, rules: Bypass) -> Canned | None:
    """What a call gets without any provider; None for one that goes its ordinary way."""
    if call.operation == "count":
        return Canned("count_tokens", "") if rules.count_tokens else None
    if call.operation != "generate" or not (rules.warmup or rules.titles or rules.quota_probe or rules.count_tokens):
        return None
    match call.client, call.format:
        case "claude-code", "anthropic-messages":
            found = _claude_code(call.wire)
        case "opencode", _:
            found = _opencode(call.wire, call.format)
        case "codex", "openai-responses":
            found = _codex(call.wire)
        case _:
            found = None
    return found if found is not None and getattr(rules, found.kind) else None


# ── who asks what ───────────────────────────────────────────────────────────────────────────────────────────────────


def _claude_code(wire: WireRequest) -> Canned | None:
    if wire.headers.get("x-claude-code-request-class") == "main":
        return None
    body = wire.body
    small = any(word in body for word in (b'"quota"', b'"count"', b'"Warmup"'))
    if not small and _TOOLS.search(body) is not None:
        return None  # what names no tools is a side call, and every turn of the user has some
    request = _parsed("anthropic-messages", wire)
    if request is None:
        return None
    system = _text(*(message for message in request.messages if message.role in _SYSTEM))
    said = [message for message in request.messages if message.role not in _SYSTEM]
    if len(said) == 1 and said[0].role == "user" and len(said[0].parts) == 1:
        match _text(said[0]), request.max_tokens:
            case "quota", 1 if not system and not request.tools:
                return Canned("quota_probe", "#", "max_tokens")
            case "count", 1:
                return Canned("count_tokens", "#", "max_tokens", input_tokens(request))
            case "Warmup", _:
                return Canned("warmup", "Ready.")
            case _:
                pass
    return None if request.tools or not said else _claude_title(request, system, said)


def _claude_title(request: hub.Request, system: str, said: list[hub.Message]) -> Canned | None:
    first = _text(*(message for message in said if message.role == "user"))
    if _wants_title(request.output):
        return Canned("titles", _json({"title": title(first)}))
    if "isNewTopic" in system:
        document = _json({"isNewTopic": True, "title": title(first, _TOPIC_WORDS)})
    elif said[-1].role == "assistant" and "title" in system:
        document = _json({"title": title(first)})
    elif len(said) == 1 and _ASKED.match(first):
        return Canned("titles", title(first))
    else:
        return None
    if said[-1].role == "user":
        return Canned("titles", document)
    # The model goes on behind what the tool has put into its mouth.
    return Canned("titles", document[1:]) if _text(said[-1]).strip() == "{" else None


def _opencode(wire: WireRequest, form: str) -> Canned | None:
    if b"You are a title generator." not in wire.body or _TOOLS.search(wire.body) is not None:
        return None
    request = _parsed(form, wire)
    if request is None or request.tools or any(message.role == "assistant" for message in request.messages):
        return None
    system = _text(*(message for message in request.messages if message.role in _SYSTEM))
    asked = [_text(message) for message in request.messages if message.role == "user"]
    if not system.startswith("You are a title generator.") or not asked or not _ASKED.match(asked[0]):
        return None
    return Canned("titles", title("\n".join(asked)))


def _codex(wire: WireRequest) -> Canned | None:
    try:
        told = orjson.loads(wire.headers.get("x-codex-turn-metadata", "{}"))
    except ValueError:
        return None
    match told:
        case {"thread_source": "thread_title"}:
            pass
        case _:
            return None
    request = _parsed("openai-responses", wire)
    if request is None or not _wants_title(request.output):
        return None
    asked = [_text(message) for message in request.messages if message.role == "user"]
    return Canned("titles", _json({"title": title(asked[-1])})) if asked else None


def _parsed(form: str, wire: WireRequest) -> hub.Request | None:
    try:
        return FORMATS[form].parse_request(wire)
    except TranslationError:
        return None


def _wants_title(output: hub.OutputFormat | None) -> bool:
    """The answer is to be an object with a title and nothing else."""
    match output and output.schema:
        case {"properties": {"title": {"type": "string"}, **others}} if not others:
            return True
        case _:
            return False


def _text(*messages: hub.Message) -> str:
    return "\n".join(part.text for message in messages for part in message.parts if isinstance(part, hub.Text))


def title(text: str, words: int = _TITLE_WORDS) -> str:
    """The first words of a conversation."""
    if found := _SESSION.search(text):
        text = found[1]
    text = _ASKED.sub("", _REMINDER.sub("", text), count=1)
    line = next((line for line in text.splitlines() if line.strip(" \t\"'`#*-<>")), "")
    chosen = " ".join(line.split()[:words]).strip(" \t\"'`#*-.,:;<>")[:_LONGEST].strip()
    return f"{chosen[0].upper()}{chosen[1:]}" if chosen else NO_TITLE


def _json(document: Mapping[str, object]) -> str:
    return orjson.dumps(document).decode()


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


def answer(call: Call, found: Canned) -> WireResponse:
    """The answer in the client's format, whole or as a stream. Raises TranslationError for a call that cannot be read."""
    form = FORMATS[call.format]
    request = form.parse_request(call.wire)
    if call.operation == "count":
        return estimate(call.format, request)
    response = hub.Response(
        id=f"{_IDS.get(call.format, '')}{uuid.uuid4().hex}",
        model=call.model or "",
        parts=(hub.Text(found.text),),
        stop=hub.Stop(found.stop),
        usage=hub.Usage(input=found.tokens, output=1),
        created=int(time.time()),
    )
    if not call.streaming:
        return WireResponse(200, {"content-type": _JSON}, form.render_response(response, request, []))
    renderer = form.stream_renderer(replace(request, stream=True), [])
    body = b"".join(renderer.render(event) for event in unfold(response)) + renderer.close()
    if body.startswith((b"[", b"{")):
        return WireResponse(200, {"content-type": _JSON}, body)
    return WireResponse(200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}, body)
