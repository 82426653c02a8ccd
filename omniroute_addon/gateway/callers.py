"""Who calls: the key that a request shows, held against the keys of the rules. Pure.

Keys are compared by digest, each against each, so that the time it takes says nothing. A digest of a key is all that is
ever kept of it, by the rules (``sha256:``) or by the lockouts.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import unquote_plus

from omniroute_addon.config.models import ApiKey

_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
_QUERY = "key"


@dataclass(frozen=True, slots=True)
class Shown:
    """A key that a caller has shown."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What the shown keys are."""

    name: str | None = None
    """Of the first that is good now."""
    wrong: Shown | None = None
    """One that is no key of ours; None when none was shown or one of them is good."""
    expired: str | None = None
    """The name of a shown key whose time is over."""


def shown(headers: Iterable[tuple[str, str]], query: str = "") -> tuple[Shown, ...]:
    """The keys of a gateway call, wherever one of the formats puts it; each once."""
    texts: list[str] = []
    for name, value in headers:
        if name.lower() in _HEADERS:
            scheme, _, rest = value.strip().partition(" ")
            texts.append(rest if scheme.lower() == "bearer" else value)
    pairs = (pair.partition("=") for pair in query.split("&"))
    texts += [unquote_plus(value) for name, _, value in pairs if name == _QUERY]
    return tuple(dict.fromkeys(Shown(digest(text.strip())) for text in texts if text.strip()))


def shown_to_proxy(authorization: str) -> tuple[Shown, ...]:
    """The key of ``Proxy-Authorization``: the password of a proxy's address, else its user name; or a bearer."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return (Shown(digest(value.strip())),)
    if scheme.lower() != "basic":
        return ()
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ()
    text = password or user
    return (Shown(digest(text)),) if text else ()


def digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def is_good(keys: Sequence[ApiKey], name: str, now: float) -> bool:
    """Whether the key of that name may be used."""
    return any(key.name == name and key.enabled and not _over(key, now) for key in keys)


def _over(key: ApiKey, now: float) -> bool:
    return key.expires is not None and key.expires <= now


def find(keys: Sequence[ApiKey], proofs: Sequence[Shown], now: float) -> Found:
    """Whose key is among those that are shown."""
    good: str | None = None
    expired: str | None = None
    for proof in proofs:
        for key in keys:
            if key.digest is None or not compare_digest(key.digest, proof.digest) or not key.enabled:
                continue
            if _over(key, now):
                expired = expired or key.name
            else:
                good = good or key.name
    if good is not None or not proofs:
        return Found(good)
    return Found(wrong=None if expired else proofs[0], expired=expired)
