"""The handlers behind every page and every JSON answer.

All derive from mitmweb's own ``RequestHandler``, which refuses whoever is not logged in and wraps every method by itself;
``Handler`` adds what it lacks: a check of Host (a name that an attacker points at 127.0.0.1 is not ours) and of Origin,
and a content-security policy without inline styles. Every answer goes through ``Site.redact``.
"""

import ipaddress
import logging
import re
import socket
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlencode, urlsplit

import orjson
from mitmproxy.tools.web.app import RequestHandler
from pydantic import BaseModel, ValidationError
from tornado.web import HTTPError, StaticFileHandler
from tornado.websocket import WebSocketHandler

from omniroute_addon.ledger.reports import NoLedgerError
from omniroute_addon.web.languages import LANGUAGES, Language, choose
from omniroute_addon.web.rendering import THEMES, render, url
from omniroute_addon.web.resource import ROOT, Download, Failure, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

logger = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LANGUAGE_COOKIE = "omniroute_language"
THEME_COOKIE = "omniroute_theme"
_YEAR = 365
_LOCAL = re.compile(r"(.+\.)?localhost", re.IGNORECASE)
_SAFE = ("GET", "HEAD", "OPTIONS")


class Handler(RequestHandler):
    """The base of all of ours."""

    def initialize(self, site: Site) -> None:
        self.site = site

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        """Raises HTTPError for requests that other sites have made."""
        if not is_own(self.request.host_name, self.master.options.web_host):
            raise HTTPError(403, reason="Foreign Host")
        if self.request.method not in _SAFE:
            origin = self.request.headers.get("Origin")
            foreign = origin is not None and urlsplit(origin).netloc.lower() != self.request.host.lower()
            if foreign or self.request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
                raise HTTPError(403, reason="Cross-Site Request")
        super().prepare()

    def check_xsrf_cookie(self) -> None:
        """A script that shows the password in a header is nobody's browser: it needs no cookie."""
        scheme, _, password = self.request.headers.get("Authorization", "").partition(" ")
        if not (scheme == "Bearer" and password and self.settings["is_valid_password"](password)):
            super().check_xsrf_cookie()

    @property
    def words(self) -> Language:
        """The visitor's language."""
        return choose(self.get_cookie(LANGUAGE_COOKIE), self.request.headers.get("Accept-Language", ""))

    def trouble(self, status: int, kwargs: Mapping[str, object]) -> str:
        """What an error says to whoever caused it."""
        info = kwargs.get("exc_info")
        error = cast("BaseException | None", info[1]) if isinstance(info, tuple) else None
        match error:
            case RefusedError():
                return error.words
            case NoLedgerError():
                return str(error)
            case ValidationError():
                return "; ".join(f"{'.'.join(str(step) for step in e['loc'])}: {e['msg']}" for e in error.errors())
            case HTTPError() if error.log_message and status in (400, 415):
                return error.log_message
            case _:
                return self._reason

    def _handle_request_exception(self, e: BaseException) -> None:
        """Errors with a status of their own are no failures of ours."""
        status = status_of(e)
        if status is None:
            super()._handle_request_exception(e)
        elif not self._finished:
            self.send_error(status, exc_info=(type(e), e, e.__traceback__))


class JsonHandler(Handler):
    """The resources of one address under ``/omniroute/api``, by method."""

    def initialize(self, site: Site, resources: Mapping[str, Resource] | None = None) -> None:  # type: ignore[override]
        super().initialize(site)
        self._resources = resources or {}

    async def _serve(self, **path: str) -> None:
        resource = self._resources.get(self.request.method or "")
        if resource is None:
            self.set_header("Allow", ", ".join(sorted(self._resources)))
            raise HTTPError(405)
        asked = resource.asked({**query_of(self), **path})
        found = await resource.answer(self.site, asked, self._body(resource))
        if isinstance(found, Download):
            self.set_header("Content-Type", resource.download or "application/octet-stream")
            self.set_header("Content-Disposition", f'attachment; filename="{found.name}"')
            self.write(self.site.redact(found.content.decode("utf-8", "replace")))
        else:
            self.set_status(resource.status)
            self._json(found)

    async def get(self, **path: str) -> None:
        await self._serve(**path)

    async def post(self, **path: str) -> None:
        await self._serve(**path)

    async def put(self, **path: str) -> None:
        await self._serve(**path)

    async def delete(self, **path: str) -> None:
        await self._serve(**path)

    def _body(self, resource: Resource) -> object:
        if "body" not in resource.models:
            return None
        if not self.request.headers.get("Content-Type", "").startswith("application/json"):
            raise HTTPError(415, "the body must be application/json")
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise HTTPError(400, "the body is no JSON: %s", error) from error

    def _json(self, answer: BaseModel) -> None:
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(self.site.redact(answer.model_dump_json(by_alias=True)))

    def auth_fail(self, invalid_password: bool) -> None:
        self._json(Failure(error="log in, or send `Authorization: Bearer TOKEN`; `omniroute up` prints the token"))

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self._json(Failure(error=self.trouble(status_code, kwargs)))


