"""``omniroute up``: the proxy in the foreground, its ready line and its record in the data dir."""

import contextlib
import errno
import gc
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon import running
from omniroute_addon.cli import console, guide
from omniroute_addon.cli.options import ConfigOption, snapshot_of
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.proxy import Ready

SERVING = (2000, 10, 10)
"""New objects between two garbage collections, and the steps of the older generations, from then on; Python's own."""


def up(
    *,
    config: ConfigOption = None,
    headless: Annotated[bool, typer.Option("--headless", help="Without mitmweb: the leanest proxy.")] = False,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="A mitmproxy option; repeatable.")
    ] = None,
    no_guide: Annotated[bool, typer.Option("--no-guide", help="Ask nothing when there are no rules yet.")] = False,
    private: Annotated[
        bool, typer.Option("--private", hidden=True, help="Free ports, no record, end with stdin.")
    ] = False,
) -> None:
    """Start the proxy and mitmweb; prints one line `ready proxy=… gateway=… web=…` when calls are served."""
    led = guide.Led() if no_guide or not guide.wanted(config) else guide.lead()
    from omniroute_addon.sparing import addons_one_by_one

    addons_one_by_one()
    from omniroute_addon import ca, proxy
    from omniroute_addon.routing import surfaces

    home = data_dir()
    snapshot = snapshot_of(config)
    source = str(snapshot.source.resolve()) if snapshot.source else None
    authority = ca.ensure(ca.directory_in(home), surfaces.hosts(snapshot))
    if missing := authority.missing(surfaces.hosts(snapshot)):
        console.tell(f"! not decrypted, so not routed: {', '.join(missing)}", "yellow")
        console.tell("  the local CA does not cover these hosts; make a new one with: omniroute ca rotate", "yellow")

    with contextlib.ExitStack() as stack:

        def on_ready(ready: "Ready") -> None:
            gc.set_threshold(*SERVING)
            if not private:
                record = running.Running(os.getpid(), ready.proxy, ready.gateway, ready.web, source)
                try:
                    stack.enter_context(running.recorded(home, record))
                except OSError as error:
                    console.tell(f"! other commands will not find this proxy: {error.strerror}", "yellow")
            console.write_line(ready_line(ready.proxy, ready.gateway, ready.web))
            start = None if ready.web is None else ready.web.replace("/?", "/omniroute/start?", 1)
            if ready.web is not None and not private:
                console.tell(f"  watch calls at {ready.web.replace('/?', '/omniroute/?', 1)}")
            if source is None and start is not None and not private:
                console.tell(f"  no rules yet, every call passes untouched; four steps to the first ones: {start}")
            guide.conclude(led, ready.gateway, start)

        if private:
            _end_with_stdin()
        code = _serve_or_explain(
            lambda: proxy.serve(config, headless=headless, options=options or (), on_ready=on_ready, free_ports=private)
        )
    raise typer.Exit(code)


def ready_line(proxy: str | None, gateway: str | None, web: str | None) -> str:
    """What ``up`` prints once; ``-`` stands for a listener that is switched off."""
    return f"ready proxy={proxy or '-'} gateway={gateway or '-'} web={web or '-'}"


def parse_ready_line(line: str) -> dict[str, str | None] | None:
    """The addresses of a ready line; None for any other line."""
    word, *pairs = line.split() or [""]
    values: dict[str, str | None] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        values[name] = None if value == "-" else value
    return values if word == "ready" and set(values) == {"proxy", "gateway", "web"} else None


def _serve_or_explain(serve: Callable[[], int]) -> int:
    try:
        return serve()
    except ValueError as error:
        console.fail(str(error))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        console.fail(
            f"cannot listen: {error.strerror or error}",
            hint="Change `listen:` in the config (port 0 takes any free port), or end the program that holds the port;"
            " `omniroute status` shows proxies of yours.",
        )


def _end_with_stdin() -> None:
    """End this process when the one that started it is gone, however it went."""

    def wait() -> None:
        # Not sys.stdin: a thread that holds its lock breaks the interpreter's shutdown.
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="parent-watch").start()
