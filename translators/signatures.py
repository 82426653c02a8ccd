"""How reasoning of one provider survives in the opaque field of another format.

A client that keeps Anthropic thinking blocks gives back ``signature`` as it got it; Responses clients do so with
``encrypted_content``, Gemini clients with ``thoughtSignature``. So a foreign signature is *wrapped* for the client's
field and unwrapped when the client returns it: it reaches the provider it came from byte-exact, and any other never.
The wrapping is standard base64 (Gemini's SDK decodes the field) with a prefix of our own that no vendor's value has.
"""

import base64
import binascii

from translators.hub import Signature

_MARK = b"omniroute\0\1\0"  # twelve bytes, so that its base64 is a fixed sixteen characters
PREFIX = base64.b64encode(_MARK).decode()
"""Every wrapped value starts with this; search a body for it to know whether we ever put something in."""


def wrap(signature: Signature | None, own: str) -> str:
    """The text to put into the opaque field of format ``own``; a missing signature is marked as ours, too."""
    if signature is not None and signature.origin == own:
        return signature.value
    origin, value = (signature.origin, signature.value) if signature else ("", "")
    return base64.b64encode(_MARK + origin.encode() + b"\0" + value.encode()).decode()


def unwrap(value: str, own: str) -> Signature | None:
    """The signature behind an opaque field of format ``own``; None where we had marked that there is none."""
    if not value.startswith(PREFIX):
        return Signature(value, own) if value else None
    try:
        origin, _, inner = base64.b64decode(value, validate=True)[len(_MARK) :].partition(b"\0")
        return Signature(inner.decode(), origin.decode()) if origin else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def is_ours(value: str) -> bool:
    """Whether the value was put there by :func:`wrap` for another provider's reasoning."""
    return value.startswith(PREFIX)
