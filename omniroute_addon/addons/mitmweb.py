"""mitmweb's master with our addons before its view. Imported only when somebody shall look."""

from collections.abc import Awaitable

import tornado.httpserver
import tornado.netutil
from mitmproxy import addons as stock
from mitmproxy import http, master, options
from mitmproxy.addons import errorcheck, eventstore, intercept, onboarding, readfile
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.tools.web import app, webaddons
from mitmproxy.tools.web.master import WebMaster

from omniroute_addon.addons.gathered import PAGES, Announcer, GatheredView
from omniroute_addon.addons.lifecycle import OmniRoute
from omniroute_addon.addons.page import WideComments
from omniroute_addon.addons.server import Listener
from omniroute_addon.addons.view import RedactedView


class Welcome(onboarding.Onboarding):
    """mitmproxy's page about its certificates, without a task of its own for every request to elsewhere."""

    def request(self, f: http.HTTPFlow) -> Awaitable[None] | None:  # type: ignore[override]
        return super().request(f) if self.should_serve(f) else None


class Web(WebMaster):
    """mitmweb with our addons before its view."""

    def __init__(self, opts: options.Options, omniroute: OmniRoute) -> None:
        # WebMaster's own constructor would add its view, and every addon before ours.
        master.Master.__init__(self, opts, with_termlog=True)
        self.events = eventstore.EventStore()
        if PAGES.holds():
            self.view = GatheredView()
            self._announcer = told = Announcer()
            self.view.sig_view_add.connect(told.added)
            self.view.sig_view_remove.connect(told.removed)
            self.view.sig_view_update.connect(told.updated)
            self.view.sig_view_refresh.connect(told.refreshed)
            self.events.sig_add.connect(told.said)
        else:
            self.view = RedactedView()
            self.view.sig_view_add.connect(self._sig_view_add)
            self.view.sig_view_remove.connect(self._sig_view_remove)
            self.view.sig_view_update.connect(self._sig_view_update)
            self.view.sig_view_refresh.connect(self._sig_view_refresh)
            self.events.sig_add.connect(self._sig_events_add)
        self.events.sig_refresh.connect(self._sig_events_refresh)
        self.options.changed.connect(self._sig_options_update)
        listener = Listener(omniroute, self.addons)
        ours = {Proxyserver: listener, onboarding.Onboarding: Welcome()}
        self.addons.add(*(ours.get(type(one), one) for one in stock.default_addons()))
        self.addons.add(
            webaddons.WebAddon(),
            webaddons.WebAuth(),
            intercept.Intercept(),
            readfile.ReadFileStdin(),
            omniroute,
            self.view,
            self.events,
            errorcheck.ErrorCheck(),
        )
        self.app = app.Application(self, self.options.web_debug)
        self.app.add_transform(WideComments)
        self.proxyserver = self.addons.get("proxyserver")
        self.proxyserver.servers.changed.connect(self._sig_servers_changed)

    async def running(self) -> None:
        sockets = tornado.netutil.bind_sockets(self.options.web_port, self.options.web_host)
        self.options.web_port = sockets[0].getsockname()[1]
        server = tornado.httpserver.HTTPServer(self.app)
        server.add_sockets(sockets)
        await master.Master.running(self)
