"""Our own mitmproxy master: built from the addons we need, never a stock mitmdump with everything on.

``serve`` is what ``omniroute up`` runs; it returns the exit code when the proxy has stopped.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitmproxy import ctx, exceptions, master, options
from mitmproxy.addons import core, errorcheck, mapremote, next_layer, tlsconfig
from mitmproxy.proxy import server
from mitmproxy.proxy.mode_specs import ReverseMode

from omniroute_addon import ca, heap
from omniroute_addon.accounts.vault import from_vault
from omniroute_addon.addons import heads
from omniroute_addon.addons.gate import GATEWAY_HOST
from omniroute_addon.addons.lifecycle import OmniRoute
from omniroute_addon.addons.server import Listener
from omniroute_addon.addons.shortage import Shortage
from omniroute_addon.config import Snapshot, load
from omniroute_addon.home import data_dir
from omniroute_addon.routing import surfaces

logger = logging.getLogger(__name__)

BODY_LIMIT = "256m"
WEB_COLUMNS = ["icon", "method", "path", "status", "comment", "size", "time"]


@dataclass(frozen=True, slots=True)
class Ready:
    """Where calls are served; None for a listener that is off."""

    proxy: str | None
    gateway: str | None
    web: str | None


class Announcement:
    """Tells ``on_ready`` where calls are served; loaded last, so every listener is open by then."""

    def __init__(self, on_ready: Callable[[Ready], None] | None) -> None:
        self._on_ready = on_ready

    def running(self) -> None:
        if self._on_ready is None:
            return
        found: dict[bool, str] = {}
        for instance in ctx.master.addons.get("proxyserver").servers:
            host, port, *_ = instance.listen_addrs[0]
            found[isinstance(instance.mode, ReverseMode)] = f"http://{_bracketed(host)}:{port}"
        webauth = ctx.master.addons.get("webauth")
        self._on_ready(Ready(found.get(False), found.get(True), webauth.web_url if webauth else None))


class Headless(master.Master):
    """Proxy and gateway, nothing to look at."""

    def __init__(self, opts: options.Options, omniroute: OmniRoute) -> None:
        super().__init__(opts, with_termlog=True)
        self.addons.add(
            core.Core(),
            Listener(omniroute, self.addons),
            next_layer.NextLayer(),
            mapremote.MapRemote(),
            tlsconfig.TlsConfig(),
            omniroute,
            errorcheck.ErrorCheck(),
        )


def serve(
    config: Path | None,
    *,
    headless: bool,
    options: Sequence[str] = (),
    on_ready: Callable[[Ready], None] | None = None,
    free_ports: bool = False,
) -> int:
    """Run until SIGTERM or SIGINT. Raises ConfigError for bad rules, OSError for a port that is taken and ValueError
    for options that mitmproxy does not take.

    ``options`` are mitmproxy's own, ``name=value``; ``free_ports`` replaces the configured ports by any free ones.
    """
    heap.steady()
    return asyncio.run(_serve(load(config, secrets=from_vault), headless, options, on_ready, free_ports))


async def _serve(
    snapshot: Snapshot,
    headless: bool,
    settings: Sequence[str],
    on_ready: Callable[[Ready], None] | None,
    free_ports: bool,
) -> int:
    _quiet_logs()
    listen = snapshot.listen
    wants_web = listen.web is not None and not headless
    modes = []
    if listen.proxy is not None:
        modes.append(f"regular@{_address(listen.proxy, free_ports)}")
    if listen.gateway is not None:
        modes.append(f"reverse:http://{GATEWAY_HOST}:1@{_address(listen.gateway, free_ports)}")
    for mode in modes:
        _probe(mode.rpartition("@")[2])
    authority = ca.ensure(ca.directory_in(data_dir()), surfaces.hosts(snapshot))
    missing = frozenset(authority.missing(surfaces.hosts(snapshot)))
    opts = _options(modes, ca.directory_in(data_dir()))
    omniroute = OmniRoute(snapshot, lambda: surfaces.hosts(snapshot) - missing)
    chosen = _with_web(opts, omniroute) if wants_web else Headless(opts, omniroute)
    if wants_web:
        assert listen.web is not None
        host, port = _split(_address(listen.web, free_ports))
        _probe(f"{host}:{port}")
        opts.update(
            web_host=host, web_port=port, web_open_browser=False, web_columns=WEB_COLUMNS, client_replay_concurrency=-1
        )
    opts.set("termlog_verbosity=alert")
    try:
        opts.set(*settings)
    except exceptions.OptionsError as error:
        raise ValueError(f"--set: {error}") from error
    if not wants_web and opts.termlog_verbosity in ("alert", "error", "warn"):
        # A record that nobody will print is not made: mitmproxy's server tells of every connection and stream.
        logging.getLogger(server.__name__).setLevel(logging.WARNING)
    _on_signals(chosen, omniroute)
    heads.bound()
    chosen.addons.add(Shortage(), Announcement(on_ready))
    await chosen.run()
    return 0


def _with_web(opts: options.Options, omniroute: OmniRoute) -> master.Master:
    from omniroute_addon.addons.mitmweb import Web  # noqa: PLC0415  # a third of a start that nobody looks at
    from omniroute_addon.web.mount import mount  # noqa: PLC0415  # the same

    chosen = Web(opts, omniroute)
    mount(chosen.app, omniroute)
    return chosen


def _options(modes: list[str], confdir: Path) -> options.Options:
    opts = options.Options()
    opts.update(confdir=str(confdir), mode=modes)
    opts.set(
        "connection_strategy=lazy",
        "upstream_cert=false",
        "store_streamed_bodies=false",
        f"body_size_limit={BODY_LIMIT}",
        *([f"ssl_verify_upstream_trusted_ca={extra}"] if (extra := os.environ.get("SSL_CERT_FILE")) else []),
        defer=True,
    )
    return opts


def _on_signals(running: master.Master, omniroute: OmniRoute) -> None:
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    async def stop() -> None:
        assert omniroute.engine is not None
        try:
            await omniroute.engine.stop()
        finally:
            running.shutdown()

    def begin() -> None:
        if not stopping:
            stopping.append(loop.create_task(stop()))

    def once(_number: int, _frame: object) -> None:
        # In the handler itself and not in the loop: the kernel must drop a storm of signals, or Python does nothing but
        # handle them. An impatient second one must not turn a clean end, which takes 5 s at most, into a failure.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        loop.call_soon_threadsafe(begin)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, once)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _quiet_logs() -> None:
    logging.getLogger().setLevel(logging.INFO)
    for name in ("tornado", "asyncio", "hpack", "aiohttp", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with contextlib.suppress(OSError, ValueError):
        import resource  # noqa: PLC0415  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))


def _address(configured: object, free_ports: bool) -> str:
    host, port = _split(str(configured))
    return f"{host}:{0 if free_ports else port}"


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _probe(address: str) -> None:
    """Raise OSError, naming the address, when it cannot be bound; mitmproxy would only log it."""
    host, port = _split(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}: {address}") from error
