"""What the commands say, and where: results on stdout, all other talk on stderr. No other file prints.

Colours and tables are for terminals; into a pipe the same words go plain and unwrapped. Whatever comes from outside
(file content, error texts) is shown as it is, never read as markup. rich is imported by what needs it: most commands say their few words to a program.
"""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

import orjson
import typer

if TYPE_CHECKING:
    from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

PIPE_WIDTH = 240
PANEL_WIDTH = 110
FOLDED = 32
"""Characters of a text that go on one line at least, when there are columns to spare."""
GAP = 3


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, soft_wrap=True)


def say(text: str = "", style: str | None = None) -> None:
    """One line of a result."""
    from rich.text import Text

    _console().print(Text(text, style=style or ""))


def tell(text: str, style: str | None = None) -> None:
    """One line beside the result, on stderr."""
    from rich.text import Text

    _console(stderr=True).print(Text(text, style=style or ""))


def ask(question: str) -> str | None:
    """The line that somebody types; None at the end of input."""
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None


def write(data: bytes) -> None:
    """Bytes of a result, as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_line(line: str) -> None:
    """One line that a program waits for: nothing is added or held back."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def as_json(value: object) -> None:
    """A result for a script."""
    write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str) + b"\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    stderr: bool = False,
    numbers: Collection[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Rows with aligned columns, those named ``numbers`` to the right; in a pipe without lines around them.

    A narrow terminal does without the columns named ``spare``, the first first.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = _console(stderr=stderr)
    columns, rows = fitting(columns, list(rows), console.width, numbers, spare)
    shown = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        pad_edge=False,
    )
    for column in columns:
        number = column in numbers
        shown.add_column(column, overflow="fold", justify="right" if number else "left", no_wrap=number)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console.print(shown)


def fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, numbers: Collection[str], spare: Sequence[str]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The table without what it has no room for. Texts may be folded, numbers may not."""
    left = [columns, *rows]
    for name in (None, *spare):
        if name in left[0]:
            place = left[0].index(name)
            left = [[*row[:place], *row[place + 1 :]] for row in left]
        widths = [max(len(row[place]) for row in left) for place in range(len(left[0]))]
        needed = [
            size if column in numbers else min(size, FOLDED) for column, size in zip(left[0], widths, strict=True)
        ]
        if sum(needed) + GAP * len(needed) <= width:
            break
    return left[0], left[1:]


def progress() -> "Progress":
    """Bars of what is under way, on stderr; nothing where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = _console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


def panel(title: str, text: str) -> None:
    """A titled box around some text."""
    from rich.panel import Panel
    from rich.text import Text

    console = _console()
    console.print(Panel(Text(text), title=Text(title), title_align="left", width=min(console.width, PANEL_WIDTH)))


def fail(message: str, *, hint: str | None = None, code: int = 1) -> NoReturn:
    """Say on stderr what is wrong and what to do, and end the command."""
    from rich.text import Text

    console = _console(stderr=True)
    console.print(Text.assemble(("omniroute: ", "bold red"), message))
    if hint is not None:
        console.print(Text(hint, style="dim"))
    raise typer.Exit(code)
