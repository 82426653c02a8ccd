"""How long answers take: percentiles of what the ledger has, by provider and target. Nearest rank, in SQL."""

from dataclasses import dataclass
from typing import Literal

from omniroute_addon.ledger.reports import NO_FAILURES, Books

RANKS = (50, 95, 99)
LATEST = 20_000
"""Attempts, the latest ones, that are looked at."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds."""

    name: str
    attempts: int
    """Whose answers were used."""
    failed: int
    first: tuple[float | None, ...]
    """Until the first meaningful event: p50, p95, p99."""
    whole: tuple[float | None, ...]
    """Until the end."""


_COLUMNS = {"provider": "coalesce(provider, 'unknown')", "target": "target"}
_SUMS = ", ".join(
    f"max(CASE WHEN {place} = ({count} * {rank} + 99) / 100 THEN {value} END)"
    for value, place, count in (("first", "f", "fs"), ("whole", "w", "n"))
    for rank in RANKS
)


def latencies(books: Books, since: float, by: Literal["provider", "target"]) -> list[Latency]:
    """The busiest first."""
    rows = books.rows(
        f"""WITH latest AS (
          SELECT {_COLUMNS[by]} AS name, coalesce(used, 0) AS used, first_event - started AS first, ended - started AS whole
          FROM attempts WHERE started >= ? AND ended IS NOT NULL AND outcome NOT IN {NO_FAILURES}
          ORDER BY started DESC LIMIT ?),
        ranked AS (
          SELECT name, first, whole, count(*) OVER each AS n, count(first) OVER each AS fs,
          row_number() OVER (PARTITION BY name ORDER BY first IS NULL, first) AS f,
          row_number() OVER (PARTITION BY name ORDER BY whole) AS w
          FROM latest WHERE used WINDOW each AS (PARTITION BY name)),
        sums AS (SELECT name, max(n) AS n, {_SUMS} FROM ranked GROUP BY name)
        SELECT names.name, coalesce(n, 0), failed, sums.* FROM
        (SELECT name, sum(NOT used) AS failed FROM latest GROUP BY name) names LEFT JOIN sums USING (name)
        ORDER BY 2 DESC, 3 DESC, 1""",  # noqa: S608 -- from _COLUMNS
        since,
        LATEST,
    )
    half = len(RANKS)
    return [
        Latency(str(name), int(attempts), int(failed), tuple(times[:half]), tuple(times[half:]))
        for name, attempts, failed, _name, _n, *times in rows
    ]
