"""Token counts as the vendors count them."""

from typing import Any

import pytest

from translators.formats.openai_chat.usage import parse_usage, render_usage


@pytest.mark.parametrize(
    "fields, cached",
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, 4),
        ({"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}, 4),
        ({"cached_tokens": 4}, 4),
        ({"num_cached_tokens": 4}, 4),
        ({}, None),
    ],
)
def test_cached_tokens(fields: dict[str, Any], cached: int | None) -> None:
    assert parse_usage({"prompt_tokens": 10, "completion_tokens": 1, **fields}).cache_read == cached


def test_reasoning_outside_of_completion_tokens_is_output() -> None:
    source = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 22,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    usage = parse_usage(source)
    assert (usage.output, usage.reasoning) == (12, 7)


def test_reasoning_inside_of_completion_tokens_is_not_added() -> None:
    source = {
        "prompt_tokens": 10,
        "completion_tokens": 12,
        "total_tokens": 22,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    assert parse_usage(source).output == 12


def test_costs_survive() -> None:
    source = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.5}
    assert render_usage(parse_usage(source)) == source


def test_input_and_output_tokens_are_prompt_and_completion() -> None:
    """Response sanitising: some dialects count in the words of the Responses format."""
    counted = parse_usage({"input_tokens": 5, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 3}})
    assert (counted.input, counted.output, counted.cache_read) == (5, 2, 3)
