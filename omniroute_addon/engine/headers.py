"""Which headers cross the proxy, in both directions, and which of them are secrets.

``redact`` is what every record, log and mitmweb flow gets; a credential never leaves memory in readable form.
"""

import re
from collections.abc import Iterable

Pairs = Iterable[tuple[str, str]]

HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "host",
        "http2-settings",
    ]
)
_SECRET = re.compile(r"authorization|cookie|api[-_]?key|token|secret|credential|account-id", re.IGNORECASE)
_NOT_SECRET = re.compile(r"ratelimit|rate-limit|limit-tokens|-tokens?-(limit|remaining|reset)", re.IGNORECASE)
_QUERY_SECRET = re.compile(r"(?<=[?&])(key|api_key|access_token|token)=[^&#]*", re.IGNORECASE)
REDACTED = "[redacted]"

_SAME_FORMAT = frozenset(
    ["accept", "content-type", "anthropic-version", "anthropic-beta", "openai-beta", "x-goog-api-client"]
)
"""What a client's request may tell another provider of the same format: the protocol, never the person."""


def is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _NOT_SECRET.search(name)


def redact(pairs: Pairs) -> tuple[tuple[str, str], ...]:
    """The same headers with the values of secrets replaced."""
    return tuple((name, REDACTED if is_secret(name) else value) for name, value in pairs)


def redact_query(path: str) -> str:
    """A path or URL with credentials in its query replaced (Gemini's ``?key=``)."""
    return _QUERY_SECRET.sub(lambda found: f"{found[1]}={REDACTED}", path)


def for_origin(pairs: Pairs, *, identity: bool) -> list[tuple[str, str]]:
    """The client's own headers for its own provider; ``identity`` asks for an answer that is not compressed.

    A stream is asked for uncompressed so that an error event can still be added when it breaks.
    """
    dropped = HOP_BY_HOP | {"accept-encoding"} if identity else HOP_BY_HOP
    kept = [(name, value) for name, value in pairs if name.lower() not in dropped]
    return [*kept, ("accept-encoding", "identity")] if identity else kept


def for_same_format(pairs: Pairs) -> dict[str, str]:
    """What another provider that speaks the client's format is told of the client's headers."""
    kept = {name.lower(): value for name, value in pairs if name.lower() in _SAME_FORMAT}
    if beta := kept.get("anthropic-beta"):
        flags = [flag for flag in (part.strip() for part in beta.split(",")) if flag and not flag.startswith("oauth-")]
        kept["anthropic-beta"] = ",".join(flags)
    return kept


def of_answer(pairs: Pairs) -> list[tuple[str, str]]:
    """An upstream's headers as the client gets them in a passthrough."""
    return [(name, value) for name, value in pairs if name.lower() not in HOP_BY_HOP]
