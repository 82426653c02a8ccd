"""Charts keep to the policy and say what they show."""

import re
from xml.etree import ElementTree as ET

import pytest

from omniroute_addon.web import charts, figures

NAMES = ["Mon", "Tue <b>", "Wed"]
SERIES = {"glm <script>": [1.0, None, 3.0], "openai": [0.0, 2_000_000.0, 1.0]}


@pytest.fixture(params=[charts.bars, charts.lines])
def drawn(request: pytest.FixtureRequest) -> str:
    return request.param("Cost <i>by</i> day", NAMES, SERIES)


def test_a_chart_brings_no_script_no_style_and_no_address(drawn: str) -> None:
    assert re.findall(r"<script|<style|style=|\son\w+=|href|url\(|<!--|<i>|<b>", drawn) == []


def test_a_chart_is_an_image_with_a_label(drawn: str) -> None:
    root = ET.fromstring(drawn)
    assert (root.get("role"), root.get("aria-label"), root.get("class")) == ("img", "Cost <i>by</i> day", "chart")


def test_a_bar_says_what_it_is() -> None:
    drawn = charts.bars("x", NAMES, SERIES, figures.money)
    titles = re.findall(r"<title>([^<]*)</title>", drawn)
    assert "Tue &lt;b&gt; · openai: $2.00" in titles
    assert len(titles) == 6


def test_many_names_are_thinned_out() -> None:
    names = [f"n{number}." for number in range(100)]
    drawn = charts.bars("x", names, {"s": list(range(100))})
    assert len(re.findall(r"<text[^>]*>n\d+\.", drawn)) <= charts.MOST_LABELS


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [None]}, {"a": [0.0]}])
def test_nothing_to_show_is_no_error(series: charts.Series) -> None:
    names = ["one"] * max((len(values) for values in series.values()), default=0)
    assert charts.bars("x", names, series).startswith("<svg")
    assert charts.lines("x", names, series).startswith("<svg")


def test_a_legend_has_the_colours_of_the_chart() -> None:
    found = charts.legend(dict.fromkeys("abcdefghi", ()))
    assert (found[0], found[8]) == (("color-0", "a"), ("color-0", "i"))
    drawn = charts.bars("x", ["n"], {name: [1.0] for name in "abcdefghi"})
    assert 'serie-8 color-0"' in drawn
