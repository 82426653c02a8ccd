"""Puts the pages into mitmweb's application, under ``/omniroute/``."""

from collections.abc import Sequence

from mitmproxy import ctx
from tornado.routing import URLSpec
from tornado.web import Application, RedirectHandler

from omniroute_addon.addons.lifecycle import OmniRoute
from omniroute_addon.addons.page import WideComments
from omniroute_addon.web import openapi, pages
from omniroute_addon.web.handlers import Asset, JsonHandler, PageHandler, Preferences
from omniroute_addon.web.rendering import STATIC
from omniroute_addon.web.resource import ROOT, Resource, pattern
from omniroute_addon.web.site import Site


class Pages:
    """The addon for a stock mitmweb, whose application is there when it runs; elsewhere it does nothing."""

    name = "omniroute-pages"

    def __init__(self, omniroute: OmniRoute) -> None:
        self._omniroute = omniroute

    def running(self) -> None:
        if isinstance(app := getattr(ctx.master, "app", None), Application):
            app.add_transform(WideComments)
            mount(app, self._omniroute)


def mount(app: Application, omniroute: OmniRoute) -> Site:
    """The engine must be there."""
    assert omniroute.engine is not None
    assert omniroute.intercept is not None
    site = Site(omniroute.engine, omniroute.inspect, omniroute.intercept, omniroute.look)
    omniroute.renewed.append(site.changes.renewed)
    app.add_handlers(r".*", addresses(site, pages.resources()))
    return site


def addresses(site: Site, resources: Sequence[Resource]) -> list[URLSpec]:
    """Everything that is served."""
    by_path: dict[str, dict[str, Resource]] = {}
    for one in resources:
        by_path.setdefault(one.path, {})[one.method] = one
    navigation = tuple(one.page for one in resources if one.page is not None and one.page.navigation)
    shown = [(one.page, one) for one in resources if one.page is not None]
    return [
        URLSpec(rf"{ROOT}", RedirectHandler, {"url": f"{ROOT}/"}),
        URLSpec(rf"{ROOT}/static/(.+)", Asset, {"path": str(STATIC)}),
        URLSpec(rf"{ROOT}/preferences", Preferences, {"site": site}),
        URLSpec(rf"{ROOT}/api/openapi\.json", openapi.Document, {"site": site, "resources": resources}),
        *(
            URLSpec(pattern(f"api/{path}"), JsonHandler, {"site": site, "resources": methods})
            for path, methods in by_path.items()
        ),
        *(
            URLSpec(pattern(page.path), PageHandler, {"site": site, "resource": one, "navigation": navigation})
            for page, one in shown
        ),
        *(URLSpec(pattern(path), handler, {"site": site}) for path, handler in pages.sockets()),
    ]