class PageHandler(Handler):
    """A resource shown by its template."""

    def initialize(  # type: ignore[override]
        self, site: Site, resource: Resource | None = None, navigation: tuple[Page, ...] = ()
    ) -> None:
        super().initialize(site)
        self._resource = resource
        self._navigation = navigation

    async def get(self, **path: str) -> None:
        if "token" in self.request.arguments:
            self.redirect(self._address())  # so that it stays in no history
            return
        resource = self._resource
        assert resource is not None
        assert resource.page is not None
        asked = resource.asked({**query_of(self), **path})
        found = await resource.answer(self.site, asked)
        page = resource.page
        self._page(page.template, page.title, **page.values, data=found, asked=asked, resource=resource)

    def post(self, **path: str) -> None:
        """The login form."""
        self.redirect(self._address(), status=303)

    def auth_fail(self, invalid_password: bool) -> None:
        self._page("login.html", "common.login", invalid=invalid_password, navigation=())

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self._page("error.html", "common.error", status=status_code, trouble=self.trouble(status_code, kwargs))

    def _page(self, template: str, title: str, **values: object) -> None:
        theme = self.get_cookie(THEME_COOKIE)
        configured = self.site.snapshot.source is not None
        own = None if self._resource is None else self._resource.page
        text = render(
            template,
            self.words,
            **{
                "title": title,
                "data": None,
                "resource": None,
                "navigation": [one for one in self._navigation if not (one.while_new and configured) or one is own],
                "here": self._address(),
                "root": ROOT,
                "theme": theme if theme in THEMES else THEMES[0],
                "themes": THEMES,
                "xsrf": self.xsrf_token.decode(),
                "say": self.words.say,
                "configured": configured,
                **values,
            },
        )
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Language", self.words.code)
        self.set_header("Vary", "Cookie, Accept-Language")
        self.write(self.site.redact(text))

    def _address(self) -> str:
        """This page, without a token."""
        query = urlencode(query_of(self))
        return f"{self.request.path}?{query}" if query else self.request.path


class Preferences(Handler):
    """Language and theme, kept in cookies of the browser."""

    def post(self) -> None:
        if (code := self.get_body_argument("language", "")) in LANGUAGES:
            self._keep(LANGUAGE_COOKIE, code)
        if (theme := self.get_body_argument("theme", "")) in THEMES:
            self._keep(THEME_COOKIE, theme)
        target = self.get_body_argument("next", "")
        self.redirect(target if re.fullmatch(rf"{ROOT}/[^\\\s]*", target) else url(), status=303)

    def _keep(self, name: str, value: str) -> None:
        self.set_cookie(name, value, expires_days=_YEAR, path=ROOT, samesite="Strict", httponly=True)


class Socket(WebSocketHandler, Handler):
    """The base of a websocket: logged in, own Host, own Origin, as every page."""

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self.finish()


class Asset(StaticFileHandler):
    """Scripts and style sheets; the login page needs them, so they are for everybody."""

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", POLICY)


def query_of(handler: Handler) -> dict[str, str]:
    """The query's values, the last of each name; without the login token."""
    given = handler.request.query_arguments
    return {name: values[-1].decode("utf-8", "replace") for name, values in given.items() if name != "token"}


def status_of(error: BaseException) -> int | None:
    match error:
        case RefusedError():
            return error.status
        case NoLedgerError():
            return 503
        case ValidationError():
            return 422
        case _:
            return None


def is_own(host: str, bound: str) -> bool:
    """Whether a Host can only mean us: an address, this machine's name, or what mitmweb was told to listen on (``web_host``)."""
    host = host.strip("[]").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and (bool(_LOCAL.fullmatch(host)) or host in (bound.lower(), socket.gethostname().lower()))
    return True
