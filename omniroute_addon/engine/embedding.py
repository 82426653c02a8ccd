"""Vectors of texts, asked of a provider of the rules: one call beside an exchange, that may fail and costs what it costs.

Theory of operation. The call goes to the provider's ``/embeddings`` with its first account that may be used, under the
same policies, budgets and pace as an attempt, within ``cache.semantic.timeout``. It is entered in the books as number 0
of its exchange: no answer comes of it. What fails three times in a row is left alone for half a minute, then asked by
one call; that is a breaker of its own, since a provider without embeddings may answer everything else well. A call that
was given up counts as if its text had been worked on. Nothing here raises but cancellation, and no text is logged.
"""

import asyncio
import logging
import math
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from json import dumps

import orjson

from omniroute_addon.accounts.breakers import Breakers
from omniroute_addon.config.governance import Breaker
from omniroute_addon.config.models import Provider, Snapshot
from omniroute_addon.config.semantic import embeddings_url
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call, Dial, Observer
from omniroute_addon.engine.encodings import decoded
from omniroute_addon.engine.entry import Entry
from omniroute_addon.engine.records import attempt_record
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.target import USER_AGENT, credential
from omniroute_addon.engine.upstream import UpstreamError, Upstreams
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import EMBEDDING
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.policies import Screening, policies_of
from omniroute_addon.routing.state import BudgetBlock
from translators import hub

logger = logging.getLogger(__name__)

FORMAT = "openai-embeddings"
LONGEST_ANSWER = 1024 * 1024
"""Bytes."""
MOST_DIMENSIONS = 8192
PATIENCE = Breaker(failures=3, reset=30)
_BYTES_PER_TOKEN = 4
_OF_THE_TEXT = (400, 413, 422)
"""Statuses that say nothing against the provider."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The exchange that wants to know."""

    call: Call
    record: ExchangeRecord
    ask: Ask
    observer: Observer
    snapshot: Snapshot


class Embedder:
    """One per engine."""

    def __init__(self, standing: Standing, upstreams: Upstreams) -> None:
        self._standing = standing
        self._upstreams = upstreams
        self._breakers = Breakers()

    async def vector(self, text: str, asker: Asker) -> bytes | None:
        """Single floats in the machine's order; None when they cannot be had in time."""
        rules = asker.snapshot.governance.cache.semantic
        candidate = None if rules is None else self._candidate(rules.embeddings, asker)
        if rules is None or candidate is None:
            return None
        ends = asyncio.get_running_loop().time() + rules.timeout
        entry = await self._standing.enter(candidate, rules.timeout, hurry=True)
        if not isinstance(entry, Entry):
            return None
        with closing(entry):
            return await self._ask(text, candidate, entry, asker, ends)

    def _candidate(self, target: str, asker: Asker) -> Candidate | None:
        """The first account that may be used now."""
        now, snapshot = time.time(), asker.snapshot
        prefix, _, name = target.partition("/")
        provider = snapshot.provider_of(prefix)
        if provider is None or not provider.enabled:
            return None
        model = name if "/" in name else provider.model_prefix + name
        screening = Screening(asker.ask, policies_of(asker.ask, snapshot), self._standing, now)
        accounts = [one for one in snapshot.accounts_of(provider.id) if one.enabled and one.missing is None]
        for account in accounts or ([None] if provider.keyless else []):
            one = Candidate(target, provider, model, account, asked=asker.ask.model)
            if screening.refusal(one) is None:
                keys = (one.target_key,)
                busy = self._breakers.open(keys, now) or self._breakers.probed(keys, now)
                return None if busy else one
        return None

    async def _ask(self, text: str, candidate: Candidate, entry: Entry, asker: Asker, ends: float) -> bytes | None:
        now, money = time.time(), self._standing.money
        held = money.reserve(candidate, asker.ask, now)
        if isinstance(held, BudgetBlock):
            return None
        request = _dial(candidate, text, asker.snapshot)
        limit = asker.snapshot.view.max_body
        attempt = attempt_record(asker.call, candidate, FORMAT, request, number=0, limit=limit, reserved=held.micro)
        tokens = math.ceil(len(text.encode(errors="replace")) / _BYTES_PER_TOKEN)
        attempt.usage = hub.Usage(tokens, 0, estimated=True)
        attempt.stop = hub.Stop("end")
        self._breakers.enter((candidate.target_key,), attempt, now)
        self._standing.began(candidate)
        _tell(lambda: asker.observer.attempt_started(asker.record, attempt, request))
        try:
            async with asyncio.timeout_at(ends):
                return await self._answer(candidate, entry, request, attempt, asker.snapshot)
        except TimeoutError:
            self._failed(candidate, attempt, "not in time")
        except asyncio.CancelledError:
            attempt.outcome = "cancelled"
            raise
        except UpstreamError as error:
            _for_nothing(attempt)
            self._failed(candidate, attempt, f"{error}")
        except ValueError as error:
            self._failed(candidate, attempt, f"{error}")
        finally:
            attempt.ended = time.time()
            self._breakers.leave(attempt)
            self._standing.ended(candidate, attempt.usage)
            _tell(lambda: money.settle(held, attempt, asker.ask))
            _tell(lambda: asker.observer.attempt_ended(asker.record, attempt))
        return None

    async def _answer(
        self, candidate: Candidate, entry: Entry, request: Dial, attempt: AttemptRecord, snapshot: Snapshot
    ) -> bytes | None:
        timeouts = candidate.timeouts(snapshot.timeouts)
        async with await self._upstreams.open(request, connect=timeouts.connect, idle=timeouts.idle) as answer:
            attempt.status = answer.status
            attempt.response_headers = header_rules.redact(answer.headers)
            entry.heard(good=answer.status < 300)
            body = await answer.read(LONGEST_ANSWER)
            attempt.response_body.add(body)
            if answer.status >= 300:
                _for_nothing(attempt)
                if answer.status in _OF_THE_TEXT:
                    attempt.outcome = f"{answer.status}"
                else:
                    self._failed(candidate, attempt, f"{answer.status}")
                return None
            self._standing.learned(candidate, answer.status, answer.headers, None, time.time())
            vector, tokens = parsed(decoded(body, answer.header("content-encoding"), LONGEST_ANSWER))
        if tokens is not None:
            attempt.usage = hub.Usage(tokens, 0)
        attempt.outcome = EMBEDDING
        self._breakers.succeeded((candidate.target_key,))
        return vector

    def _failed(self, candidate: Candidate, attempt: AttemptRecord, reason: str) -> None:
        attempt.outcome = reason
        now, key = time.time(), candidate.target_key
        open_before = self._breakers.state(key, now) != "closed"
        self._breakers.failed(key, attempt, PATIENCE, reason, now)
        if not open_before and self._breakers.state(key, now) == "open":
            text = "no embeddings of %s (%s): the semantic cache waits %.0f s, calls go out without it"
            logger.warning(text, candidate.target, reason, PATIENCE.reset)


