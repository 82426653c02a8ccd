"""The values and parties of an exchange: the client's call, where the answer goes, and who is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from omniroute_addon.config.models import Operation
from omniroute_addon.config.ways import Outbound
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from translators import WireRequest

SHUTDOWN = "the proxy stops"
"""The message of a cancellation that comes from us, not from the client's leaving."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the client sent, untouched."""

    id: str
    client: str
    format: str
    operation: Operation
    """``generate`` or ``count``."""
    wire: WireRequest
    """Body decoded (no gzip, no zstd)."""
    headers: tuple[tuple[str, str], ...]
    """As sent, credentials included; never recorded."""
    body: bytes
    """As sent, content encoding included."""
    scheme: str
    host: str
    port: int
    path: str
    """With the query."""
    model: str | None
    streaming: bool
    gateway: bool
    provider: str | None
    """The registry's name for the client's own provider, whose ``base_url`` also holds for ``origin``."""


@dataclass(frozen=True, slots=True)
class Dial:
    """The upstream request of one attempt, credentials included."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    secrets: frozenset[str] = frozenset()
    """Names of the headers that carry our key, in lower case; the user may have given them any name."""
    proxy: Outbound | None = None
    """What it leaves by."""


class ClientLeftError(Exception):
    """The client has closed its connection."""


class Sink(Protocol):
    """Where the answer goes; the relay's side of the client connection."""

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None: ...

    async def write(self, chunk: bytes) -> None:
        """Waits while the client reads slower than the upstream sends. Raises ClientLeftError."""
        ...

    def finish(self) -> None: ...

    def abort(self) -> None:
        """Break the connection: the only honest end for a compressed stream that failed."""
        ...


class Observer(Protocol):
    """Who is told what happens (mitmweb's view, the ledger)."""

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: Dial) -> None:
        """``dial`` carries the credentials that the record does not."""
        ...

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None: ...

    def exchange_ended(self, exchange: ExchangeRecord) -> None: ...


class Observers:
    """Several as one. Each is told, whatever becomes of the others; what went wrong is raised at the end."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: Dial) -> None:
        self._tell(lambda one: one.attempt_started(exchange, attempt, dial))

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        self._tell(lambda one: one.attempt_ended(exchange, attempt))

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        self._tell(lambda one: one.exchange_ended(exchange))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        failed: list[Exception] = []
        for one in self._observers:
            try:
                tell(one)
            except Exception as error:  # noqa: BLE001 -- raised below
                failed.append(error)
        if failed:
            raise ExceptionGroup("not every observer could be told", failed)


class Recorder:
    """A sink, with what passes it written down."""

    def __init__(self, sink: Sink, record: ExchangeRecord) -> None:
        self._sink = sink
        self._record = record
        self.started = False

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self._sink.start(status, headers)
        self.started = True
        self._record.status = status

    async def write(self, chunk: bytes) -> None:
        self._record.response_body.add(chunk)
        await self._sink.write(chunk)

    def finish(self) -> None:
        self._sink.finish()

    def abort(self) -> None:
        self._sink.abort()
