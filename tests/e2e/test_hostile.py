"""Hostile bytes at the listeners: refused early, and no other client's call is worse for them."""

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from omniroute_addon.addons.intercept import REFUSED_BODY
from tests.e2e.calls import ask, post_gateway, spoken
from tests.e2e.targets import routes, targets
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE

type StartProxy = Callable[..., Proxy]

ASKED = ask("anthropic-messages")
LENGTH = len(ASKED.content)
POST = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n"
INNER = b"POST /smuggled/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
"""A request inside another one's body; nobody must ever see it as a request of its own."""


def _chunked(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n0\r\n\r\n" % (len(body), extension, body)


SMUGGLES = {
    "length and chunked": POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + b"0\r\n\r\n" + INNER,
    "two lengths": POST + b"content-length: 0\r\ncontent-length: %d\r\n\r\n" % len(INNER) + INNER,
    "two lengths in a line": POST + b"content-length: 0, %d\r\n\r\n" % len(INNER) + INNER,
    "a signed length": POST + b"content-length: +%d\r\n\r\n" % LENGTH + ASKED.content,
    "a folded header": POST + b"x: a\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": POST + b"transfer-encoding : chunked\r\n\r\n" + _chunked(b"{}") + INNER,
    "a coding that is none": POST + b"transfer-encoding: xchunked\r\n\r\n" + _chunked(b"{}") + INNER,
    "chunked twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + _chunked(b"{}"),
    "bare line feeds": POST.replace(b"\r\n", b"\n") + b"content-length: 2\n\n{}",
    "a chunk size too large": POST + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": POST + b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a long chunk extension": POST
    + b"transfer-encoding: chunked\r\n\r\n"
    + _chunked(ASKED.content, b";" + b"x" * 100_000),
    "a null byte in a header": POST + b"x: \0\r\ncontent-length: 2\r\n\r\n{}",
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 512,
    "ten thousand headers": POST + b"".join(b"x-%d: y\r\n" % n for n in range(10_000)) + b"content-length: 2\r\n\r\n{}",
    "a megabyte of a header": POST + b"x: " + b"y" * (1 << 20) + b"\r\ncontent-length: 2\r\n\r\n{}",
    "deep JSON": POST + b"content-length: 200000\r\n\r\n" + b"[" * 100_000 + b"]" * 100_000,
    "deep JSON in a call": POST
    + b"content-length: %d\r\n\r\n" % (len(ASKED.content) + 100_006)
    + ASKED.content[:-1]
    + b',"a":'
    + b"[" * 50_000
    + b"]" * 50_000
    + b"}",
    "half a request": POST + b"content-length: 100\r\n\r\n{",
    "half a line": b"POST /v1/mess",
}
FRAMES = {
    "garbage after the preface": b"\xff" * 64,
    "a frame that is too large": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "data on a stream that is none": b"\x00\x00\x02\x00\x01\x00\x00\x00\x07{}",
    "settings that are none": b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00",
    "headers that cannot be unpacked": b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",
    "a window of nothing": b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "a storm of pings": b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678" * 5000,
    "a storm of resets": b"".join(
        b"\x00\x00\x04\x03\x00" + n.to_bytes(4) + b"\x00\x00\x00\x08" for n in range(1, 4001, 2)
    ),
}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.fixture
def proxy(provider: Provider, start_proxy: StartProxy) -> Proxy:
    return start_proxy(targets(up=provider) + routes("up-openai-chat/m"))


def _connect(address: str) -> socket.socket:
    url = httpx.URL(address)
    return socket.create_connection((url.host, url.port or 0), PATIENCE)


def _read(sock: socket.socket) -> bytes:
    """What comes until the other side closes or waits for more of us."""
    sock.settimeout(0.5)
    found = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(65536):
            found += data
    return found


@contextlib.contextmanager
def _clean_calls(proxy: Proxy) -> Generator[Iterator[str]]:
    """Another client asks and asks; what it was told, when the block has ended."""
    told: list[str] = []
    going = [True]

    def on() -> None:
        while going[0]:
            told.append(spoken(ASKED.format, post_gateway(proxy, ASKED)))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(on)
        try:
            yield iter(told)
        finally:
            going[0] = False
        asking.result()


def test_no_bytes_at_the_gateway_disturb_another_client(proxy: Proxy, provider: Provider) -> None:
    with _clean_calls(proxy) as told:
        for name, sent in SMUGGLES.items():
            with _connect(proxy.gateway) as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(sent)
                answer = _read(sock)
            assert answer.count(b"HTTP/1.1 200") <= 1, name
        assert set(told) == {"Hello from upstream"}
    assert all("smuggled" not in call.path for call in provider.received)


@pytest.mark.parametrize("name", SMUGGLES)
def test_what_is_asked_after_it_gets_its_answer(name: str, proxy: Proxy) -> None:
    with _connect(proxy.gateway) as sock, contextlib.suppress(OSError):
        sock.sendall(SMUGGLES[name])
    assert spoken(ASKED.format, post_gateway(proxy, ASKED)) == "Hello from upstream"
    assert "Traceback" not in proxy.log.read_text()


def test_no_bytes_in_a_tunnel_disturb_another_client(proxy: Proxy, provider: Provider) -> None:
    trust = proxy.trust
    with _clean_calls(proxy) as told:
        for sent in SMUGGLES.values():
            with _tunnel(proxy, trust) as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(sent)
                _read(sock)
        assert set(told) == {"Hello from upstream"}
    assert all("smuggled" not in call.path for call in provider.received)


def test_no_bad_frame_disturbs_another_client(proxy: Proxy) -> None:
    trust = proxy.trust
    trust.set_alpn_protocols(["h2"])
    with _clean_calls(proxy) as told:
        for sent in FRAMES.values():
            with _tunnel(proxy, trust) as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(PREFACE + sent)
                _read(sock)
        assert set(told) == {"Hello from upstream"}


@contextlib.contextmanager
def _tunnel(proxy: Proxy, trust: ssl.SSLContext) -> Generator[socket.socket]:
    host = "api.anthropic.com"
    with _connect(proxy.url) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
        assert plain.recv(4096).startswith(b"HTTP/1.1 200")
        with trust.wrap_socket(plain, server_hostname=host) as sock:
            yield sock


def test_slow_senders_hold_up_nobody(proxy: Proxy) -> None:
    """Three hundred connections that have sent part of a request and send no more, at both listeners."""
    halves = [SMUGGLES["half a line"], SMUGGLES["half a request"]]
    with contextlib.ExitStack() as stack:
        for number in range(300):
            sock = stack.enter_context(_connect((proxy.gateway, proxy.url)[number % 2]))
            sock.sendall(halves[number % 4 // 2])
        assert spoken(ASKED.format, post_gateway(proxy, ASKED)) == "Hello from upstream"


# ── refused at the headers ──────────────────────────────────────────────────────────────────────────────────────────

KEYS = "keys: [{name: ci, key: right-0123456789abcdef}]\n"


@pytest.mark.parametrize("length", [b"content-length: 200000000", b"transfer-encoding: chunked"])
def test_the_body_of_a_call_without_a_key_is_not_waited_for(
    length: bytes, provider: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m") + KEYS)
    with _connect(proxy.gateway) as sock:
        sock.sendall(POST + length + b"\r\n\r\n")
        answer = sock.recv(65536)
        while b"asks for a key" not in answer:
            answer += sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401")
    assert json.loads(answer.partition(b"\r\n\r\n")[2].strip(b"0123456789abcdef\r\n") or b"{}").get("type") == "error"
    assert not provider.calls


def test_the_body_of_a_call_without_a_key_is_not_kept(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m") + KEYS)
    before = _peak(proxy)
    with _connect(proxy.gateway) as sock:
        sock.sendall(POST + b"content-length: 120000000\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 401"
        with contextlib.suppress(OSError):
            for _ in range(120):
                sock.sendall(b"x" * 1_000_000)
    assert spoken(ASKED.format, post_gateway(proxy, ASKED, x_api_key="right-0123456789abcdef")) == "Hello from upstream"
    assert _peak(proxy) - before < 40_000_000


def _peak(proxy: Proxy) -> int:
    """Bytes of the most memory that the proxy ever had."""
    lines = Path(f"/proc/{proxy.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("size", [REFUSED_BODY, REFUSED_BODY + 1, 5_000_000])
def test_who_has_a_wrong_key_reads_the_refusal_whatever_the_size_of_the_call(
    size: int, provider: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m") + KEYS)
    with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
        for _ in range(2):
            said = http.post(f"{proxy.gateway}/v1/messages", content=b"x" * size, headers={"x-api-key": "wrong"})
            assert (said.status_code, said.json()["type"]) == (401, "error")
        good = http.post(
            f"{proxy.gateway}/v1/messages", content=ASKED.content, headers={"x-api-key": "right-0123456789abcdef"}
        )
    assert spoken(ASKED.format, good) == "Hello from upstream"


@pytest.mark.parametrize("piece", [b"y" * 65536, b"x: y\r\n" * 10_000], ids=["one line", "many lines"])
def test_headers_without_end_are_refused(piece: bytes, proxy: Proxy) -> None:
    before = _peak(proxy)
    with _connect(proxy.gateway) as sock:
        sock.sendall(POST + b"x: ")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                sock.sendall(piece)
        _read(sock)
    assert spoken(ASKED.format, post_gateway(proxy, ASKED)) == "Hello from upstream"
    assert _peak(proxy) - before < 30_000_000


def test_the_relay_serves_no_stranger(proxy: Proxy) -> None:
    """Whoever finds its ports gets 404, with a wrong secret and without one."""
    found = 0
    for port in _listening(proxy.process.pid):
        if str(port) in proxy.url or str(port) in proxy.gateway:
            continue
        for headers in ({}, {"x-omniroute-relay": "guess", "x-omniroute-exchange": "1"}):
            with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
                assert http.post(f"http://127.0.0.1:{port}/", headers=headers).status_code == 404
        found += 1
    assert found == 24


def _listening(pid: int) -> list[int]:
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    own = _sockets(pid)
    return [int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in own]


def _sockets(pid: int) -> set[str]:
    found = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    return {name[8:-1] for name in found if name.startswith("socket:[")}
