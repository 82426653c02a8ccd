"""Rough token counts."""

from dataclasses import replace

import pytest

from tests import hub_cases as cases
from translators import hub
from translators.estimate import expected, input_tokens


def asked(*parts: hub.Part) -> int:
    return input_tokens(hub.Request("m", (hub.Message("user", parts),)))


def test_english_is_about_a_quarter_token_per_character() -> None:
    assert 1000 <= asked(hub.Text("word " * 800)) <= 1100


def test_chinese_is_nearly_a_token_per_character() -> None:
    assert 700 <= asked(hub.Text("天" * 1000)) <= 1000


def test_an_image_costs_the_same_whatever_its_size() -> None:
    assert asked(hub.Media("image", data="A" * 10)) == asked(hub.Media("image", data="A" * 1_000_000))


def test_tools_and_their_schemas_count() -> None:
    assert input_tokens(replace(cases.PLAIN, tools=cases.TOOLS.tools)) > input_tokens(cases.PLAIN) + 30


def test_an_empty_request_is_one_token() -> None:
    assert input_tokens(hub.Request("m", ())) == 1


def test_every_part_counts() -> None:
    parts: list[hub.Part] = [
        hub.Thinking("x" * 400),
        hub.Refusal("x" * 400),
        hub.ToolCall("i", "n", "x" * 400),
        hub.ToolResult("i", (hub.Text("x" * 400), hub.ToolReference("y" * 40))),
        hub.Opaque("gemini", {"x": "y" * 400}),
    ]
    assert all(asked(part) >= 100 for part in parts)


@pytest.mark.parametrize("odd", [10**30, "cut \ud83d", "[" * 300])
def test_a_schema_that_orjson_refuses_counts_too(odd: hub.JSON) -> None:
    schema: dict[str, hub.JSON] = {"type": "object", "default": odd}
    assert input_tokens(replace(cases.PLAIN, tools=(hub.Tool("t", schema=schema),))) > input_tokens(cases.PLAIN)


def test_an_estimate_gives_way_to_a_report_count_by_count() -> None:
    guess = expected(cases.PLAIN)
    assert guess == hub.Usage(input=input_tokens(cases.PLAIN), estimated=True)
    half = guess.merged(hub.Usage(output=5))
    assert half == hub.Usage(input=guess.input, output=5, estimated=True)
    assert half.merged(hub.Usage(input=9, output=6)) == hub.Usage(input=9, output=6)
