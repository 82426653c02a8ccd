"""Bounds the head of an HTTP/1 request: mitmproxy collects header lines without end, and whoever sends them fills our memory.

``bound`` wraps the one method that waits for the blank line; a head that has come whole is never looked at. HTTP/2 has a
limit of its own (hpack's 64 KiB).
"""

from collections.abc import Callable, Generator
from typing import Any

from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http._http1 import Http1Server

from omniroute_addon.addons import contract

HEAD = 1 << 20
"""Bytes of a request line and its headers."""
_SAID = b"the headers are too long\n"
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_SAID), _SAID)
)

type _Read = Callable[[Http1Server, events.ConnectionEvent], Generator[commands.Command, Any, None]]


def bound() -> None:
    """For every connection from now on, if mitmproxy is the one that this was made for. Safe to repeat."""
    waits: _Read = Http1Server.read_headers
    if getattr(waits, "bounded", False) or not contract.HEADS.holds():
        return

    def read_headers(self: Http1Server, event: events.ConnectionEvent) -> Generator[commands.Command, Any, None]:
        yield from waits(self, event)
        if isinstance(event, events.DataReceived) and self.state == self.read_headers and len(self.buf) > HEAD:
            self.buf = ReceiveBuffer()
            self.state = self.done
            yield commands.SendData(self.conn, _TOO_LONG)
            yield commands.CloseConnection(self.conn)

    read_headers.bounded = True  # type: ignore[attr-defined]
    Http1Server.read_headers = read_headers  # type: ignore[method-assign, assignment]
