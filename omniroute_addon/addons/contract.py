"""Whether the installed mitmproxy is the one that we lean on beyond its public interface.

Some of our addons take the place of parts of mitmproxy that are no public interface, or change them. They are right for
the source text of those parts and unproven for any other: where one of the modules of a contract differs by a byte,
mitmproxy's own parts are used as they are, and the log says once what that costs.
"""

import hashlib
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from h11 import _receivebuffer
from mitmproxy import addonmanager, connection, flow, hooks, http
from mitmproxy.addons import proxyserver
from mitmproxy.coretypes import multidict
from mitmproxy.net import tls
from mitmproxy.proxy import commands, context, events, layer, mode_servers, server, tunnel
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import _base, _events, _http1, _http2, _http_h2
from mitmproxy.utils import asyncio_utils

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contract:
    modules: tuple[ModuleType, ...]
    """What is leant on."""
    digests: tuple[str, ...]
    """Of their source text, one for each that was read and tested."""
    without: str
    """What the user is told where it is another."""

    def found(self) -> str:
        """The digest of the modules as they are installed. Raises OSError where there is no source text."""
        text = hashlib.sha256()
        for module in self.modules:
            assert module.__file__ is not None
            text.update(Path(module.__file__).read_bytes())
        return text.hexdigest()[:16]

    def holds(self) -> bool:
        return _holds(self)


@cache
def _holds(contract: Contract) -> bool:
    try:
        same = contract.found() in contract.digests
    except OSError:
        same = False
    if not same:
        logger.warning("this mitmproxy is not the one that OmniRoute was made for: %s", contract.without)
    return same


SHORT_WAY = Contract(
    (
        addonmanager,
        connection,
        flow,
        hooks,
        http,
        proxyserver,
        multidict,
        commands,
        context,
        events,
        layer,
        mode_servers,
        server,
        tunnel,
        http_layers,
        _base,
        _events,
        _http1,
        _http2,
        _http_h2,
        asyncio_utils,
        tls,
    ),
    (
        "3bb5a22053e23f85",  # 12.2.2, 12.2.3
        "7046da3ca1200d9e",  # 12.2.0
        "d58868b48feffb93",  # 12.2.1
        "ed00c7f6ac94b517",  # 12.3.0
        "1489dfebcfc976b2",  # 12.3.1
    ),
    "everything works, but slower",
)
"""``dispatch``, ``server``, ``layers`` and ``lighter``."""
HEADS = Contract((_http1, _receivebuffer), ("be0ea89fec1ebee5",), "the heads of HTTP/1 requests are not bounded")
"""``heads``."""
