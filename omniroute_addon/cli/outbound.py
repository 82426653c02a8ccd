"""What ``omniroute doctor`` says of the outbound proxies: each is asked for a connection to a provider that is called by it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from omniroute_addon.cli.doctor import TIMEOUT, Finding
from omniroute_addon.config import Snapshot
from omniroute_addon.config.ways import Outbound
from omniroute_addon.engine.tunnel import OutboundError, through, trusted

_ANYBODY = ("api.anthropic.com", 443)


def check_outbound(snapshot: Snapshot, limit: float = TIMEOUT) -> Iterator[Finding]:
    """Nothing is sent to the provider."""
    if (variable := snapshot.ways.environment.own) is not None:
        yield Finding("ok", "outbound", f"{variable} leads to OmniRoute itself; calls to providers do not follow it")
    for way in sorted(snapshot.outbounds(), key=str):
        host, port = _called_by(way, snapshot)
        try:
            asyncio.run(_try(way, host, port, limit))
        except OutboundError as error:
            todo = "look at `proxy` in the config and at HTTPS_PROXY; `proxy: none` leaves directly"
            yield Finding("broken" if error.fault == "proxy" else "warn", "outbound", str(error), todo)
        else:
            yield Finding("ok", "outbound", f"{way} connects to {host}:{port}")


async def _try(way: Outbound, host: str, port: int, limit: float) -> None:
    _, writer = await through(way, host, port, context=trusted(), limit=limit)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _called_by(way: Outbound, snapshot: Snapshot) -> tuple[str, int]:
    """A provider that is called by the proxy, one with an account if there is one."""
    with_account = [
        (snapshot.providers[name], account) for name, accounts in snapshot.usable.items() for account in accounts
    ]
    for provider, account in (*with_account, *((one, None) for one in snapshot.providers.values())):
        nearer = (None if account is None else account.proxy, provider.proxy)
        if snapshot.ways.to_url(provider.base_url, *nearer) == way:
            parts = urlsplit(provider.base_url)
            return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    return _ANYBODY
