"""What a combo does, by itself or as ``combo_defaults`` say."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from omniroute_addon.config.section import Count, Duration, DurationInput, Section, duration

type MidstreamFailure = Literal["error", "resume"]

COMBO_STRATEGIES = ("priority", "round-robin", "random", "weighted", "least-used", "cost-optimized", "tiered")
"""``tiered``: by the providers' tier, subscription → api-key → cheap → free; in the file's order within one."""


def _after(value: object) -> object:
    return value if value == "p95" else duration(value)


class Hedge(Section):
    """A second attempt beside a stream that is slow to begin; the first to say something has the call."""

    after: Annotated[
        Literal["p95"] | Annotated[float, Field(gt=0, le=3600)] | None,
        BeforeValidator(_after, json_schema_input_type=Literal["p95"] | DurationInput | None),
    ] = None
    """A time, or ``p95``: what 19 of 20 streams of the target have begun within. Null is off."""


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
    on_midstream_failure: MidstreamFailure = "error"
    """When a stream breaks off behind its first byte: an error event, or the next target goes on with the answer."""
    hedge: Hedge | None = None
    """When a second attempt begins at the next target; both are paid for."""
