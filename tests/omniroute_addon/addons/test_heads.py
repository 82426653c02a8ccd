"""The wrapped method is still mitmproxy's, and ends a head that never does."""

from mitmproxy.proxy import commands, context, events
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.test.taddons import context as addon_context
from mitmproxy.test.tflow import tclient_conn

from omniroute_addon.addons import heads


def connected() -> Http1Server:
    heads.bound()
    with addon_context() as on:
        server = Http1Server(context.Context(tclient_conn(), on.options))
    list(server.handle_event(events.Start()))
    return server


def told(server: Http1Server, data: bytes) -> list[commands.Command]:
    return list(server.handle_event(events.DataReceived(server.conn, data)))


def test_a_head_without_end_is_refused_and_forgotten() -> None:
    server, found = connected(), []
    told(server, b"GET / HTTP/1.1\r\n")
    while not found:
        found = told(server, b"x: " + b"y" * 65531 + b"\r\n")
    sent, closed = [one for one in found if isinstance(one, commands.ConnectionCommand)]
    assert isinstance(sent, commands.SendData)
    assert sent.data.startswith(b"HTTP/1.1 431 ")
    assert isinstance(closed, commands.CloseConnection)
    assert len(server.buf) == 0


def test_a_head_that_ends_is_read_whatever_follows_it() -> None:
    server = connected()
    found = told(server, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n" + b"b" * 2_000_000)
    assert not [one for one in found if isinstance(one, commands.SendData | commands.CloseConnection)]


def test_it_is_wrapped_once() -> None:
    heads.bound()
    first = Http1Server.read_headers
    heads.bound()
    assert Http1Server.read_headers is first
