"""A cut stream is, for the user of each official SDK, an error of that SDK: no hang, no crash, no short answer."""

from collections.abc import Generator
from itertools import product

import anthropic
import openai
import pytest
from google.genai import errors

from tests import hub_cases as cases
from tests.matrix.clients import Client, MismatchError, clients
from tests.wires import stream_of, wire_of
from translators import FORMATS, bridge
from translators.fold import unfold

CUTS = 12
WITH_SDK = ("anthropic-messages", "gemini", "openai-chat", "openai-responses")
SDK_ERRORS = (anthropic.APIError, openai.APIError, errors.APIError, MismatchError)
"""The Responses SDK raises nothing: it hands out ``response.failed`` in place of an end, which our reader complains of."""


@pytest.fixture(scope="module")
def readers() -> Generator[dict[str, Client]]:
    made = clients(strict=False)
    yield made
    for one in made.values():
        one.close()


@pytest.mark.parametrize(
    "client, upstream", [pair for pair in product(WITH_SDK, sorted(FORMATS)) if pair[0] != pair[1]]
)
def test_a_cut_stream_is_an_error_of_the_sdk(client: str, upstream: str, readers: dict[str, Client]) -> None:
    data = stream_of(FORMATS[upstream], unfold(cases.THINKING_ANSWER), cases.TOOLS)
    for number in range(CUTS):
        length = len(data) * number // CUTS
        joined = bridge(client, upstream)
        joined.request(wire_of(client, cases.TOOLS), "a-model")
        out = joined.feed(data[:length], "text/event-stream") + joined.close()
        if joined.finished:
            continue
        with pytest.raises(SDK_ERRORS):
            readers[client].stream(out)
        assert client != "openai-responses" or b'"type":"response.failed"' in out
