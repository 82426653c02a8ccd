"""Recorded requests arrive whole, and valid, in every other format."""

import pytest

from tests.matrix.requests import SHARED, Cell, requests

LEAST_OF_A_PAIR = 0.97
LEAST_OF_ALL = 0.995

pytestmark = pytest.mark.skipif(
    not (SHARED / "recordings").exists(), reason="the recordings are not part of the repository"
)


def _cells() -> list[Cell]:
    return requests() if (SHARED / "recordings").exists() else []


@pytest.mark.parametrize("cell", _cells(), ids=lambda cell: f"{cell.source_format} to {cell.target_format}")
def test_a_pair_of_formats_is_nearly_always_equal(cell: Cell) -> None:
    assert cell.share >= LEAST_OF_A_PAIR, cell.remaining


def test_all_pairs_together_are_equal_but_for_a_few() -> None:
    cells = requests()
    share = sum(cell.equal for cell in cells) / sum(cell.total for cell in cells)
    assert share >= LEAST_OF_ALL, [one for cell in cells for one in cell.remaining]
