"""What an attempt's outcome means for the next step. One table, read from top to bottom; pure.

Whose trouble it is decides the scope: a credential's (quota, login, billing) rests the *account* and goes to the next
account; a service's (overloaded, unreachable, silent) rests the *target*; a request that this target cannot take
(too long, unknown model, refused field) rests nothing and goes to the next target; an outbound proxy's rests nothing and
goes to the next target that leaves another way; a request that nobody would take
goes straight back. Reasoning that a target refuses as not its own is taken out, and the same target asked once more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from omniroute_addon.config.combos import ComboDefaults
from omniroute_addon.config.models import Limits
from translators import hub

type OutcomeKind = Literal[
    "ok",
    "status",
    "error-event",
    "connect",
    "tls",
    "dns",
    "timeout-connect",
    "timeout-first",
    "timeout-idle",
    "cut",
    "proxy",
    "proxy-silent",
    "empty",
    "html",
    "not-format",
    "unsupported",
]
type Action = Literal["use", "wait", "retry", "retry-unsigned", "next-account", "next-target", "next-way", "give-up"]
type Scope = Literal["none", "account", "target"]

QUOTA_UNKNOWN = 300.0
"""Seconds to rest when a quota is gone and the provider does not say until when."""
THROTTLE_UNKNOWN = 5.0
LOGIN_REFUSED = 120.0
BILLING = 600.0
SHORT = 2.0
BROKEN_ROAD = 5.0
"""Name, connection or TLS failures: they rarely heal in two seconds."""
LONGEST = 32 * 86400.0
"""No quota window is longer than a month."""

_TARGET_ONLY = re.compile(
    r"""not\ (?:currently\ )?support|unsupported|does\ not\ (?:support|exist|accept)|is\ not\ (?:available|accessible|enabled|allowed)
    |not\ accessible\ via|no\ access|not\ have\ access|unknown\ (?:parameter|field|name|model)|unrecognized|invalid\ model|model\ not\ found
    |extra\ inputs\ are\ not\ permitted|extra_forbidden|not\ a\ valid\ model|no\ such\ model|no\ endpoints\ found
    |max_(?:completion_|output_)?tokens.{0,80}(?:at\ most|less\ than|too\ large|exceed|maximum|>)
    |array\ too\ long|maximum\ (?:number|length)\ of|signature|reasoning_content|thought_signature""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Texts of a refusal that concern this target and not the request as such."""
_NOT_ITS_OWN = re.compile(
    r"""invalid\ .{0,3}(?:signature|data).{0,9}\ in\ .{0,3}(?:redacted_)?thinking      # Anthropic
    |thinking.{0,40}\ blocks\ .{0,60}cannot\ be\ modified
    |thought.?signature\ is\ not\ valid|(?:corrupted|invalid|missing\ an?)\ .?thought.?signature      # Google
    |invalid_encrypted_content|encrypted.{0,200}(?:could\ not\ be\ (?:verified|decrypted)|did\ not\ match)      # OpenAI""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Texts of a refusal of past reasoning: signed or sealed by another, changed, or without the signature it should have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt has gone before its commit."""

    kind: OutcomeKind
    status: int | None = None
    failure: hub.Failure | None = None
    retry_after: float | None = None
    attempts_on_candidate: int = 1
    """This one included."""
    more_candidates: bool = False
    unsigned: bool = False
    """Reasoning that the candidate may not have made was left out already."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do next, and what rests for how long."""

    action: Action
    scope: Scope = "none"
    cooldown: float = 0.0
    """Seconds; health doubles it for failures in a row unless ``retry_after`` is set."""
    reason: str = ""
    retry_after: float | None = None
    """Seconds that the provider itself named; with ``wait`` the time to wait."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What follows from one kind of trouble."""

    action: Action
    scope: Scope = "none"
    cooldown: float = 0.0
    named: bool = False
    """A time that the provider named goes before ours."""


