"""mitmweb's view and its open pages, told of changes a few times a second and not at every one.

Stock mitmweb sorts a flow in and writes it as JSON to every page after each hook, about ten times for a call, and makes
that JSON when no page is open, too. Here a change is noted; what has changed is worked off ``EVERY`` seconds, each flow
once, at most ``SLICE`` flows at a time. A page that does not read is sent nothing more when ``BEHIND`` messages wait for
it, and reads everything anew when it has caught up.

For the mitmproxy that ``PAGES`` knows; with any other, ``RedactedView`` and mitmweb's own way are used.
"""

from collections.abc import Sequence
from typing import Literal

from mitmproxy import flow, log
from mitmproxy.addons import view
from mitmproxy.tools.web import app, master
from mitmproxy.tools.web.app import ClientConnection, flow_to_json, logentry_to_json

from omniroute_addon.addons.contract import Contract
from omniroute_addon.addons.view import RedactedView, exposed
from omniroute_addon.pace import Pace

PAGES = Contract(
    (view, app, master),
    (
        "39a77c52c7abdf1d",  # 12.2.3
        "ef79fdbe096bf8e9",  # 12.2.2
        "ff025db4aef61f08",  # 12.2.1
        "f7929226fb4f4d83",  # 12.2.0
        "0f467d4ad0a26b8d",  # 12.3.0, 12.3.1
    ),
    "its pages are told of every change at once, which costs every call more",
)

EVERY = 0.1
SLICE = 50
"""Flows whose JSON is made at a time, so that no call waits for more."""
BEHIND = 500
_written = ClientConnection._json_dumps  # noqa: SLF001


class GatheredView(RedactedView):
    """Filters and order are as they were up to ``EVERY`` seconds ago; a flow that is new is here at once."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: dict[str, flow.Flow] = {}
        self._pace = Pace(self._settle, EVERY)

    def update(self, flows: Sequence[flow.Flow]) -> None:
        for one in flows:
            self._changed[one.id] = one
        self._pace.soon()

    def _settle(self) -> None:
        changed, self._changed = self._changed, {}
        super().update(list(changed.values()))


class Announcer:
    """Tells mitmweb's pages what the view's signals say."""

    def __init__(self) -> None:
        self._new: dict[str, flow.Flow] = {}
        """Not announced yet, and for as long as a secret can be read in them not to be."""
        self._changed: dict[str, flow.Flow] = {}
        self._gone: dict[str, None] = {}
        self._anew = False
        """Pages have to read all flows again."""
        self._behind: set[ClientConnection] = set()
        self._pace = Pace(self._tell, EVERY)

    # ── receivers of signals ────────────────────────────────────────────────────────────────────────────────────────

    def added(self, flow: flow.Flow) -> None:
        if ClientConnection.connections:
            self._new[flow.id] = flow
            self._pace.soon()

    def updated(self, flow: flow.Flow) -> None:
        if ClientConnection.connections and flow.id not in self._new:
            self._changed[flow.id] = flow
            self._pace.soon()

    def removed(self, flow: flow.Flow, index: int) -> None:
        del index
        self._changed.pop(flow.id, None)
        if self._new.pop(flow.id, None) is None and ClientConnection.connections:
            self._gone[flow.id] = None
            self._pace.soon()

    def refreshed(self) -> None:
        if ClientConnection.connections:
            self._anew = True
            self._pace.soon()

    def said(self, entry: log.LogEntry) -> None:
        if ClientConnection.connections:
            self._send({"type": "events/add", "payload": logentry_to_json(entry)})

    # ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self) -> None:
        if not ClientConnection.connections:
            self._forget()
            self._behind.clear()
            return
        readers = self._readers()
        if self._anew:
            self._anew = False
            self._forget()
            for page in readers:
                _read_anew(page)
        for name in self._gone:
            self._send({"type": "flows/remove", "payload": name})
        self._gone.clear()
        ready = [one for one in self._new.values() if not exposed(one)][:SLICE]
        for one in ready:
            del self._new[one.id]
            self._announce("flows/add", one)
        for name in list(self._changed)[: SLICE - len(ready)]:
            one = self._changed.pop(name)
            if not exposed(one):  # else it changes once more
                self._announce("flows/update", one)
        if self._new or self._changed or self._behind:
            self._pace.soon()

    def _announce(self, kind: Literal["flows/add", "flows/update"], one: flow.Flow) -> None:
        written = flow_to_json(one)
        for page in self._readers():
            page._broadcast_flow(kind, one, written)  # noqa: SLF001

    def _send(self, message: dict[str, object]) -> None:
        written = _written(message)
        for page in self._readers():
            page.send(written)

    def _readers(self) -> list[ClientConnection]:
        """The pages that read what they are sent."""
        found: list[ClientConnection] = []
        self._behind &= ClientConnection.connections
        for page in ClientConnection.connections:
            waiting = page._send_queue.qsize()  # noqa: SLF001
            if page in self._behind:
                if waiting == 0:
                    self._behind.discard(page)
                    page.send(_written({"type": "events/reset"}))
                    _read_anew(page)
            elif waiting > BEHIND:
                self._behind.add(page)
                self._pace.soon()
            else:
                found.append(page)
        return found

    def _forget(self) -> None:
        self._new.clear()
        self._changed.clear()
        self._gone.clear()


def _read_anew(page: ClientConnection) -> None:
    """As ``ClientConnection.broadcast_flow_reset`` tells it all pages."""
    page.send(_written({"type": "flows/reset"}))
    for name, chosen in page.filters.copy().items():
        page.update_filter(name, chosen.pattern)
