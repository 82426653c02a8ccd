"""Requests and answers in another format; tests of ``omniroute translate`` see most of it."""

import orjson
import pytest

from omniroute_addon.engine import translated
from translators import FORMATS, TranslationError

ASKED = b'{"model":"m","max_tokens":5,"top_k":3,"messages":[{"role":"user","content":"Hi"}]}'


@pytest.mark.parametrize("target", FORMATS)
def test_a_request_goes_to_every_format(target: str) -> None:
    found = translated.request("anthropic-messages", target, ASKED, "other")
    assert b"Hi" in found.body
    assert orjson.loads(found.body) == found.facts["body"]


def test_losses_are_named() -> None:
    assert [loss.path for loss in translated.request("anthropic-messages", "openai-chat", ASKED).losses] == ["top_k"]


def test_an_answer_comes_back_and_an_error_is_told() -> None:
    done = b'{"choices":[{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}'
    found = translated.answer("openai-chat", "anthropic-messages", done)
    assert (b"Hello" in found.body, found.failure) == (True, None)
    assert translated.answer("openai-chat", "anthropic-messages", b'{"error":{"message":"no"}}').failure is not None


def test_what_is_no_request_is_refused() -> None:
    with pytest.raises(TranslationError):
        translated.request("anthropic-messages", "openai-chat", b"hello")
