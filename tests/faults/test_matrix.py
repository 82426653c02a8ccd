"""Every fault on the wire × stream or whole × every client format × translated or not × with and without another target.

The client is the vendor's own SDK through the proxy; see ``wires.py`` for what a fault does, ``cells.py`` for how cells
are kept apart, and ``expected.py`` for what each must come to. The eight cells of a fault and a client are one test.
"""

import sqlite3
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from google.genai import errors as genai_errors

from tests.faults import expected
from tests.faults.cells import FAULTS, Cell, cells, config
from tests.faults.clients import Ask, Heard, clients
from tests.faults.upstream import FIRST, PIECES, SECOND, broken, refusing, unreachable
from tests.faults.wires import LONG, WIRES
from tests.servers.answers import FORMATS
from tests.servers.proxy import running

type AskAll = Callable[[list[Cell]], dict[Cell, Heard]]


@pytest.fixture(scope="session")
def ask_all(tmp_path_factory: pytest.TempPathFactory) -> Generator[AskAll]:
    """Asks at the same time. At the end the ledger must tell the same of all calls."""
    known: dict[Cell, Heard] = {}
    directory = tmp_path_factory.mktemp("faults")
    with broken(WIRES) as server, refusing() as refused, unreachable() as full, ThreadPoolExecutor(8) as pool:
        with running(directory, config(server.port, refused, full)) as proxy, clients(proxy) as asks:

            def ask_all(group: list[Cell]) -> dict[Cell, Heard]:
                # Twenty megabytes eight times at once would only wait for one another.
                each = map if group[0].fault == "big-event" else pool.map
                heard = dict(zip(group, each(lambda cell: _asked(asks[cell.client], cell), group), strict=True))
                known.update(heard)
                return heard

            yield ask_all
        booked = _booked(proxy.home)
        told = {str(cell): _book(cell, heard) for cell, heard in known.items() if _understood_by_the_sdk(cell)}
        assert told == {str(cell): booked.get(cell.model) for cell in known if str(cell) in told}


def _asked(ask: Ask, cell: Cell) -> Heard:
    try:
        return ask(cell.model, cell.stream)
    except Exception as error:  # noqa: BLE001 -- what an SDK does not understand is this cell's failure, not the others'
        return Heard(stop="not understood", error=error)


def _outcome(cell: Cell, heard: Heard) -> str:
    if heard.error is None:
        return "second" if heard.text == SECOND.text else "right"
    if heard.status is None or heard.text:
        return "broken"
    return "refused" if cell.fault == "400-malformed" else "error"


def _book(cell: Cell, heard: Heard) -> str:
    match _outcome(cell, heard):
        case "broken":
            return "broken after the first byte"
        case "error" | "refused":
            return "failed"
        case _:
            return "done"


def _booked(home: Path) -> dict[str, str]:
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        rows = connection.execute("SELECT model, outcome FROM exchanges").fetchall()
    return {model: outcome.partition(":")[0] for model, outcome in rows}


def _understood_by_the_sdk(cell: Cell) -> bool:
    """Google's own SDK chokes on lines that the grammar of event streams says to skip; a passthrough keeps them."""
    return (cell.fault, cell.client, cell.stream, cell.crossed) != ("garbage-middle", "gemini", True, False)


@pytest.mark.parametrize("client", FORMATS)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_client_gets_the_right_answer_or_an_error_that_it_understands(
    fault: str, client: str, ask_all: AskAll
) -> None:
    heard = ask_all(cells(fault, client))
    wrong = {str(cell): f"{why}: {one}"[:500] for cell, one in heard.items() if (why := _wrong(cell, one))}
    assert wrong == {}


def _wrong(cell: Cell, heard: Heard) -> str | None:
    """What is not as it should be."""
    if not _understood_by_the_sdk(cell):
        return (
            None if isinstance(heard.error, genai_errors.UnknownApiResponseError) else "the SDK has learned to read it"
        )
    if heard.stop == "not understood":
        return "not understood"
    outcome = _outcome(cell, heard)
    if outcome not in expected.outcomes(cell):
        return outcome
    match outcome:
        case "right" if cell.fault == "big-event":
            return None if len(heard.text) == len(PIECES[0]) + LONG else "not all of the text"
        case "right":
            call = ("read_file", {"path": "first.txt", "lines": 3})
            return None if (heard.text, heard.calls) == (FIRST.text, [call]) else "not the whole answer"
        case "second":
            return "calls of the first answer" if heard.calls else None
        case "broken":
            return None if FIRST.text.startswith(heard.text) else "text that nobody said"
        case _:
            return _wrong_error(cell, heard)


def _wrong_error(cell: Cell, heard: Heard) -> str | None:
    if heard.status not in expected.statuses(cell):
        return f"status {heard.status}"
    times = expected.times(cell)
    if times is not None and int(heard.headers.get("retry-after", 0)) not in times:
        return f"retry-after {heard.headers.get('retry-after')}"
    return None