_FAILURES: Mapping[hub.FailureKind, _Row] = {
    "quota": _Row("next-account", "account", QUOTA_UNKNOWN, named=True),
    "rate_limit": _Row("next-account", "account", THROTTLE_UNKNOWN, named=True),
    "authentication": _Row("next-account", "account", LOGIN_REFUSED),
    "billing": _Row("next-account", "account", BILLING),
    "permission": _Row("next-account", "account", LOGIN_REFUSED),
    "overloaded": _Row("next-target", "target", SHORT, named=True),
    "server": _Row("next-target", "target", SHORT, named=True),
    "timeout": _Row("next-target", "target", SHORT, named=True),
    "cut": _Row("next-target", "target", SHORT),
    "context_overflow": _Row("next-target"),
    "too_large": _Row("next-target"),
    "not_found": _Row("next-target"),
    "invalid_request": _Row("give-up"),
}
_FAULTS: Mapping[OutcomeKind, tuple[str, _Row]] = {
    "dns": ("host name not found", _Row("next-target", "target", BROKEN_ROAD)),
    "connect": ("no connection", _Row("next-target", "target", BROKEN_ROAD)),
    "tls": ("TLS failed", _Row("next-target", "target", BROKEN_ROAD)),
    "timeout-connect": ("no connection in time", _Row("next-target", "target", BROKEN_ROAD)),
    "timeout-first": ("no answer in time", _Row("next-target", "target", BROKEN_ROAD)),
    "timeout-idle": ("went silent", _Row("next-target", "target", BROKEN_ROAD)),
    "html": ("a web page instead of an answer", _Row("next-target", "target", BROKEN_ROAD)),
    "not-format": ("not the format it should speak", _Row("next-target", "target", BROKEN_ROAD)),
    # The provider is not to blame, and a proxy that is the only way out would only be kept from coming back by a rest.
    "proxy": ("the outbound proxy failed", _Row("next-way")),
    "proxy-silent": ("nothing through the outbound proxy in time", _Row("next-target")),
    "cut": ("broke off", _Row("next-target", "target", SHORT)),
    "empty": ("empty answer", _Row("next-target", "target", SHORT)),
    "unsupported": ("cannot be translated for this target", _Row("next-target")),
}
PROXY_FAULTS = frozenset(("proxy", "proxy-silent"))
"""They happen before anything has reached the provider."""
_ONCE_MORE = frozenset(("cut", "empty"))
"""Accidents that are worth a second try when there is nobody else to ask."""
_STATUSES: Mapping[int, hub.FailureKind] = {
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    405: "not_found",
    408: "timeout",
    410: "not_found",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}


def judge(outcome: Outcome, limits: Limits) -> Verdict:
    """The verdict on one attempt."""
    if outcome.kind == "ok":
        return Verdict("use", reason="ok")
    if outcome.kind in ("status", "error-event"):
        return _of_failure(outcome, limits)
    words, row = _FAULTS[outcome.kind]
    reason = _said(words, outcome)
    if outcome.kind in _ONCE_MORE and not outcome.more_candidates and outcome.attempts_on_candidate == 1:
        return Verdict("retry", reason=reason)
    return Verdict(row.action, row.scope, row.cooldown, reason)


def once_more(verdict: Verdict, tries: int, settings: ComboDefaults, limits: Limits) -> Verdict | None:
    """The same target again, when its combo wants that for a fault of the service; None to leave the verdict as it is."""
    transient = verdict.action == "next-target" and verdict.scope == "target"
    delay = settings.retry_delay if verdict.retry_after is None else max(settings.retry_delay, verdict.retry_after)
    if not transient or tries > settings.retries or delay > max(settings.retry_delay, limits.inline_wait):
        return None
    return replace(verdict, action="wait", cooldown=0.0, retry_after=delay)


def _of_failure(outcome: Outcome, limits: Limits) -> Verdict:
    """The verdict on an error that the upstream itself has told."""
    failure = outcome.failure or hub.Failure(_kind_of(outcome.status), "", outcome.status or 500)
    named = outcome.retry_after if outcome.retry_after is not None else failure.retry_after
    named = None if named is None else min(max(named, 0.1), LONGEST)
    reason = _said(f"{outcome.status or failure.status} {failure.kind}", outcome)
    if not outcome.unsigned and refuses_reasoning(failure):
        return Verdict("retry-unsigned", reason=reason)
    if _concerns_target(failure):
        return Verdict("next-target", reason=reason)
    throttled = failure.kind == "rate_limit" and named is not None and named <= limits.inline_wait
    if throttled and outcome.attempts_on_candidate == 1:
        return Verdict("wait", reason=reason, retry_after=named)
    row = _FAILURES[failure.kind]
    if row.named and named is not None:
        return Verdict(row.action, row.scope, named, reason, named)
    return Verdict(row.action, row.scope, row.cooldown, reason)


def refuses_reasoning(failure: hub.Failure) -> bool:
    """Whether the same request without past reasoning may well be taken."""
    said = f"{failure.code or ''} {failure.message}"
    return failure.kind == "invalid_request" and _NOT_ITS_OWN.search(said) is not None


def _concerns_target(failure: hub.Failure) -> bool:
    """Whether a refusal is about this target only, so that another may well take the same request."""
    match failure.kind:
        case "permission":
            return "model" in failure.message.lower() or _TARGET_ONLY.search(failure.message) is not None
        case "invalid_request":
            return _TARGET_ONLY.search(f"{failure.code or ''} {failure.message}") is not None
        case _:
            return False


def _kind_of(status: int | None) -> hub.FailureKind:
    """The failure that a bare status says, when nobody could read more."""
    if status is None or status >= 500:
        return _STATUSES.get(status or 500, "server")
    return _STATUSES.get(status, "invalid_request" if status >= 400 else "server")


def _said(what: str, outcome: Outcome) -> str:
    """What happened, with the upstream's own words in short."""
    message = " ".join((outcome.failure.message if outcome.failure else "").split())
    return f"{what}: {message[:200]}" if message else what
