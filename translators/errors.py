"""What can go wrong in a translation, and whose fault it is.

TranslationError(ValueError)      status_hint: the HTTP status that tells the client best
├── FormatError                   the bytes are not what their format promises (the peer's fault); 400 or 502
└── Unsupported                   a sound request that the other format cannot express at all; 400
"""


class TranslationError(ValueError):
    """Base of both; catch it where a client must get an answer."""

    status_hint: int = 400

    def __init__(self, message: str, *, status_hint: int | None = None) -> None:
        super().__init__(message)
        if status_hint is not None:
            self.status_hint = status_hint


class FormatError(TranslationError):
    """The peer sent something its format does not allow; the message names the place and what stood there."""


class Unsupported(TranslationError):  # noqa: N818 -- the contract's name (design.md 5)
    """The target format cannot say this, and leaving it out would change the meaning of the call."""
