"""What every address refuses: no login, a foreign Host, another site's request. Walks over all that are served."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tornado.web import RedirectHandler

from omniroute_addon.web import pages
from omniroute_addon.web.handlers import Asset, Socket, is_own
from omniroute_addon.web.mount import addresses
from tests.servers.proxy import running
from tests.web.conftest import Open, Opened
from tests.web.mitmweb import Mitmweb

ROUTES = "routes: []\n"
METHODS = ("GET", "POST", "PUT", "DELETE")
UPGRADE = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PUBLIC = (Asset, RedirectHandler)
"""Style sheets and scripts, which the login page needs, and the address without its slash."""
SPECS = [one for one in addresses(None, pages.resources()) if not issubclass(one.handler_class, PUBLIC)]  # type: ignore[arg-type]
PATHS = {re.sub(r"\(\?P<\w+>[^)]*\)", "x", one.regex.pattern).replace("\\", "").rstrip("$"): one for one in SPECS}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with running(tmp_path_factory.mktemp("proxy"), ROUTES, headless=False) as proxy:
        assert proxy.web is not None
        with Mitmweb(proxy.web) as web:
            yield Opened(proxy.url, proxy.gateway, proxy.ca, proxy.config, proxy.log, web)


@contextmanager
def browser(served: Opened) -> Generator[httpx.Client]:
    """One that is logged in, with the cookies of mitmweb."""
    with httpx.Client(base_url=served.web.base, trust_env=False, timeout=30) as client:
        client.get(served.web.url)
        assert "mitmproxy-auth" in str(dict(client.cookies))
        yield client


def token(served: Opened) -> str:
    return served.web.url.partition("token=")[2]


def test_the_walk_sees_pages_answers_and_sockets() -> None:
    assert {"/omniroute/", "/omniroute/api/calls", "/omniroute/live", "/omniroute/preferences"} <= set(PATHS)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_served_without_a_login(served: Opened, path: str, method: str) -> None:
    headers = UPGRADE if issubclass(PATHS[path].handler_class, Socket) else {}
    cookies = {"_mitmproxy_xsrf": "0" * 32}
    headers = {**headers, "x-xsrftoken": "0" * 32}
    with httpx.Client(base_url=served.web.base, trust_env=False, cookies=cookies) as client:
        got = client.request(method, path, headers=headers, follow_redirects=False)
    assert got.status_code in (403, 405)
    assert got.status_code == 403 or method not in PATHS[path].handler_class.__dict__


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_is_refused_whoever_asks(served: Opened, path: str) -> None:
    headers = {"host": "evil.example", "authorization": f"Bearer {token(served)}", "origin": "http://evil.example"}
    got = httpx.get(f"{served.web.base}{path}", headers=headers, trust_env=False)
    assert got.status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}],
    ids=["cross-site", "same-site", "origin"],
)
def test_another_site_changes_nothing_with_the_visitor_s_cookies(
    served: Opened, path: str, method: str, headers: dict[str, str]
) -> None:
    with browser(served) as client:
        client.cookies.set("_mitmproxy_xsrf", "0" * 32)
        got = client.request(method, path, headers={**headers, "x-xsrftoken": "0" * 32})
    assert got.status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_change_needs_the_page_s_own_token(served: Opened, path: str, method: str) -> None:
    with browser(served) as client:
        assert client.request(method, path).status_code == 403


@pytest.mark.parametrize("path", [path for path, one in PATHS.items() if issubclass(one.handler_class, Socket)])
def test_a_socket_of_another_site_is_refused(served: Opened, path: str) -> None:
    with browser(served) as client:
        assert client.get(path, headers={**UPGRADE, "origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_strict_policy(served: Opened, path: str) -> None:
    got = httpx.get(f"{served.web.base}{path}", headers={"authorization": f"Bearer {token(served)}"}, trust_env=False)
    policy = got.headers["content-security-policy"]
    assert ("default-src 'none'" in policy, "unsafe" in policy, got.headers["x-frame-options"]) == (True, False, "DENY")


def test_the_token_leaves_the_address(served: Opened) -> None:
    with httpx.Client(base_url=served.web.base, trust_env=False) as client:
        got = client.get(f"/omniroute/?state=failed&token={token(served)}")
        assert (got.status_code, got.headers["location"]) == (302, "/omniroute/?state=failed")
        assert client.get("/omniroute/").status_code == 200


def test_the_login_page_lets_in_who_knows_the_token(served: Opened) -> None:
    with httpx.Client(base_url=served.web.base, trust_env=False) as client:
        form = client.get("/omniroute/?state=failed").text
        found = re.search(r'name="_xsrf" value="([^"]+)"', form)
        assert found is not None
        wrong = client.post("/omniroute/?state=failed", data={"_xsrf": found[1], "token": "wrong"})
        right = client.post("/omniroute/?state=failed", data={"_xsrf": found[1], "token": token(served)})
        assert (wrong.status_code, right.status_code) == (403, 303)
        assert client.get(right.headers["location"]).status_code == 200


def test_preferences_are_kept_and_lead_back_to_our_pages_only(served: Opened) -> None:
    with browser(served) as client:
        found = re.search(r'name="_xsrf" value="([^"]+)"', client.get("/omniroute/").text)
        assert found is not None
        send = {"_xsrf": found[1], "language": "de", "theme": "dark"}
        back = client.post("/omniroute/preferences", data={**send, "next": "/omniroute/?state=ok"})
        away = client.post("/omniroute/preferences", data={**send, "next": "//evil.example/"})
        assert (back.headers["location"], away.headers["location"]) == ("/omniroute/?state=ok", "/omniroute/")
        page = client.get("/omniroute/").text
        assert '<html lang="de" dir="ltr" data-theme="dark">' in page


def test_what_is_asked_wrongly_is_told(served: Opened) -> None:
    headers = {"authorization": f"Bearer {token(served)}"}
    answer = httpx.get(f"{served.web.base}/omniroute/api/calls?limit=x&strange=1", headers=headers, trust_env=False)
    assert (answer.status_code, "limit" in answer.json()["error"], "strange" in answer.json()["error"]) == (
        422,
        True,
        True,
    )
    page = httpx.get(f"{served.web.base}/omniroute/?limit=x", headers=headers, trust_env=False)
    assert (page.status_code, "limit" in page.text) == (422, True)


def test_the_pages_are_in_a_stock_mitmweb_too(request: pytest.FixtureRequest) -> None:
    open_stock: Open = request.getfixturevalue("open_stock")
    stock = open_stock(ROUTES)
    headers = {"authorization": f"Bearer {token(stock)}"}
    assert httpx.get(f"{stock.web.base}/omniroute/", headers=headers, trust_env=False).status_code == 200


def test_the_name_that_mitmweb_listens_on_is_no_foreign_host(tmp_path: Path) -> None:
    with running(tmp_path, ROUTES, headless=False, options=("web_host=127.1",)) as proxy:
        assert proxy.web is not None
        base, _, password = proxy.web.partition("/?token=")
        headers = {"authorization": f"Bearer {password}"}
        statuses = [
            httpx.get(f"{base}/omniroute/", headers={**headers, "host": host}, trust_env=False).status_code
            for host in ("127.1", "127.2.evil.example")
        ]
    assert (base.startswith("http://127.1:"), statuses) == (True, [200, 403])


@pytest.mark.parametrize(
    "host, own",
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("192.168.1.7", True),
        ("proxy.localhost", True),
        ("box.lan", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_a_host_that_can_only_mean_us(host: str, own: bool) -> None:
    assert is_own(host, "box.lan") is own


def test_no_host_is_never_ours() -> None:
    assert is_own("", "") is False
