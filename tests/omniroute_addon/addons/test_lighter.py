from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from mitmproxy import http
from mitmproxy.certs import CertStore
from mitmproxy.net import tls
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow
from OpenSSL import SSL, crypto

from omniroute_addon.addons import lighter

FIELDS = ((b"Host", b"one"), (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=\xff"), (b"x-\xfcber", b""))
ASKED = ["host", "HOST", b"host", "set-cookie", "Set-Cookie", "x-\udcfcber", "x", "", "set_cookie"]


@pytest.fixture
def mitmproxys(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Installs the lighter parts for one test; before that they are mitmproxy's own."""
    changed: tuple[tuple[object, tuple[str, ...]], ...] = (
        (http.Headers, ("get_all", "get", "__contains__")),
        (http.MessageData, ("__post_init__",)),
        (layer.Layer, ("__init__",)),
        (tls, ("_create_ssl_context",)),
        (crypto.X509, ("from_cryptography",)),
        (crypto.PKey, ("from_cryptography_key",)),
    )
    for kind, names in changed:
        for name in names:
            monkeypatch.setattr(kind, name, getattr(kind, name))
    return lighter.install


@pytest.mark.parametrize("name", ASKED)
def test_a_header_is_found_as_mitmproxy_finds_it(name: str | bytes, mitmproxys: Callable[[], None]) -> None:
    headers = http.Headers(FIELDS)

    def seen() -> tuple[object, ...]:
        return headers.get_all(name), headers.get(name), headers.get(name, "none"), name in headers  # type: ignore[arg-type]

    before = seen()
    mitmproxys()
    assert seen() == before
    if before[0]:
        assert headers[name] == before[1]  # type: ignore[index]
    else:
        with pytest.raises(KeyError):
            headers[name]  # type: ignore[index]


def test_a_header_that_was_changed_is_found_as_it_is_now(mitmproxys: Callable[[], None]) -> None:
    mitmproxys()
    headers = http.Headers(FIELDS)
    headers["HOST"] = "two"
    del headers["set-cookie"]
    assert (headers["host"], headers.get("Set-Cookie"), "set-cookie" in headers) == ("two", None, False)


@pytest.mark.parametrize("field", ["http_version", "headers", "timestamp_start"])
def test_the_lighter_check_of_messages_still_finds_wrong_types(field: str, mitmproxys: Callable[[], None]) -> None:
    mitmproxys()
    good = vars(http.Response.make().data)
    http.ResponseData(**good)
    with pytest.raises(TypeError):
        http.ResponseData(**good | {field: object()})


def _context(least: tls.Version) -> SSL.Context:
    return tls.create_client_proxy_context(
        method=tls.Method.TLS_SERVER_METHOD,
        min_version=least,
        max_version=tls.Version.UNBOUNDED,
        cipher_list=None,
        ecdh_curve=None,
        chain_file=None,
        alpn_select_callback=None,
        request_client_cert=False,
        extra_chain_certs=(),
        dhparams=None,  # type: ignore[arg-type]  # there need not be any
    )


def test_a_silent_connection_keeps_no_buffers(mitmproxys: Callable[[], None]) -> None:
    mitmproxys()
    assert _context(tls.Version.TLS1_2).set_mode(0) & SSL.MODE_RELEASE_BUFFERS


def test_a_host_is_shown_with_the_same_certificate_and_key_every_time(
    mitmproxys: Callable[[], None], tmp_path: Path
) -> None:
    mitmproxys()
    store = CertStore.from_store(tmp_path, "mitmproxy", 2048)
    one, other = (store.get_cert(name, [x509.DNSName(name)]) for name in ("one.example", "other.example"))
    for entry in (one, other, one, other):
        shown = SSL.Connection(_context(tls.Version.TLS1_2), None)
        shown.use_certificate(entry.cert.to_cryptography())
        shown.use_privatekey(entry.privatekey)
        certificate = shown.get_certificate(as_cryptography=True)
        assert certificate == entry.cert.to_cryptography()
    assert crypto.X509.from_cryptography(one.cert.to_cryptography()) is crypto.X509.from_cryptography(
        one.cert.to_cryptography()
    )


class _Opening(layer.Layer):
    """Waits for a connection at its first event, and writes down the others."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.seen: list[bytes] = []

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.OpenConnection(self.context.server)
        elif isinstance(event, events.DataReceived):
            self.seen.append(event.data)


def test_events_that_wait_for_a_connection_keep_their_order(mitmproxys: Callable[[], None]) -> None:
    mitmproxys()
    waiting = _Opening(Context(tflow.tclient_conn(), Options()))
    (opening,) = waiting.handle_event(events.Start())
    assert isinstance(opening, commands.OpenConnection)
    for data in (b"one", b"two", b"three"):
        assert not list(waiting.handle_event(events.DataReceived(waiting.context.client, data)))
    assert waiting.seen == []
    assert not list(waiting.handle_event(events.OpenConnectionCompleted(opening, None)))
    assert waiting.seen == [b"one", b"two", b"three"]
