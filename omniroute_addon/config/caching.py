"""Answers that are given again: the sections ``idempotency`` and ``cache``."""

from typing import Annotated

from pydantic import ByteSize, Field

from omniroute_addon.config.section import Count, Duration, Section


class Idempotency(Section):
    """A call that comes twice is asked once: what is under way is joined, what has just ended is told again."""

    enabled: bool = True
    """Heed ``Idempotency-Key``."""
    window: Duration = 5.0
    """How long a whole good answer is told again."""
    request_id: bool = False
    """Take ``X-Request-Id`` for such a key, when there is none."""


class Cache(Section):
    """Answers that are given again to the same caller for the same request with an explicit temperature of 0."""

    enabled: bool = False
    """Whether any are kept."""
    ttl: Duration = 1800.0
    """How long one is given again."""
    max_entries: Count = 1000
    """Answers that are kept; those that were not needed for longest go first."""
    max_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(32 * 1024 * 1024)
    """Of all kept answers."""
    max_answer: Annotated[ByteSize, Field(gt=0)] = ByteSize(1024 * 1024)
    """Of one answer; longer ones are not kept."""
    tools: bool = False
    """Also for requests with tools, whose answers act on a world that may have changed."""
    persist: bool = False
    """Keep them in ``cache.db`` in the data dir across restarts."""
