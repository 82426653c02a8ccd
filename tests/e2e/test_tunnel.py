"""Hosts that are no providers are tunnelled: not one byte of their TLS is ours."""

import socket
import ssl
import threading
from collections.abc import Callable

import pytest

from tests.e2e.targets import routes, targets
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE

PROTOCOLS = (["h2", "http/1.1"], ["http/1.1"], ["made-up/7"])


def _client_hello(protocols: list[str]) -> bytes:
    """The first flight of a client of its own kind, as it would go on the wire."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="bank.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def _received(server: socket.socket, length: int, into: list[bytes]) -> None:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(PATIENCE)
        data = b""
        while len(data) < length and (piece := connection.recv(length - len(data))):
            data += piece
        into.append(data)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


@pytest.mark.parametrize("protocols", PROTOCOLS, ids=" ".join)
def test_the_server_sees_the_clients_own_hello(
    protocols: list[str], provider: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    """And the client sees the server's own answer: here the alert that refuses it."""
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"))
    hello = _client_hello(protocols)
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        reader = threading.Thread(target=_received, args=(server, len(hello), seen))
        reader.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as client:
            client.sendall(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            client.sendall(hello)
            answer = client.recv(64)
        reader.join(PATIENCE)
    assert seen == [hello]
    assert answer == b"\x15\x03\x03\x00\x02\x02\x28"
