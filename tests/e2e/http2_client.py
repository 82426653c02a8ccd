"""An HTTP/2 client that can leave one stream and keep its connection, as browsers and Node do; httpx cannot."""

import contextlib
import socket
import ssl
from collections.abc import Generator
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes

from tests.e2e.calls import Ask
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE


class Connection:
    """One TLS connection through HTTPS_PROXY; streams are known by their number."""

    def __init__(self, sock: ssl.SSLSocket, host: str) -> None:
        self._sock = sock
        self._host = host
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._flush()
        self.read: dict[int, bytes] = {}
        self.ended: set[int] = set()

    def post(self, asked: Ask) -> int:
        stream = self._h2.get_next_available_stream_id()
        length = str(len(asked.content))
        head = [(":method", "POST"), (":scheme", "https"), (":authority", self._host), (":path", asked.path)]
        self._h2.send_headers(stream, [*head, ("content-type", "application/json"), ("content-length", length)])
        self._h2.send_data(stream, asked.content, end_stream=True)
        self._flush()
        self.read[stream] = b""
        return stream

    def leave(self, stream: int) -> None:
        self._h2.reset_stream(stream, ErrorCodes.CANCEL)
        self._flush()

    def until(self, stream: int, marker: bytes) -> None:
        """Receive, on all streams, until ``stream`` has said ``marker``."""
        while marker not in self.read[stream]:
            assert stream not in self.ended, self.read[stream]
            self._receive()

    def until_end(self, stream: int) -> bytes:
        while stream not in self.ended:
            self._receive()
        return self.read[stream]

    def _receive(self) -> None:
        data = self._sock.recv(65536)
        assert data, "the proxy closed the connection"
        for event in self._h2.receive_data(data):
            match event:
                case h2.events.DataReceived(stream_id=int(stream), data=bytes(piece)):
                    self.read[stream] += piece
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                case h2.events.StreamEnded(stream_id=int(stream)):
                    self.ended.add(stream)
                case h2.events.StreamReset(stream_id=int(stream)):
                    raise AssertionError(f"the proxy reset stream {stream}")
                case _:
                    pass
        self._flush()

    def _flush(self) -> None:
        self._sock.sendall(self._h2.data_to_send())


@contextlib.contextmanager
def connected(proxy: Proxy, asked: Ask) -> Generator[Connection]:
    """A connection to the host of ``asked``."""
    host = str(urlsplit(asked.url).hostname)
    trust = proxy.trust
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += plain.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        with trust.wrap_socket(plain, server_hostname=host) as sock:
            assert sock.selected_alpn_protocol() == "h2"
            yield Connection(sock, host)
