"""mitmproxy's view, without the moments in which a flow still carries a secret.

mitmproxy announces a flow to every open page after every hook. A flow is in the view only once its secrets are out of
it (``Inspect.show`` puts it there), and while it carries some again (a replay on its way to the relay, an answer's
cookies on their way to the client) it is neither announced nor listed.
"""

import inspect
from collections.abc import Iterator, Sequence

from mitmproxy import flow, http
from mitmproxy.addons import view

from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.relay import SECRET_HEADER

_REMOVE = inspect.unwrap(view.View.remove)
"""The method without the command, which reads its own signature at every call."""


class RedactedView(view.View):
    """Takes the place of ``view.View``; it adds no state, so that a stock view can be turned into one."""

    name = "view"

    def requestheaders(self, f: http.HTTPFlow) -> None:
        """Not yet: the flow is added when its secrets are gone."""

    def update(self, flows: Sequence[flow.Flow]) -> None:
        super().update([shown for shown in flows if not exposed(shown)])

    def evict(self, old: flow.Flow) -> None:
        """Remove the flow from the view and its store."""
        _REMOVE(self, [old])

    def __iter__(self) -> Iterator[flow.Flow]:
        return (shown for shown in super().__iter__() if not exposed(shown))


def exposed(shown: flow.Flow) -> bool:
    """Whether a secret can be read in the flow's headers or path."""
    if not isinstance(shown, http.HTTPFlow):
        return False
    messages = [message for message in (shown.request, shown.response) if message is not None]
    return (
        SECRET_HEADER in shown.request.headers
        or header_rules.redact_query(shown.request.path) != shown.request.path
        or any(redacted(message.headers) != message.headers for message in messages)
    )


def redacted(headers: http.Headers) -> http.Headers:
    """The same headers, the values of secrets replaced; themselves when there are none to replace."""
    hidden = header_rules.REDACTED.encode()
    shown = tuple(
        (name, hidden if header_rules.is_secret(name.decode("latin-1")) else value) for name, value in headers.fields
    )
    return headers if shown == headers.fields else http.Headers(shown)
