"""What goes into a pipe is plain text, as it came."""

import pytest
import typer

from omniroute_addon.cli import console


def test_a_long_line_is_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("word " * 200)
    assert capsys.readouterr().out.count("\n") == 1


def test_square_brackets_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("routes[0] [red]x[/red] [/]")
    assert capsys.readouterr().out == "routes[0] [red]x[/red] [/]\n"


def test_a_table_in_a_pipe_has_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("a", "b"), [("[x]", "2")])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["a", "b"], ["[x]", "2"]]


def test_talk_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.tell("by the way")
    assert capsys.readouterr() == ("", "by the way\n")


def test_a_failure_has_a_hint_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        console.fail("broken", hint="mend it", code=3)
    assert (ended.value.exit_code, capsys.readouterr().err) == (3, "omniroute: broken\nmend it\n")


@pytest.mark.parametrize(
    "width, kept",
    [
        (200, ("model", "calls", "tries", "output", "share")),
        (58, ("model", "calls", "output")),
        (20, ("model", "calls", "output")),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns(width: int, kept: tuple[str, ...]) -> None:
    columns = ("model", "calls", "tries", "output", "share")
    row = ("m" * 50, "1,000", "1,000", "500.5k", "█" * 20)
    found, rows = console.fitting(columns, [row], width, ("calls", "tries", "output"), ("share", "tries"))
    assert tuple(found) == kept
    assert [len(one) for one in rows] == [len(kept)]
