"""Which outbound proxy a call leaves by, and how an address of one is read."""

import pytest

from omniroute_addon.config.ways import DIRECT, Choice, Environment, Outbound, Ways, read_outbound

NEAR, FAR = Outbound("http", "near", 1), Outbound("socks5", "far", 2)
ENVIRONMENT = Environment(https=Outbound("http", "env", 3), http=Outbound("http", "env", 4), bypass=("corp.example",))


@pytest.mark.parametrize(
    "text,scheme,host,port,user,password",
    [
        ("http://proxy:3128", "http", "proxy", 3128, "", ""),
        ("proxy:3128/", "http", "proxy", 3128, "", ""),
        ("HTTPS://proxy", "https", "proxy", 443, "", ""),
        ("socks5h://[::1]:1", "socks5", "::1", 1, "", ""),
        ("http://me:p%40s%2Fs:x@proxy:1", "http", "proxy", 1, "me", "p@s/s:x"),
        ("http://me:p@ss@proxy:1", "http", "proxy", 1, "me", "p@ss"),
    ],
)
def test_an_address_is_read(text: str, scheme: str, host: str, port: int, user: str, password: str) -> None:
    found = read_outbound(text)
    assert (found.scheme, found.host, found.port) == (scheme, host, port)
    assert (found.user, found.password) == (user, password)


@pytest.mark.parametrize(
    "text",
    ["", "ftp://canary@x:1", "http://canary@", "http://x:canary", "http://x:0", "http://x:99999", "http://a b:1"],
)
def test_what_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="a proxy's address") as caught:
        read_outbound(text)
    assert "canary" not in str(caught.value)


def test_its_text_has_no_login() -> None:
    found = read_outbound("socks5://me:canary@[2001:db8::1]:1080")
    assert str(found) == "socks5://[2001:db8::1]:1080"
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    "general,nearer,found",
    [
        (None, (), ENVIRONMENT.https),
        (FAR, (), FAR),
        ("none", (), None),
        (FAR, (None, NEAR, FAR), NEAR),
        (FAR, ("none", NEAR), None),
        (FAR, ("env",), ENVIRONMENT.https),
    ],
)
def test_the_nearest_counts(general: Choice | None, nearer: tuple[Choice | None, ...], found: Outbound | None) -> None:
    assert Ways(general, ENVIRONMENT).to_url("https://api.example/v1", *nearer) == found


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_is_called_directly_unless_its_provider_says_otherwise(host: str) -> None:
    ways = Ways(FAR, ENVIRONMENT)
    assert ways.to_url(f"http://{host}:11434/v1") is None
    assert ways.to_url(f"http://{host}:11434/v1", NEAR) == NEAR


def test_an_http_address_has_a_variable_of_its_own() -> None:
    assert Ways(None, ENVIRONMENT).to_url("http://api.example/v1") == ENVIRONMENT.http


@pytest.mark.parametrize(
    "entry,url,covered",
    [
        ("*", "https://a.example", True),
        ("a.example", "https://A.example", True),
        ("example", "https://a.example", True),
        (".example", "https://a.example", True),
        ("*.example", "https://a.example", True),
        ("ample", "https://a.example", False),
        ("a.example:8443", "https://a.example:8443", True),
        ("a.example:8443", "https://a.example", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("2001:db8::/32", "https://[2001:db8::1]", True),
        ("[2001:db8::1]:443", "https://[2001:db8::1]:443", True),
    ],
)
def test_no_proxy(entry: str, url: str, covered: bool) -> None:
    way = Outbound("http", "env", 3)
    found = Ways(None, Environment(https=way, bypass=(entry,))).to_url(url)
    assert found == (None if covered else way)


def test_an_address_that_is_none_has_no_way() -> None:
    assert Ways(FAR).to_url("http://[::1") is None
    assert DIRECT.to_url("https://api.example") is None
