from collections.abc import Callable

import pytest
from mitmproxy import http

from omniroute_addon.addons import lighter

FIELDS = ((b"Host", b"one"), (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=\xff"), (b"x-\xfcber", b""))
ASKED = ["host", "HOST", b"host", "set-cookie", "Set-Cookie", "x-\udcfcber", "x", "", "set_cookie"]


@pytest.fixture
def mitmproxys(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Installs the lighter parts for one test; before that they are mitmproxy's own."""
    for kind, names in ((http.Headers, ("get_all", "get", "__contains__")), (http.MessageData, ("__post_init__",))):
        for name in names:
            monkeypatch.setattr(kind, name, getattr(kind, name))
    return lighter.install


@pytest.mark.parametrize("name", ASKED)
def test_a_header_is_found_as_mitmproxy_finds_it(name: str | bytes, mitmproxys: Callable[[], None]) -> None:
    headers = http.Headers(FIELDS)

    def seen() -> tuple[object, ...]:
        return headers.get_all(name), headers.get(name), headers.get(name, "none"), name in headers  # type: ignore[arg-type]

    before = seen()
    mitmproxys()
    assert seen() == before
    if before[0]:
        assert headers[name] == before[1]  # type: ignore[index]
    else:
        with pytest.raises(KeyError):
            headers[name]  # type: ignore[index]


def test_a_header_that_was_changed_is_found_as_it_is_now(mitmproxys: Callable[[], None]) -> None:
    mitmproxys()
    headers = http.Headers(FIELDS)
    headers["HOST"] = "two"
    del headers["set-cookie"]
    assert (headers["host"], headers.get("Set-Cookie"), "set-cookie" in headers) == ("two", None, False)


@pytest.mark.parametrize("field", ["http_version", "headers", "timestamp_start"])
def test_the_lighter_check_of_messages_still_finds_wrong_types(field: str, mitmproxys: Callable[[], None]) -> None:
    mitmproxys()
    good = vars(http.Response.make().data)
    http.ResponseData(**good)
    with pytest.raises(TypeError):
        http.ResponseData(**good | {field: object()})
