"""Answers that are given again: the sections ``idempotency`` and ``cache``."""

from typing import Annotated

from pydantic import ByteSize, Field

from omniroute_addon.config.section import Count, Duration, Section, Share


class Idempotency(Section):
    """A call that comes twice is asked once: what is under way is joined, what has just ended is told again."""

    enabled: bool = True
    """Heed ``Idempotency-Key``."""
    window: Duration = 5.0
    """How long a whole good answer is told again."""
    request_id: bool = False
    """Take ``X-Request-Id`` for such a key, when there is none."""


class Semantic(Section):
    """A question that was answered in other words, on routes with ``cache: semantic``: only the last text may differ."""

    embeddings: Annotated[str, Field(min_length=1)]
    """``provider/model`` that makes vectors of texts, at a provider with an address like OpenAI's."""
    threshold: Annotated[Share, Field(gt=0)] = 0.95
    """How alike two texts must be (cosine of their vectors); the same words are 1."""
    timeout: Annotated[Duration, Field(gt=0, le=10)] = 1.0
    """The longest that a call waits to find out; then it goes out as it is."""
    max_text: Annotated[ByteSize, Field(gt=0)] = ByteSize(4 * 1024)
    """Of the last text; longer ones are alike even when what matters differs."""


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
    """Keep them in ``cache.db`` (and ``semantic.db``) in the data dir across restarts."""
    semantic: Semantic | None = None
    """Also for the same question in other words."""
