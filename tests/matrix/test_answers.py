"""What real providers said arrives in every other format: at least 99.5 % of it, in each pair 97 %."""

from collections.abc import Iterator

import pytest

from tests.matrix.clients import clients
from tests.matrix.recordings import Recording, recordings
from tests.matrix.score import UNEXPLAINED, Cell, Mode, answers, expectation, read

pytestmark = pytest.mark.skipif(not recordings(), reason="../shared/recordings is absent")

OVERALL, PAIR = 0.995, 0.97


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return answers()


@pytest.mark.parametrize("mode", ["whole", "stream", "folded", "unfolded"])
def test_nearly_every_answer_says_the_same_in_every_other_format(mode: Mode, cells: list[Cell]) -> None:
    of_mode = [cell for cell in cells if cell.mode == mode]
    equal, total = sum(cell.equal for cell in of_mode), sum(cell.total for cell in of_mode)
    assert equal / total >= OVERALL, [case for cell in of_mode for case in cell.remaining]


def test_no_pair_of_formats_falls_behind(cells: list[Cell]) -> None:
    assert [cell for cell in cells if cell.share < PAIR] == []


def test_every_remaining_case_is_explained(cells: list[Cell]) -> None:
    unexplained = [case for cell in cells for case in cell.remaining if UNEXPLAINED in case[1]]
    assert unexplained == []


def _official() -> Iterator[Recording]:
    """Answers in the words of their own SDK; the chat recordings are of many dialects, which OpenAI's SDK cannot add up."""
    for recording in recordings():
        if recording.status == 200 and recording.format != "openai-chat":
            yield recording


def test_the_expected_values_are_what_each_formats_own_sdk_reads() -> None:
    readers = clients(strict=False)
    wrong: dict[str, object] = {}
    for recording in _official():
        got = read(readers[recording.format], recording.body.encode(), stream=recording.stream)
        if got != expectation(recording):
            wrong[recording.id] = got
    for reader in readers.values():
        reader.close()
    assert wrong == {}
