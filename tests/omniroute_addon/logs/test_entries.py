"""Which entries somebody wants to see."""

import logging

import pytest

from omniroute_addon.logs.entries import Entry, Level, Query, level_of

ENTRY = Entry("1", 100.0, "console", "warning", "engine", "A call took long", {"target": "glm/glm-4.7"})


@pytest.mark.parametrize("level, wanted", [("debug", True), ("warning", True), ("error", False)])
def test_a_level_means_this_and_worse(level: Level, wanted: bool) -> None:
    assert Query(level=level).wants(ENTRY) is wanted


@pytest.mark.parametrize("search, wanted", [("CALL long", True), ("glm-4.7 engine", True), ("call short", False)])
def test_all_words_must_occur_in_text_source_or_facts(search: str, wanted: bool) -> None:
    assert Query(search=search).wants(ENTRY) is wanted


def test_what_is_older_is_not_wanted() -> None:
    assert (Query(since=100.0).wants(ENTRY), Query(since=101.0).wants(ENTRY)) == (True, False)


def test_mitmproxys_alerts_are_infos() -> None:
    numbers = (logging.DEBUG, logging.INFO, logging.INFO + 1, logging.WARNING, logging.CRITICAL)
    assert [level_of(number) for number in numbers] == ["debug", "info", "info", "warning", "error"]
