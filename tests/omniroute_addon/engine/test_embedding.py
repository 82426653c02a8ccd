"""The answer of an embeddings provider as a vector; the call itself over HTTP in tests/e2e/test_semantic.py."""

from array import array

import orjson
import pytest

from omniroute_addon.engine.embedding import MOST_DIMENSIONS, parsed


def answer(*numbers: object, **more: object) -> bytes:
    return orjson.dumps({"data": [{"embedding": numbers}], **more})


def test_numbers_become_single_floats() -> None:
    vector, tokens = parsed(answer(1, 0.5, -2e-3, usage={"prompt_tokens": 4, "total_tokens": 5}))
    assert array("f", vector).tolist() == pytest.approx([1, 0.5, -0.002])
    assert tokens == 4


@pytest.mark.parametrize(
    "usage,expected",
    [({"total_tokens": 5}, 5), ({"prompt_tokens": -1}, None), ({"prompt_tokens": "5"}, None), (None, None)],
)
def test_tokens_are_what_was_said(usage: object, expected: int | None) -> None:
    assert parsed(answer(1, usage=usage))[1] == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"data": []}',
        b'{"data": [{"embedding": "AAAA"}]}',
        answer(),
        answer(*[1] * (MOST_DIMENSIONS + 1)),
        answer("1"),
        answer(None),
        answer([1]),
        answer(0, 0),
        answer(1e300),
        answer(10**30 * 1.0, 1e39),
    ],
)
def test_anything_else_is_no_vector(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"embedding|line 1|EOF|JSON|input"):
        parsed(body)
