"""OmniRoute: an AI gateway on the wire, as addons of mitmproxy."""

__version__ = "0.1.0"
