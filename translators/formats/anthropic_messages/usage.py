"""Token counts ↔ :class:`hub.Usage`, and stop reasons.

Anthropic's ``input_tokens`` are those that no cache served or stored; the hub's ``input`` is all of them.
"""

from translators import hub
from translators.formats.anthropic_messages.values import NAME, Object, own, rest
from translators.hub import JSON, StopReason

_STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_overflow",
}
_WORDS: dict[StopReason, str] = {"other": "end_turn", **{reason: word for word, reason in _STOPS.items()}}
_OWN_WORDS = frozenset({"compaction"})
"""Words of this format that the hub calls ``other``."""
_MAX_WORDS = 256
"""A stream of ever new words may not cost more with each."""
_INPUT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def parse_usage(raw: Object) -> hub.Usage:
    uncached = _count(raw.get("input_tokens"))
    read = _count(raw.get("cache_read_input_tokens"))
    write = _count(raw.get("cache_creation_input_tokens"))
    details = raw.get("output_tokens_details")
    known = [count for count in (uncached, read, write) if count is not None]
    return hub.Usage(
        input=None if uncached is None else sum(known),
        output=_count(raw.get("output_tokens")),
        cache_read=read,
        cache_write=write,
        reasoning=_count(details.get("thinking_tokens")) if isinstance(details, dict) else None,
        extra=rest(
            raw,
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            *(("output_tokens_details",) if isinstance(details, dict) and set(details) == {"thinking_tokens"} else ()),
        ),
    )


def render_usage(usage: hub.Usage) -> Object:
    """``input_tokens`` and ``output_tokens`` are required: 0 is written for what is not known."""
    uncached = max((usage.input or 0) - (usage.cache_read or 0) - (usage.cache_write or 0), 0)
    made: Object = {
        "input_tokens": uncached,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output or 0,
    }
    if usage.reasoning is not None:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return {**made, **own(usage.extra)}


def newer_usage(old: Object, new: Object) -> Object:
    """A later report over an earlier one, whose counts it raises or, where they were estimates, corrects.

    Null is no news, nor is a 0 where there was a count: imitators send both for what they do not report at the end. But
    a report that counts any input counts all of it: there 0 uncached tokens means that the cache served everything.
    """
    counts_input = any(new.get(name) for name in _INPUT)
    news = {
        name: value
        for name, value in new.items()
        if value is not None
        and (value != 0 or not old.get(name) or (counts_input and name in _INPUT))
        and (name in old or len(old) < _MAX_WORDS)
    }
    return {**old, **news}


def parse_stop(reason: JSON, sequence: JSON) -> hub.Stop:
    word = reason if isinstance(reason, str) else None
    return hub.Stop(_STOPS.get(word or "", "other"), sequence if isinstance(sequence, str) else None, word)


def render_stop(stop: hub.Stop, calls: bool) -> Object:
    """``calls``: whether the answer holds tool calls; agents go by the reason, so the two must agree."""
    match stop.reason:
        case "end" | "other" if calls:
            word = "tool_use"
        case "tool_calls" if not calls:
            word = "end_turn"
        case reason:
            word = stop.raw if stop.raw in _OWN_WORDS else _WORDS[reason]
    return {"stop_reason": word, "stop_sequence": stop.sequence}


def with_own(fields: Object, extra: hub.Extra) -> Object:
    return {**fields, **extra.get(NAME, {})}


def _count(value: JSON) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
