"""One attempt as seven files, from the tool's request to the tool's answer. Pure: records in, redacted texts out.

The names are those that users of other gateways know. Our translation has no OpenAI format in its middle; the third and
sixth file say what the call and the answer would be in it, so that any two calls can be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import orjson

from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.encodings import decoded
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.logs.redaction import Redaction
from translators import FORMATS, TranslationError, WireRequest, bridge, hub
from translators.format import Profile

OPENAI = "openai-chat"
Name = Literal[
    "1_req_client.json",
    "2_req_source.json",
    "3_req_openai.json",
    "4_req_target.json",
    "5_res_provider.txt",
    "6_res_openai.txt",
    "7_res_client.txt",
]
NAMES: tuple[Name, ...] = get_args(Name)
_SOME = [{"role": "user", "content": "-"}]
CUT = b"\n[cut off: logs.requests.max_file]\n"
_LIMIT = 64 * 1024 * 1024
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


@dataclass(frozen=True, slots=True)
class Stages:
    """A folder: its name, and its files by name."""

    folder: str
    files: Mapping[str, bytes]


def stages(call: Call, record: ExchangeRecord, redaction: Redaction, max_file: int) -> list[Stages]:
    """A folder for every attempt; one for a call that was answered without any."""
    asked = _asked(call, record)
    attempts: Sequence[AttemptRecord | None] = [one for one in record.attempts if one.method and one.url] or [None]
    answering = record.used if record.used in attempts else attempts[-1]
    found: list[Stages] = []
    for attempt in attempts:
        texts = dict(asked)
        if attempt is not None:
            texts |= _tried(call, attempt)
        if attempt is answering:
            texts[NAMES[6]] = _message(f"status {record.status}", (), record.response_body.content())
        files = {name: _written(texts[name], redaction, max_file) for name in NAMES if name in texts}
        found.append(Stages(_folder(record, attempt), files))
    return found


def _asked(call: Call, record: ExchangeRecord) -> dict[str, bytes]:
    wire = call.wire
    client: hub.JSON = {
        "exchange": record.id,
        "at": _moment(record.started).isoformat(timespec="milliseconds"),
        "client": record.client,
        "method": wire.method,
        "host": call.host,
        "path": header_rules.redact_query(call.path),
        "headers": [list(pair) for pair in header_rules.redact(call.headers)],
        "body": _json(wire.body),
    }
    source: hub.JSON = {
        "exchange": record.id,
        "format": call.format,
        "operation": call.operation,
        "model": call.model,
        "stream": call.streaming,
        "route": record.route,
        "combo": record.combo,
        "session": record.session,
        "key": record.key,
        "decision": dict(record.decision or {}),
    }
    return {NAMES[0]: _pretty(client), NAMES[1]: _pretty(source), NAMES[2]: _as_openai(call)}


def _as_openai(call: Call) -> bytes:
    if call.operation != "generate":
        return _pretty({"not translated": f"a call to {call.operation}"})
    try:
        request = FORMATS[call.format].parse_request(call.wire)
        losses: list[hub.Loss] = []
        wire = FORMATS[OPENAI].render_request(request, Profile(), losses)
    except TranslationError as error:
        return _pretty({"not translated": str(error)})
    lost: hub.JSON = [[loss.path, loss.reason] for loss in losses]
    return _pretty({"body": _json(wire.body), "lost": lost})


def _tried(call: Call, attempt: AttemptRecord) -> dict[str, bytes]:
    sent: hub.JSON = {
        "attempt": attempt.number,
        "target": attempt.target,
        "account": attempt.account,
        "format": attempt.format,
        "method": attempt.method,
        "url": attempt.url,
        "headers": [list(pair) for pair in attempt.headers],
        "body": _json(attempt.body),
        "lost": [[loss.path, loss.reason] for loss in attempt.losses],
    }
    headers = {name.lower(): value for name, value in attempt.response_headers}
    body = attempt.response_body.content()
    try:
        body = decoded(body, headers.get("content-encoding", ""), _LIMIT)
    except ValueError:
        body = f"[{len(body)} bytes that cannot be unpacked]".encode()  # a key in them could not be found
    status = "no answer" if attempt.status is None else f"status {attempt.status}"
    head = f"{status}\noutcome: {attempt.outcome}"
    found = {NAMES[3]: _pretty(sent), NAMES[4]: _message(head, attempt.response_headers, body)}
    if attempt.status is not None and call.operation == "generate":
        found[NAMES[5]] = _answer_as_openai(call, attempt, headers, body)
    return found


def _answer_as_openai(call: Call, attempt: AttemptRecord, headers: Mapping[str, str], body: bytes) -> bytes:
    asked = orjson.dumps({"model": attempt.model or "", "stream": call.streaming, "messages": _SOME})
    translation = bridge(OPENAI, attempt.format)
    try:
        translation.request(WireRequest("POST", "/v1/chat/completions", "", {}, asked), attempt.model)
    except TranslationError as error:
        return f"not translated: {error}\n".encode()
    if attempt.status is not None and attempt.status >= 300:
        return translation.error(attempt.status, headers, body).body
    out = translation.feed(body, headers.get("content-type", "")) + translation.close()
    if translation.failure is not None:
        out += f"\n[{translation.failure.kind}: {translation.failure.message}]\n".encode()
    return out


def _folder(record: ExchangeRecord, attempt: AttemptRecord | None) -> str:
    """``<source>_<destination>_<model>_<timestamp>``, the timestamp with the exchange and the attempt's number."""
    to, model, number = (
        ("none", record.model or "none", 0)
        if attempt is None
        else (attempt.format, attempt.model or "none", attempt.number)
    )
    when = _moment(record.started).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return "_".join((_slug(record.format), _slug(to), _slug(model), f"{when}-{_slug(record.id[:8])}-{number}"))


def _slug(text: str) -> str:
    return "".join(letter if letter in _LETTERS else "-" for letter in text)[:60].strip(".") or "none"


def _moment(when: float) -> datetime:
    return datetime.fromtimestamp(when, UTC)


def _message(head: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    lines = [head, *(f"{name}: {value}" for name, value in headers)]
    return "\n".join([*lines, "", ""]).encode("utf-8", "replace") + body


def _json(body: bytes) -> hub.JSON:
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _pretty(value: hub.JSON) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def _written(data: bytes, redaction: Redaction, limit: int) -> bytes:
    """Redacted before it is cut: a piece of a key is no longer known for one."""
    out = redaction.text(data.decode("utf-8", "replace")).encode("utf-8", "replace")
    return out if len(out) <= limit else out[:limit] + CUT
