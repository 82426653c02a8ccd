"""What people write in the rules, and what it becomes."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from omniroute_addon.config.section import Duration, Section, Share, Words, Zone, zone


class Every(Section):
    lasts: Duration = 0.0
    part: Share = 0.0
    named: Words = ()
    where: Zone = "UTC"


@pytest.mark.parametrize(
    "written,seconds",
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("2h30m", 9000),
        ("90d", 7_776_000),
        ("1w", 604_800),
        ("7", None),
        (7, 7),
    ],
)
def test_durations_have_units_or_are_seconds(written: Any, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(ValidationError):
            Every(lasts=written)
    else:
        assert Every(lasts=written).lasts == seconds


@pytest.mark.parametrize("written,share", [("10%", 0.1), (0.1, 0.1), ("12.5%", 0.125), (0, 0.0)])
def test_shares_are_percentages_or_fractions(written: Any, share: float) -> None:
    assert Every(part=written).part == share


def test_one_word_stands_for_a_list_of_one() -> None:
    assert Every(named="glm").named == ("glm",)  # type: ignore[arg-type]
    assert Every(named=("glm", "kimi")).named == ("glm", "kimi")


def test_a_zone_has_a_known_name() -> None:
    assert zone(Every(where="Europe/Berlin").where) == ZoneInfo("Europe/Berlin")
    with pytest.raises(ValidationError, match="unknown time zone 'Berlin'"):
        Every(where="Berlin")


def test_without_a_zone_the_machine_has_its_own() -> None:
    assert zone(None) is None


def test_what_was_read_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Every().part = 0.5


def test_an_error_never_shows_what_was_written() -> None:
    with pytest.raises(ValidationError) as error:
        Every.model_validate({"lasts": 1, "key": "sk-secret"})
    assert "sk-secret" not in str(error.value)
