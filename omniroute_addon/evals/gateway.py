"""Asking through the gateway of the running proxy, as any caller: rules, accounts, budgets and the ledger count.

Kept answers are not wanted (``X-OmniRoute-No-Cache``); the session of each question finds its costs in the ledger.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import orjson

from omniroute_addon import __version__
from omniroute_addon.evals.run import Answer, Billed, Card, Question, session, with_bills
from omniroute_addon.ledger.reports import NoLedgerError, books
from translators.hub import JSON

CLIENT = f"omniroute-evals/{__version__}"
SECONDS = 900.0
WAIT = 3.0
"""Seconds that the ledger has to write what a run has cost."""
_LOOK = 0.1
_BILLS = """SELECT session, target, account, input, output, micro FROM exchanges x JOIN attempts a ON a.exchange = x.id
WHERE x.started >= ? AND session BETWEEN ? AND ? AND used AND a.ended IS NOT NULL"""


class Gateway:
    """One connection pool; ``async with``."""

    def __init__(self, url: str, key: str | None = None, seconds: float = SECONDS) -> None:
        headers = {"user-agent": CLIENT, "x-omniroute-no-cache": "true"}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=seconds, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, question: Question) -> Answer:
        """Never raises for what a provider or the network does."""
        body = orjson.dumps({"model": question.model, **question.case.input})
        headers = {"content-type": "application/json", "x-omniroute-session": question.session}
        began = time.monotonic()
        try:
            response = await self._client.post("/v1/chat/completions", content=body, headers=headers)
        except httpx.HTTPError as error:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return Answer(seconds=time.monotonic() - began, error=said)
        return answered(response.status_code, response.content, time.monotonic() - began)


def answered(status: int, content: bytes, took: float) -> Answer:
    """What a whole answer says."""
    try:
        answer: JSON = orjson.loads(content)
    except ValueError:
        return Answer(status=status, seconds=took, error=f"status {status}, no JSON")
    if status != 200:
        return Answer(status=status, seconds=took, error=_error(status, answer))
    text = _text(answer)
    if text is None:
        return Answer(status=200, seconds=took, error="an answer without text")
    return Answer(text, 200, took)


def _text(answer: JSON) -> str | None:
    match answer:
        case {"choices": [{"message": {"content": str(text)}}, *_]} if text:
            return text
        case {"choices": [{"message": {"refusal": str(text)}}, *_]}:
            return text
        case _:
            return None


def _error(status: int, answer: JSON) -> str:
    match answer:
        case {"error": {"message": str(message)}}:
            return f"status {status}: {message}"
        case _:
            return f"status {status}"


async def billed(card: Card, ledger: Path) -> Card:
    """The card with what the ledger has written of its questions, after a moment at most; without a ledger as it is."""
    wanted = sum(not result.error for result in card.results)
    ends = time.monotonic() + WAIT
    while True:
        found = dict(_bills(card, ledger))
        if len(found) >= wanted or time.monotonic() > ends:
            return with_bills(card, found)
        await asyncio.sleep(_LOOK)


def _bills(card: Card, ledger: Path) -> Iterator[tuple[str, Billed]]:
    names: Sequence[str] = (session(card.id, 0)[:-1], session(card.id, 0)[:-1] + ":")  # ":" follows the digits
    with suppress(NoLedgerError), books(ledger) as open_books:
        for name, *facts in open_books.rows(_BILLS, card.started - 1, *names):
            yield name, Billed(*facts)
