"""What HTTP/1.1 allows a client beyond one plain request: waiting to be asked for the body, asking ahead."""

import contextlib
import socket
import ssl
from collections.abc import Generator
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import ask
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE, Say, says

ASKED = ask("anthropic-messages")
HEAD = f"POST {ASKED.path} HTTP/1.1\r\nhost: api.anthropic.com\r\n".encode()
SIZED = HEAD + b"content-length: %d\r\n" % len(ASKED.content)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ways = pytest.mark.parametrize(
    "target", ["up-anthropic-messages/m", "up-openai-chat/m"], ids=["passthrough", "translated"]
)


@contextlib.contextmanager
def tunnel(proxy: Proxy) -> Generator[ssl.SSLSocket]:
    host = str(urlsplit(ASKED.url).hostname)
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
        assert b" 200 " in plain.recv(65536)
        with proxy.trust.wrap_socket(plain, server_hostname=host) as one:
            yield one


def answered(sock: ssl.SSLSocket) -> bytes:
    """The body of the next answer; nothing of the one behind it is read."""
    response = HTTPResponse(sock)
    response.fp = _Unbuffered(sock)  # type: ignore[assignment]
    response.begin()
    assert response.status == 200
    return response.read()


class _Unbuffered:
    """Reads no byte too many, so that the next answer is still there."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size and (more := self._sock.recv(size - len(got))):
            got += more
        return got

    def readline(self, limit: int = -1) -> bytes:
        line = b""
        while len(line) != limit and not line.endswith(b"\n") and (one := self._sock.recv(1)):
            line += one
        return line

    def flush(self) -> None: ...

    def close(self) -> None: ...


@ways
def test_a_client_that_waits_to_be_asked_for_the_body_is_asked(
    target: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(says("Hello."))
    with tunnel(start_proxy(targets(up=provider) + routes(target))) as sock:
        sock.sendall(SIZED + b"expect: 100-continue\r\n\r\n")
        assert _Unbuffered(sock).read(len(CONTINUE)) == CONTINUE
        assert not provider.calls
        sock.sendall(ASKED.content)
        assert b"Hello." in answered(sock)


@ways
def test_calls_that_are_asked_ahead_are_answered_in_their_order(
    target: str, provider: Provider, start_proxy: StartProxy
) -> None:
    names = [f"Number {number}." for number in range(8)]
    provider.script(*[Say(Answer(pieces=(name,))) for name in names])
    with tunnel(start_proxy(targets(up=provider) + routes(target))) as sock:
        sock.sendall((SIZED + b"\r\n" + ASKED.content) * len(names))
        for name in names:
            assert name.encode() in answered(sock)
