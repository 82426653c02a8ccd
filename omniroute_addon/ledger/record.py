"""The record of one exchange and its attempts, filled in while it runs; values only, no I/O.

Bodies are kept up to a limit, for mitmweb's view and for replay. Headers in a record are redacted before they get here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from omniroute_addon.config.governance import Tier
from omniroute_addon.ledger.prices import Cost
from translators import hub

Headers = tuple[tuple[str, str], ...]

BYPASSED = "bypassed"
"""The outcome of a call that was answered here, without any provider; its ``route`` says which kind it was."""
REPLAYED = "replayed"
"""The outcome of a call that got the answer to another one; its ``route`` says how: ``cache.hit``, ``idempotency.…``."""

UNTOUCHED = "untouched"
"""What stands in the place of an outcome where no rule has touched a call; the ledger has none of those."""

RESUMED = "resumed"
"""Begins the outcome of an attempt that has gone on with the answer of another."""

BROKE_OFF = "until it broke off"
"""Stands in the outcome of an attempt whose answer another was to go on with."""

CANCELLED = "cancelled"
"""The outcome of an attempt that nobody waited for any more."""

OVERTAKEN = "overtaken"
"""The outcome of an attempt that was closed because another beside it was the first to say something."""

EMBEDDING = "embedding"
"""The outcome of a call for the vector of an exchange's text: its attempt number 0, of which no answer comes."""


class Tape:
    """Bytes that went by, kept up to ``limit``; what came later is only counted."""

    __slots__ = ("_chunks", "_kept", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._kept = 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._kept < self.limit:
            chunk = chunk[: self.limit - self._kept]
            self._kept += len(chunk)
            self._chunks.append(chunk)

    def content(self) -> bytes:
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""


@dataclass(slots=True)
class AttemptRecord:
    """One upstream call of one candidate."""

    id: str
    number: int
    """1 for the first attempt of the exchange; 0 for what was asked of a provider beside it."""
    target: str
    """``glm/glm-4.7`` or ``origin``."""
    account: str | None
    format: str
    method: str
    url: str
    headers: Headers
    body: bytes
    started: float
    """Unix seconds, as all times here."""
    response_body: Tape
    status: int | None = None
    response_headers: Headers = ()
    first_event: float | None = None
    """When the first meaningful event came."""
    ended: float | None = None
    outcome: str = "running"
    """What the verdict made of it, in words: ``used``, ``429 quota: … → next account``."""
    used: bool = False
    usage: hub.Usage = field(default_factory=hub.Usage)
    stop: hub.Stop | None = None
    losses: tuple[hub.Loss, ...] = ()
    provider: str | None = None
    """The registry's id."""
    model: str | None = None
    """The upstream's name for the model."""
    tier: Tier | None = None
    """How it is paid for."""
    combo: str | None = None
    """The combo that named the target."""
    waited: float = 0.0
    """Seconds for a place, before it began."""
    reserved: int = 0
    """Micro-dollars that its budgets hold for it while it runs."""
    cost: Cost | None = None
    """Known when it has ended with an answer."""

    @property
    def failed(self) -> bool:
        """It has not answered, or not to the end; nobody was just quicker."""
        return self.outcome not in (OVERTAKEN, EMBEDDING) and (not self.used or BROKE_OFF in self.outcome)

    @property
    def title(self) -> str:
        return f"attempt {self.number}" if self.number else EMBEDDING


@dataclass(slots=True)
class ExchangeRecord:
    """One client request and its answer."""

    id: str
    client: str
    format: str
    operation: str
    model: str | None
    """What the client asked for."""
    route: str
    combo: str | None
    started: float
    response_body: Tape
    attempts: list[AttemptRecord] = field(default_factory=list)
    excluded: tuple[str, ...] = ()
    """Candidates left out of the plan, with the reason."""
    status: int | None = None
    ended: float | None = None
    outcome: str = "running"
    """``done``, ``bypassed``, ``replayed``, ``failed: …``, ``client left``, ``broken after the first byte: …``."""
    usage: hub.Usage = field(default_factory=hub.Usage)
    streaming: bool = False
    session: str | None = None
    key: str | None = None
    """The name of the gateway key that the caller has shown."""
    source: str = ""
    """The client's address."""
    saved: int | None = None
    """Micro-dollars at the list price that a replayed answer would have cost; None when nobody knows."""
    waited: float = 0.0
    """Seconds in which nothing was asked of anybody: for places, and between two tries."""
    decision: Mapping[str, hub.JSON] | None = None
    """The plan as plain values."""

    @property
    def used(self) -> AttemptRecord | None:
        """The attempt whose answer the client got, if any."""
        return next((attempt for attempt in reversed(self.attempts) if attempt.used), None)

    @property
    def resumed(self) -> bool:
        """The answer comes from more than one target."""
        return any(one.outcome.startswith(RESUMED) for one in self.attempts)

    @property
    def ok(self) -> bool:
        return self.outcome in ("done", BYPASSED, REPLAYED)

    def summary(self) -> str:
        """``combo → target · tries · tokens · ms``, for the comment column."""
        if self.outcome == BYPASSED:
            return f"{self.route} · answered here"
        if self.outcome == REPLAYED:
            saved = f" · saved ${self.saved / 1e6:.4f}" if self.saved else ""
            return f"{self.route} · answered here{saved}{self._like()}"
        used = self.used
        target = used.target if used else (self.attempts[-1].target if self.attempts else "no target")
        parts = [f"{self.combo or self.route} → {target}"]
        tries = len(self.attempts)
        parts.append(f"{tries} {'try' if tries == 1 else 'tries'}")
        if self.usage.input is not None or self.usage.output is not None:
            mark = "~" if self.usage.estimated else ""
            parts.append(f"{mark}{self.usage.input or 0}+{self.usage.output or 0} tok")
        if self.ended is not None:
            parts.append(f"{(self.ended - self.started) * 1000:.0f} ms")
        if any(one.outcome == OVERTAKEN for one in self.attempts):
            parts.append("hedged")
        if self.resumed:
            parts.append(RESUMED)
        if self.waited >= 0.1:
            parts.append(f"waited {self.waited:.1f} s")
        if self.outcome not in ("done", "running"):
            parts.append(self.outcome)
        return " · ".join(parts)

    def _like(self) -> str:
        """Whose answer it was, when the question had other words."""
        match (self.decision or {}).get("semantic"):
            case {"similarity": similarity, "exchange": str(exchange)}:
                return f" · {similarity} like {exchange[:8]}"
            case _:
                return ""
