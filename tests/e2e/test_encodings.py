"""Compressed bodies: requests in what clients send, answers in what providers send."""

import gzip
import zlib
from collections.abc import Callable, Generator
from typing import Literal, get_args

import brotli
import pytest
import zstandard

from tests.e2e.calls import ask, client, spoken
from tests.e2e.targets import targets
from tests.servers.answers import FORMATS, Answer
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import Say

type Encoding = Literal["identity", "gzip", "br", "zstd"]

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
FIELDS = {"openai-responses": "input"}


@pytest.fixture(scope="module")
def upstream() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def module_proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    rules = "".join(f"  - {{match: {{model: to-{form}}}, to: up-{form}/m}}\n" for form in FORMATS)
    with running(tmp_path_factory.mktemp("encodings"), f"{targets(up=upstream)}routes:\n{rules}") as proxy:
        yield proxy


@pytest.fixture
def encoding_proxy(module_proxy: Proxy, upstream: Provider) -> Proxy:
    upstream.forget()
    return module_proxy


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_compressed_request_is_understood(
    encoding: str, form: str, upstream: Provider, encoding_proxy: Proxy
) -> None:
    asked = ask("openai-responses", f"to-{form}", question="Was this packed?")
    headers = {"content-type": "application/json", "content-encoding": encoding}
    with client(encoding_proxy) as http:
        response = http.post(asked.url, content=ENCODERS[encoding](asked.content), headers=headers)
    assert spoken(asked.format, response) == "Hello from upstream"
    assert (upstream.call.model, b"Was this packed?" in upstream.call.body) == ("m", True)


def test_a_request_that_claims_to_be_compressed_is_refused(upstream: Provider, encoding_proxy: Proxy) -> None:
    asked = ask("openai-responses", "to-openai-chat")
    with client(encoding_proxy) as http:
        response = http.post(asked.url, content=asked.content, headers={"content-encoding": "gzip"})
    assert (response.status_code, "error" in response.json(), upstream.calls) == (400, True, [])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("encoding", get_args(Encoding.__value__))
def test_a_compressed_answer_is_understood(
    encoding: Encoding, form: str, upstream: Provider, encoding_proxy: Proxy, *, stream: bool
) -> None:
    upstream.script(Say(Answer(pieces=("Well ", "packed")), encoding=encoding))
    asked = ask("anthropic-messages", f"to-{form}", stream=stream)
    with client(encoding_proxy) as http:
        response = http.post(asked.url, content=asked.content, headers={"accept-encoding": "gzip, br, zstd"})
    assert spoken(asked.format, response) == "Well packed"
