"""Usage and finish reasons, as OpenAI and its many dialects spell them.

Hub usage counts cached tokens inside ``input`` and reasoning inside ``output``. OpenAI counts the same way, but xAI and
Google's chat endpoint leave reasoning out of ``completion_tokens``; there the total tells.
"""

from collections.abc import Mapping
from typing import assert_never

from translators.formats.openai_chat.values import extra, integer, object_at, own, rest
from translators.hub import JSON, Stop, StopReason, Usage

_REASONS: dict[str, StopReason] = {
    "": "end",
    "stop": "end",
    "end": "end",
    "end_turn": "end",
    "eos": "end",
    "eos_token": "end",
    "complete": "end",
    "completed": "end",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "model_length": "max_tokens",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
    "safety": "refusal",
    "recitation": "refusal",
    "refusal": "refusal",
    "sensitive": "refusal",
    "model_context_window_exceeded": "context_overflow",
}
BROKEN = {
    "error": "The provider ended the answer with an error.",
    "abort": "The provider aborted the answer.",
    "network_error": "The provider lost the model while it answered.",
    "insufficient_system_resource": "The provider ran out of resources while it answered.",
}
"""Finish reasons that are failures, with what to tell the user."""

_COUNTED = frozenset({
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
})  # fmt: skip


def stop(choice: Mapping[str, JSON], calls: bool, *, refused: bool = False) -> Stop:
    """Why the choice ended; with tool calls a plain end means "run them", whatever the dialect says.

    ``refused``: the message has a ``refusal``, which OpenAI ends with a plain ``stop``.
    """
    raw = choice.get("finish_reason")
    word = raw if isinstance(raw, str) else ""
    reason = _REASONS.get(word.lower(), "other")
    sequence = choice.get("stop_reason")  # vLLM: the stop string that was met
    if reason == "end" and calls:
        reason = "tool_calls"
    elif reason == "tool_calls" and not calls:
        reason = "end"
    if reason in ("end", "stop_sequence") and isinstance(sequence, str) and sequence not in _REASONS:
        return Stop("stop_sequence", sequence, word)
    if reason == "end" and refused:
        reason = "refusal"
    return Stop(reason, None, word or None)


def finish_reason(reason: StopReason) -> str:
    match reason:
        case "end" | "stop_sequence" | "pause" | "other":
            return "stop"
        case "max_tokens" | "context_overflow":
            return "length"
        case "tool_calls":
            return "tool_calls"
        case "refusal":
            return "content_filter"
        case _:
            assert_never(reason)


def parse_usage(source: Mapping[str, JSON]) -> Usage:
    given = object_at(source, "prompt_tokens_details") or object_at(source, "input_tokens_details")
    taken = object_at(source, "completion_tokens_details") or object_at(source, "output_tokens_details")
    total = integer(source, "total_tokens")
    entered, output = (_either(source, *names) for names in (_ENTERED, _OUTPUT))
    reasoning = _first(taken, "reasoning_tokens", source)
    if None not in (total, entered, output) and (missing := (total or 0) - (entered or 0) - (output or 0)) > 0:
        if reasoning is None and not taken:
            reasoning = missing
        if reasoning == missing:
            output = (output or 0) + missing
    cached = _first(given, "cached_tokens", source)
    if cached is None:
        cached = next((n for key in _CACHED if (n := integer(source, key)) is not None), None)
    written = _first(given, "cache_write_tokens", source)
    more = rest(source, _COUNTED)
    for name, details, known in (
        ("prompt_tokens_details", given, {"cached_tokens", "cache_write_tokens"}),
        ("completion_tokens_details", taken, {"reasoning_tokens"}),
    ):
        if kept := rest(details, frozenset(known)):
            more[name] = kept
    return Usage(
        input=entered,
        output=output,
        cache_read=cached,
        cache_write=integer(source, "cache_creation_input_tokens") if written is None else written,
        reasoning=reasoning,
        extra=extra(more),
    )


_ENTERED = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
"""Some dialects count in the words of the Responses format."""
_CACHED = ("prompt_cache_hit_tokens", "num_cached_tokens", "cache_read_input_tokens")


def _either(source: Mapping[str, JSON], *names: str) -> int | None:
    return next((count for name in names if (count := integer(source, name)) is not None), None)


def _first(details: Mapping[str, JSON], name: str, source: Mapping[str, JSON]) -> int | None:
    inner = integer(details, name)
    return integer(source, name) if inner is None else inner


def render_usage(usage: Usage) -> dict[str, JSON]:
    entered, output = usage.input or 0, usage.output or 0
    rendered: dict[str, JSON] = {
        "prompt_tokens": entered,
        "completion_tokens": output,
        "total_tokens": entered + output,
    }
    more = dict(own(usage.extra))
    for name, counts in (
        ("prompt_tokens_details", {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}),
        ("completion_tokens_details", {"reasoning_tokens": usage.reasoning}),
    ):
        details: dict[str, JSON] = {key: count for key, count in counts.items() if count is not None}
        details |= object_at(more, name)
        more.pop(name, None)
        if details:
            rendered[name] = details
    return rendered | more
