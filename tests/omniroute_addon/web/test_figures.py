import pytest

from omniroute_addon.web import figures


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("number, text", [(None, "–"), (0, "0"), (12345, "12 345"), (1234567.8, "1 234 568")])
def test_whole(number: float | None, text: str) -> None:
    assert plain(figures.whole(number)) == text


@pytest.mark.parametrize(
    "number, text", [(None, "–"), (999, "999"), (999.6, "1.0k"), (12345, "12.3k"), (4.5e6, "4.5M")]
)
def test_short(number: float | None, text: str) -> None:
    assert figures.short(number) == text


@pytest.mark.parametrize(
    "micro, text",
    [
        (None, "–"),
        (0, "$0.00"),
        (12, "$0.000012"),
        (1234, "$0.0012"),
        (1_234_567, "$1.23"),
        (1_234_567_890, "$1 234.57"),
    ],
)
def test_money(micro: float | None, text: str) -> None:
    assert plain(figures.money(micro)) == text


def test_a_difference_has_its_sign_behind_the_mark_of_an_estimate() -> None:
    assert [figures.difference(micro) for micro in (1_200_000, -42, 0)] == ["~+$1.20", "~−$0.000042", "~$0.00"]


def test_an_estimate_is_marked() -> None:
    assert figures.money(1_000_000, estimated=True) == "~$1.00"


@pytest.mark.parametrize(
    "seconds, text",
    [
        (None, "–"),
        (-0.001, "0 ms"),
        (0.34, "340 ms"),
        (0.9999, "1.0 s"),
        (59.99, "1 min"),
        (200, "3 min 20 s"),
        (90061, "1 d 1 h"),
    ],
)
def test_took(seconds: float | None, text: str) -> None:
    assert plain(figures.took(seconds)) == text


@pytest.mark.parametrize(
    "count, text", [(None, "–"), (12, "12 B"), (1200, "1.2 kB"), (4.5e6, "4.5 MB"), (3e9, "3.0 GB")]
)
def test_size(count: int | None, text: str) -> None:
    assert plain(figures.size(count)) == text


def test_share_and_times() -> None:
    assert (plain(figures.share(0.123)), figures.share(None), figures.clock(None), figures.date(None)) == (
        "12 %",
        "–",
        "–",
        "–",
    )
    assert figures.date(1e9)[11:] == figures.clock(1e9)
    assert figures.iso(1e9).startswith("2001-09-")
