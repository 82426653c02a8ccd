"""Conditions of a route: when, from where, and what is in the body."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from omniroute_addon.routing import Ask, Told
from tests.omniroute_addon.routing.rules import CLAUDE, planned


def holds(match: str, ask: Ask = CLAUDE, now: float = 0.0) -> bool:
    return planned(f"routes: [{{match: {{{match}}}, to: glm/b}}]", ask, now=now).route == "routes[0]"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "span, time, expected",
    [
        ("09:00-18:00", "2026-11-20T09:00", True),
        ("09:00-18:00", "2026-11-20T17:59", True),
        ("09:00-18:00", "2026-11-20T18:00", False),
        ("22:00-06:00", "2026-11-20T23:00", True),
        ("22:00-06:00", "2026-11-20T05:59", True),
        ("22:00-06:00", "2026-11-20T06:00", False),
        ("18:00-24:00", "2026-11-20T23:59", True),
        ("18:00-24:00", "2026-11-20T00:00", False),
    ],
)
def test_hours_of_the_day(span: str, time: str, expected: bool) -> None:
    assert holds(f"hours: '{span}', timezone: UTC", now=at(time)) is expected


def test_hours_are_those_of_the_zone() -> None:
    assert holds("hours: '09:00-10:00', timezone: Asia/Tokyo", now=at("2026-11-20T00:30"))


@pytest.mark.parametrize("day, expected", [("2026-11-20", True), ("2026-11-21", False)])
def test_days_of_the_week(day: str, expected: bool) -> None:
    assert holds("days: [mon, tue, wed, thu, fri], timezone: UTC", now=at(day)) is expected


@pytest.mark.parametrize(
    "match, facts, expected",
    [
        ("has: images", Told(frozenset({"images", "tools"})), True),
        ("has: [images, tools]", Told(frozenset({"images"})), False),
        ("lacks: tools", Told(frozenset({"tools"})), False),
        ("lacks: tools", Told(frozenset({"images"})), True),
        ("tokens_over: 1000", Told(tokens=1001), True),
        ("tokens_over: 1000", Told(tokens=1000), False),
        ("tokens_under: 1000", Told(tokens=999), True),
        ("tokens_under: 1000", Told(tokens=1000), False),
        ("session: 'work-*'", Told(session="work-1"), True),
        ("session: 'work-*'", Told(), False),
    ],
)
def test_what_is_in_the_body(match: str, facts: Told, expected: bool) -> None:
    assert holds(match, replace(CLAUDE, facts=facts)) is expected


@pytest.mark.parametrize(
    "source, expected",
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.0.0.1", False), ("fe80::1%eth0", False), ("", False)],
)
def test_where_the_client_is(source: str, expected: bool) -> None:
    assert holds("source: 10.0.0.0/8", replace(CLAUDE, source=source)) is expected


def test_which_key_the_caller_has_shown() -> None:
    assert holds("key: 'ali*'", replace(CLAUDE, key="alice"))
    assert not holds("key: 'ali*'")


def test_a_disabled_route_is_passed_over() -> None:
    result = planned("routes: [{enabled: false, to: glm/a}, {name: night, to: glm/b}]")
    assert (result.route, result.tried) == ("routes[1] night", (("routes[0]", "enabled"),))


def test_the_key_that_does_not_hold_is_told() -> None:
    result = planned("routes: [{match: {client: codex}, to: glm/a}, {match: {headers: {x-app: cli}}, to: glm/a}]")
    assert result.tried == (("routes[0]", "client"), ("routes[1]", "headers.x-app"))