def parsed(body: bytes) -> tuple[bytes, int | None]:
    """The vector of an answer and the tokens that its text had. Raises ValueError."""
    match orjson.loads(body):
        case {"data": [{"embedding": list(numbers)}, *_], **rest} if 0 < len(numbers) <= MOST_DIMENSIONS:
            vector = _floats(numbers)
        case _:
            raise ValueError("an answer without an embedding")
    match rest.get("usage"):
        case {"prompt_tokens": int(tokens)} | {"total_tokens": int(tokens)} if tokens >= 0:
            return vector, tokens
        case _:
            return vector, None


def _floats(numbers: Iterable[object]) -> bytes:
    try:
        vector = array("f", numbers)  # type: ignore[arg-type]  # that is what is found out
    except (TypeError, OverflowError) as error:
        raise ValueError("an embedding that is not made of numbers") from error
    length = math.hypot(*vector)
    if not math.isfinite(length) or length == 0:
        raise ValueError("an embedding without a direction")
    return vector.tobytes()


def _dial(candidate: Candidate, text: str, snapshot: Snapshot) -> Dial:
    provider = candidate.provider
    assert provider is not None
    key = credential(provider, candidate.account)
    headers = {"content-type": "application/json", "user-agent": USER_AGENT} | dict(provider.headers)
    headers |= {"accept-encoding": "identity"} | key
    body = dumps({"model": candidate.model, "input": text}).encode()
    url = _url(provider)
    return Dial("POST", url, tuple(headers.items()), body, frozenset(key), candidate.way(url, snapshot.ways))


def _url(provider: Provider) -> str:
    url = embeddings_url(provider)
    assert url is not None, "checked when the rules were read"
    if provider.overridden or not provider.query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{provider.query}"


def _for_nothing(attempt: AttemptRecord) -> None:
    """A provider that fails is taken at its word."""
    attempt.usage, attempt.stop = hub.Usage(), None


def _tell(event: Callable[[], None]) -> None:
    try:
        event()
    except Exception:
        logger.exception("an embedding could not be shown")
