"""What may be said of a time, and what it means."""

import pytest
from pydantic import ValidationError

from omniroute_addon.web.spans import SpanAsked


@pytest.mark.parametrize(
    "since",
    ["7d", "2h30m", "today", "yesterday", "2026-11-01", "2026-12-31", "2028-02-29", "2026-11-01T23:59", "99999w"],
)
def test_what_may_be_said_has_a_meaning(since: str) -> None:
    chosen = SpanAsked(since=since).chosen()
    assert chosen.since < chosen.until or since.startswith(("2026-12", "2028"))


@pytest.mark.parametrize(
    "since", ["", "7", "soon", "2026-02-30", "2027-02-29", "2026-11-31", "9" * 99 + "d", "7d\n", "٧d"]
)
def test_what_has_none_is_refused(since: str) -> None:
    with pytest.raises(ValidationError):
        SpanAsked(since=since)


def test_filters_go_along() -> None:
    assert SpanAsked().chosen({"provider": "glm", "model": None}).where == {"provider": "glm"}
