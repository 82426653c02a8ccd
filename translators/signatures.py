"""How reasoning of one provider survives in the opaque field of another format, and reaches nobody but its maker.

*Wrapping.* A client that keeps Anthropic thinking blocks gives back ``signature`` as it got it; Responses clients do so
with ``encrypted_content``, Gemini clients with ``thoughtSignature``. So a foreign signature is *wrapped* for the
client's field and unwrapped when the client returns it. The wrapping is standard base64 (Gemini's SDK decodes the
field) with a prefix of our own that no vendor's value has.

*Origin.* Two providers of one format cannot read each other: Claude refuses what GLM has signed. So an origin is the
format and the *maker*, ``anthropic-messages@glm``; without a maker it is the format alone, and whoever speaks the
format may have it. Wire formats know nothing of makers: they tag what they read with their own name and send what
bears it. The bridge adds the maker to what an answer brings (:func:`signed_by`), and on the way to an upstream a
:class:`Reader` takes it off again where the upstream is that maker; everything else keeps a name that no format has for
its own, and is left out.

*Values without a wrapping* are as some provider gave them. A passthrough changes no byte on the way to the client, so
who signed what is looked up (``known``: the memory keeps hashes). What nobody is known to have signed comes from
``home``, the provider that the client itself talks to: from before we listened, or longer ago than the memory reaches.
It goes home as it is and to nobody else. Where no home is given it is left alone.

*Refused.* Home may refuse such a value all the same: a passthrough had let it by, and since then we were started anew.
The one remedy is to ask again with what is ``proven`` alone, and with nothing of the kind (``none``) where that is what
was refused: a key that has changed, an account of another organisation.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from translators.hub import Signature

_MARK = b"omniroute\0\1\0"  # twelve bytes, so that its base64 is a fixed sixteen characters
PREFIX = base64.b64encode(_MARK).decode()
"""Every wrapped value starts with this; search a body for it to know whether we ever put something in."""
_BY = "@"
NOBODY = "?"
"""The maker of what was refused by the only one who could have made it."""

type Trust = Literal["told", "proven", "none"]
"""Which signatures an upstream gets: all that may be its own, those that are known to be, or none."""


def wrap(signature: Signature | None, own: str) -> str:
    """The text to put into the opaque field of format ``own``; a missing signature is marked as ours, too."""
    if signature is not None and signature.origin == own:
        return signature.value
    origin, value = (signature.origin, signature.value) if signature else ("", "")
    return base64.b64encode(_MARK + origin.encode() + b"\0" + value.encode(errors="surrogatepass")).decode()


def unwrap(value: str, own: str) -> Signature | None:
    """The signature behind an opaque field of format ``own``; None where we had marked that there is none."""
    if not value.startswith(PREFIX):
        return Signature(value, own) if value else None
    try:
        origin, _, inner = base64.b64decode(standard(value), validate=True)[len(_MARK) :].partition(b"\0")
        return Signature(inner.decode(errors="surrogatepass"), origin.decode()) if origin else None
    except ValueError:
        return None


def standard(value: str) -> str:
    """In the ordinary alphabet of base64; Google's Python SDK reads signatures as bytes and writes the URL-safe one."""
    return value.replace("-", "+").replace("_", "/")


def is_ours(value: str) -> bool:
    """Whether the value was put there by :func:`wrap` for another provider's reasoning."""
    return value.startswith(PREFIX)


def is_signature(member: str) -> bool:
    """Whether a member of a part that only its vendor understands is one: ``signature``, ``thoughtSignature``."""
    return member.lower().endswith("signature")


def origin_of(form: str, maker: str | None) -> str:
    return form if maker is None else f"{form}{_BY}{maker}"


def has_maker(origin: str) -> bool:
    return _BY in origin


def signed_by(signature: Signature, maker: str | None) -> Signature:
    """With its maker in the origin; one that has a maker keeps it."""
    if maker is None or _BY in signature.origin:
        return signature
    return replace(signature, origin=origin_of(signature.origin, maker))


def reaches(origin: str, upstream: str) -> bool:
    """Whether the maker in the origin ``upstream`` may get what is tagged with ``origin``; its format may still refuse."""
    _, _, maker = origin.partition(_BY)
    _, _, other = upstream.partition(_BY)
    return maker == other if maker or other else origin == upstream


def unknown(value: str) -> str | None:
    del value
    return None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the signatures in one client's request for one upstream."""

    own: str
    """The client's format."""
    maker: str | None = None
    """Who gets the request; None: somebody of the upstream's format."""
    home: str | None = None
    """Who signed what has no tag and is not known."""
    known: Callable[[str], str | None] = unknown
    """The origin of a value that has no tag."""
    bare: bool = False
    """The upstream takes readable reasoning without a signature, so that only the signature has to go."""
    trust: Trust = "told"
    refused: list[str] = field(default_factory=list[str], compare=False)
    """What was read and is kept from the upstream."""

    @property
    def disproves(self) -> bool:
        """What is refused now was not made by the only one who could have."""
        return self.trust != "told" and self.maker in (None, self.home)

    def concerns(self, body: bytes, *fields: bytes) -> bool:
        """Whether there may be something in the body that the upstream must not get; ``fields``: where it would stand."""
        if PREFIX.encode() in body:
            return True
        return (self.maker is not None or self.trust != "told") and any(name in body for name in fields)

    def read(self, value: str) -> Signature | None:
        """What stands behind a value on the wire: of the bare format when the upstream may have it."""
        signature = unwrap(value, self.own)
        if signature is None and value:
            self.refused.append(value)
        return None if signature is None else self.admit(signature)

    def admit(self, signature: Signature) -> Signature:
        """The signature, its origin being the format alone when the upstream may have it."""
        form, _, maker = signature.origin.partition(_BY)
        if not maker:
            known = self.known(signature.value)
            if known is not None:
                form, _, maker = known.partition(_BY)
            elif self.trust != "told":
                maker = NOBODY
            elif form == self.own:
                maker = self.home or ""
        owned = self.trust != "none" and (maker in ("", self.maker) or (self.maker is None and maker != NOBODY))
        if owned:
            return signature if signature.origin == form else replace(signature, origin=form)
        self.refused.append(signature.value)
        return replace(signature, origin=origin_of(form, maker or NOBODY))

    def made_elsewhere(self, value: str) -> bool:
        """Whether the upstream must not get the value, as far as anybody knows."""
        if self.trust == "none":
            return True
        if self.known(value) is None:
            return self.trust == "proven"
        return self.is_foreign(value)

    def is_foreign(self, value: str) -> bool:
        """Whether another than the upstream is known to have made the value."""
        known = self.known(value)
        if known is None:
            return False
        maker = known.partition(_BY)[2]
        return maker == NOBODY if self.maker is None else maker not in ("", self.maker)
