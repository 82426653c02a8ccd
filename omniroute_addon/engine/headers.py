"""Which headers cross the proxy, in both directions, and which of them are secrets.

``redact`` is what every record, log and mitmweb flow gets; a credential never leaves memory in readable form.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

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
_QUERY_CREDENTIALS = frozenset(["key", "api_key", "apikey", "access_token", "token", "oauth_token"])
_QUERY_SECRET = re.compile(
    r"(?<=[?&])(key|api_?key|\w*token|code|code_verifier|client_secret|sig|signature)=[^&#]*", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/?#@]+@")
_AUTH_SCHEME = re.compile(r"(?:bearer|basic|token) +", re.IGNORECASE)
REDACTED = "[redacted]"
_TELLING = 16
"""Characters of the beginning of a key that say more than whose it is (``sk-ant-api03-``)."""
_SHORTEST_SECRET = 8
"""Shorter values are not searched for in texts; they would be found everywhere."""

_SAME_FORMAT = frozenset(
    ["accept", "content-type", "anthropic-version", "anthropic-beta", "openai-beta", "x-goog-api-client"]
)
"""What a client's request may tell another provider of the same format: the protocol, never the person."""
_OF_ERROR = frozenset(["content-type", "retry-after", "retry-after-ms", "x-should-retry"])


@lru_cache(1024)
def is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _NOT_SECRET.search(name)


def is_credential(parameter: str) -> bool:
    """Whether a query parameter says who calls, as Gemini's ``?key=`` does."""
    return parameter.lower() in _QUERY_CREDENTIALS


def redact(pairs: Pairs, also: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """The same headers with the values of secrets replaced; ``also`` names further secret ones, in lower case."""
    return tuple((name, REDACTED if is_secret(name) or name.lower() in also else value) for name, value in pairs)


def redact_query(path: str) -> str:
    """A path or URL with the credentials in it replaced (Gemini's ``?key=``, a sign-in's ``?code=``, ``user:password@``)."""
    return _USERINFO.sub("", _QUERY_SECRET.sub(lambda found: f"{found[1]}={REDACTED}", path))


def secret_values(pairs: Pairs, also: Collection[str] = ()) -> tuple[str, ...]:
    """The credentials that a request carries, bare, as an upstream might repeat them in an error."""
    found = (_AUTH_SCHEME.sub("", value, count=1) for name, value in pairs if is_secret(name) or name.lower() in also)
    return tuple(value for value in found if len(value) >= _SHORTEST_SECRET)


def restore_query(path: str, original: str) -> str:
    """The redacted credentials of a path's query again, as they were in ``original``."""
    kept = {found[1].lower(): found[0] for found in _QUERY_SECRET.finditer(original)}
    return _QUERY_SECRET.sub(
        lambda found: kept.get(found[1].lower(), found[0]) if found[0].endswith(REDACTED) else found[0], path
    )


def for_origin(pairs: Pairs, *, identity: bool) -> list[tuple[str, str]]:
    """The client's own headers for its own provider; ``identity`` asks for an answer that is not compressed.

    A stream is asked for uncompressed so that an error event can still be added when it breaks.
    """
    dropped = HOP_BY_HOP | {"accept-encoding"} if identity else HOP_BY_HOP
    kept = [(name, value) for name, value in pairs if name.lower() not in dropped]
    cookies = [value for name, value in kept if name.lower() == "cookie"]
    if len(cookies) > 1:
        # HTTP/2 clients split them; HTTP/1 wants them in one line.
        kept = [(name, value) for name, value in kept if name.lower() != "cookie"]
        kept.append(("cookie", "; ".join(cookies)))
    return [*kept, ("accept-encoding", "identity")] if identity else kept


def for_same_format(pairs: Pairs) -> dict[str, str]:
    """What another provider that speaks the client's format is told of the client's headers."""
    kept = {name.lower(): value for name, value in pairs if name.lower() in _SAME_FORMAT}
    if beta := kept.get("anthropic-beta"):
        flags = [flag for flag in (part.strip() for part in beta.split(",")) if flag and not flag.startswith("oauth-")]
        kept["anthropic-beta"] = ",".join(flags)
    return {name: value for name, value in kept.items() if value}


def of_error(pairs: Pairs) -> dict[str, str]:
    """What the client is told of another provider's error besides its body: when to come back, never cookies."""
    return {name.lower(): value for name, value in pairs if name.lower() in _OF_ERROR}


def of_answer(pairs: Pairs) -> list[tuple[str, str]]:
    """An upstream's headers as the client gets them in a passthrough."""
    return [(name, value) for name, value in pairs if name.lower() not in HOP_BY_HOP]


def without(text: str, secrets: Iterable[str]) -> str:
    """The text without these values, nor the greater part of one where the text was cut off."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
        for length in range(len(secret) - 1, _TELLING - 1, -1):
            if secret[:length] in text:
                text = text.replace(secret[:length], REDACTED)
                break
    return text
