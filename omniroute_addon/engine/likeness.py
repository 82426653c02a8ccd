"""When two calls are the same call: what a caller is, and what a request is, as digests. Pure.

Both kinds of likeness begin with the *caller*: the gateway key's name and every credential that the call carries (where
there is none, its address), so that nobody ever gets another's answer. Then come where the call goes, in which format,
the headers that change its meaning, and its body:

* An *errand* is a call with an ``Idempotency-Key``. The key alone is not trusted: a call with the same key and another
  body is another call.
* A *question* is a request whose answer may be given again: temperature 0, said by the client, without tools (unless the
  rules allow them) and without state at its provider. Its body is canonical: all of it counts, whatever the order of its
  members, but for whether it is to be streamed, which :attr:`Question.manner` has.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast
from urllib.parse import parse_qsl

from omniroute_addon.config.caching import Cache, Idempotency
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.wording import Wording, literals, taken_out
from omniroute_addon.routing.ask import Ask

NO_CACHE = "x-omniroute-no-cache"

_KEY, _REQUEST_ID = "idempotency-key", "x-request-id"
_LONGEST_KEY = 512
_OWN = "x-omniroute-"
_MEANINGFUL = frozenset(
    [
        "anthropic-beta",
        "anthropic-version",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
    ]
)
_STREAM_METHOD, _WHOLE_METHOD = ":streamGenerateContent", ":generateContent"
_TOOLS = ("tools", "functions")
_STATEFUL = ("previous_response_id", "conversation", "background", "container")
"""Members that stand for something the provider keeps."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request whose answer may be given again."""

    key: str
    manner: str
    """How the answer is to come: the same bytes do only for the same manner."""
    wording: Wording | None = None
    """What may be said in other words; None when it must not be."""


def errand(call: Call, ask: Ask, rules: Idempotency) -> str | None:
    """The digest of a call that its client has given a key; None for all others."""
    if not rules.enabled:
        return None
    headers = call.wire.headers
    key = headers.get(_KEY) or (headers.get(_REQUEST_ID) if rules.request_id else None)
    if not key or len(key) > _LONGEST_KEY:
        return None
    return _digest("errand", key, *_caller(call, ask), *_address(call, call.wire.path), call.wire.query, call.wire.body)


def question(call: Call, ask: Ask, rules: Cache, shape: str = "", *, reworded: bool = False) -> Question | None:
    """The digest of a request whose answer may be given again; None for all others.

    ``shape``: whatever else changes what a target is asked. ``reworded``: also find what may be said in other words.
    """
    if not rules.enabled or b"emperature" not in call.wire.body or _declined(call):
        return None
    try:
        body: object = json.loads(call.wire.body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    body = cast("dict[str, Any]", body)
    inner = body.get("request") if call.format in ("gemini-cli", "antigravity") else body
    if not isinstance(inner, dict) or not _answers_alike(cast("dict[str, Any]", inner), rules):
        return None
    manner = json.dumps([body.pop("stream", None), body.pop("stream_options", None)], sort_keys=True)
    path = call.wire.path
    if path.endswith(_STREAM_METHOD):
        path, manner = path.removesuffix(_STREAM_METHOD) + _WHOLE_METHOD, f"stream {manner}"
    query = sorted(parse_qsl(call.wire.query, keep_blank_values=True))
    manner += "".join(f" {name}={value}" for name, value in query if name == "alt")
    asked = [f"{name}={value}" for name, value in query if name != "alt"]
    around = (shape, *_caller(call, ask), *_address(call, path), *asked)
    key = _digest("question", *around, _canonical(body))
    if not reworded or rules.semantic is None or any(inner.get(name) for name in _TOOLS):
        return Question(key, manner)
    text = taken_out(call.format, cast("dict[str, Any]", inner))
    if text is None or not text.strip() or len(text.encode("utf-8", "surrogatepass")) > rules.semantic.max_text:
        return Question(key, manner)
    scope = _digest("wording", rules.semantic.embeddings, *around, _canonical(body), json.dumps([*literals(text)]))
    return Question(key, manner, Wording(scope, text))


def _canonical(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _declined(call: Call) -> bool:
    headers = call.wire.headers
    said = headers.get("cache-control", "").lower()
    return headers.get(NO_CACHE, "").strip().lower() == "true" or "no-cache" in said or "no-store" in said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Whoever reads a member that stands twice may take either."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _answers_alike(body: dict[str, Any], rules: Cache) -> bool:
    config = body.get("generationConfig")
    told = (cast("dict[str, Any]", config) if isinstance(config, dict) else body).get("temperature")
    if isinstance(told, bool) or not isinstance(told, int | float) or told != 0:
        return False
    if any(body.get(name) for name in _STATEFUL):
        return False
    return rules.tools or not any(body.get(name) for name in _TOOLS)


def _caller(call: Call, ask: Ask) -> Iterator[str]:
    """Who calls: without credentials, the address is all there is."""
    yield f"key {ask.key}"
    shown = sorted(f"{name.lower()}: {value}" for name, value in call.headers if header_rules.is_secret(name))
    pairs = parse_qsl(call.wire.query, keep_blank_values=True)
    shown += sorted(f"{name}={value}" for name, value in pairs if header_rules.is_credential(name))
    yield from shown or [f"from {ask.source}"]


def _address(call: Call, path: str) -> Iterator[str]:
    yield f"{call.client} {call.format} {call.model} {call.scheme}://{call.host}:{call.port}{path}"
    for name, value in sorted(call.wire.headers.items()):
        if name in _MEANINGFUL or (name.startswith(_OWN) and name != NO_CACHE):
            yield f"{name}: {value}"


def _digest(*parts: str | bytes) -> str:
    """Each part with its length: no two lists of parts are the same bytes."""
    found = sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        found.update(b"%d:" % len(data))
        found.update(data)
    return found.hexdigest()
