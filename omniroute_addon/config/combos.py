"""What a combo does, by itself or as ``combo_defaults`` say."""

from typing import Annotated

from pydantic import Field

from omniroute_addon.config.section import Count, Duration, Section

COMBO_STRATEGIES = ("priority", "round-robin", "random", "weighted", "least-used", "cost-optimized", "tiered")
"""``tiered``: by the providers' tier, subscription → api-key → cheap → free; in the file's order within one."""


class ComboDefaults(Section):
    """What a combo does unless it says otherwise."""

    retries: Annotated[int, Field(ge=0, le=10)] = 0
    """Further tries of the same target after a transient failure (never after a quota, login or request error)."""
    retry_delay: Duration = 2.0
    """Before each further try."""
    concurrency: Count | None = None
    """Calls under way at one target; more wait."""
    queue_timeout: Duration = 30.0
    """The longest wait for a place; then the next target."""
    max_attempts: Count | None = None
    """Of one call, at all its targets together."""
    max_time: Duration | None = None
    """Seconds since the call came after which no further attempt begins."""
