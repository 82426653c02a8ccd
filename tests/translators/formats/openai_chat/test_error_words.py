"""The tables of errors agree with each other."""

import pytest

from translators.formats.openai_chat.error_words import BY_CODE, BY_WORDING, LIMIT_KINDS
from translators.hub import FailureKind


def test_codes_are_looked_up_in_lower_case() -> None:
    assert [code for code in BY_CODE if code != code.lower()] == []


def test_every_kind_has_a_status() -> None:
    assert set(LIMIT_KINDS) == set(FailureKind.__value__.__args__)


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Input length 300000 exceeds the maximum length 262144",
        "Range of input length should be [1, 129024]",
        "Your request exceeded model token limit: 131072: please reduce the length of the messages",
        "the request exceeds the available context size, try increasing it",
    ],
)
def test_the_vendors_words_for_an_overflow(said: str) -> None:
    assert next(kind for kind, wording, _ in BY_WORDING if wording.search(said)) == "context_overflow"
