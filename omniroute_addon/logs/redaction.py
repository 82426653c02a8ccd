"""Secrets out of texts that are written to disk. Pure.

Two nets: the values that are known to be secret here (accounts' keys, what a call has shown), and what looks like a key
of a service by its well-known beginning. Patterns take linear time on any text.
"""

import json
import re
from collections.abc import Iterable

REDACTED = "[redacted]"
SHORTEST = 8
"""Shorter values are not looked for; they would be found everywhere."""

TELLING = 16
"""Characters of the beginning of a secret that say more than whose it is."""

_LOOKS_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|(?:gsk|xai|pplx|hf|nvapi|rk|pk)[_-][A-Za-z0-9_-]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_.-]{20,}|1//[A-Za-z0-9_-]{30,}"  # Google
    r"|AKIA[A-Z0-9]{16}|xox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # a JWT
    r")"
)
_BEGIN = (
    *("sk-", "gsk_", "gsk-", "xai_", "xai-", "pplx", "hf_", "hf-", "nvapi", "rk_", "rk-", "pk_", "pk-"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "AIza", "ya29.", "1//", "AKIA", "xox", "eyJ"),
)
"""How they begin: looked for first, because most texts have none of them, and plain search is much faster."""
_BEARER = re.compile(
    r"\b((?:proxy-)?authorization\W{1,6}|bearer )(?:(?:bearer|basic|token) )?[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)


class Redaction:
    """For one set of known secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for one in secrets if len(one) >= SHORTEST for form in (one, json.dumps(one)[1:-1])}
        self._known = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._known:
            text = _without(text, secret)
        if any(begin in text for begin in _BEGIN):
            text = _LOOKS_SECRET.sub(REDACTED, text)
        if "earer" in text or "uthorization" in text or "EARER" in text:
            text = _BEARER.sub(lambda found: f"{found[1]}{REDACTED}", text)
        return _PRIVATE_KEY.sub(REDACTED, text) if "PRIVATE KEY" in text else text


def _without(text: str, secret: str) -> str:
    """Also without the greater part of it, where somebody has cut a text off."""
    if secret[:TELLING] not in text:
        return text
    text = text.replace(secret, REDACTED)
    if secret[:TELLING] in text:
        for length in range(len(secret) - 1, TELLING - 1, -1):
            text = text.replace(secret[:length], REDACTED)
    return text
