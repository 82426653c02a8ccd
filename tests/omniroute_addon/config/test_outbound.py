"""``proxy`` in a file, and the variables that everybody reads."""

import socket

import pytest

from omniroute_addon.config import ConfigError
from omniroute_addon.config.models import Address, Listen
from omniroute_addon.config.outbound import of_environment
from omniroute_addon.config.ways import Outbound
from tests.omniroute_addon.config.test_load import snapshot

LEVELS = """
version: 1
proxy: http://file:1
providers: {glm: {proxy: http://provider:1}}
accounts: [{name: a, provider: glm, key: k, proxy: http://account:1}, {name: b, provider: glm, key: k}]
combos:
  c: {proxy: http://combo:1, targets: [glm/m, {target: groq/m, proxy: http://target:1}]}
"""


def test_every_level_may_name_one() -> None:
    loaded = snapshot(LEVELS)
    first, second = loaded.combos["c"].targets
    found = [first.place.proxy, second.place.proxy, loaded.providers["glm"].proxy, loaded.accounts[0].proxy]
    assert [str(one) for one in found] == ["http://combo:1", "http://target:1", "http://provider:1", "http://account:1"]
    assert loaded.accounts[1].proxy is None
    names = ("account", "combo", "file", "provider", "target")
    assert sorted(map(str, loaded.outbounds())) == [f"http://{name}:1" for name in names]


@pytest.mark.parametrize("password", ["'${SECRET}'", "{env: SECRET}", "{vault: proxy}"])
def test_a_password_may_come_from_elsewhere_as_it_is(password: str) -> None:
    text = f"{{version: 1, proxy: {{url: 'socks5://x:1', user: me, password: {password}}}}}"
    loaded = snapshot(text, {"SECRET": "p@s/s%41"}, secrets={"proxy": "p@s/s%41"}.get)
    assert loaded.ways.general == Outbound("socks5", "x", 1, "me", "p@s/s%41")
    assert "p@s/s%41" not in repr(loaded)


@pytest.mark.parametrize(
    "proxy,said",
    [
        ("ftp://x:1", "begins with http://, https:// or socks5://"),
        ("{url: 'http://x:1', password: canary}", "needs a 'user'"),
        ("{url: 'http://x:1', user: me, password: '${GONE}'}", "environment variable GONE is not set"),
        ("{url: 'http://x:1', user: me, password: {vault: gone}}", "the vault has no 'gone'"),
        ("http://localhost:8080", "is a listener of OmniRoute itself"),
        ("'http://me:canary@127.0.0.1:20128'", "is a listener of OmniRoute itself"),
    ],
)
def test_what_is_wrong_is_told_without_secrets(proxy: str, said: str) -> None:
    no_secrets: dict[str, str] = {}
    with pytest.raises(ConfigError) as caught:
        snapshot(f"{{version: 1, proxy: {proxy}}}", secrets=no_secrets.get)
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


# ── the environment ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_variables_are_read_as_everybody_does() -> None:
    env = {"https_proxy": "http://s:1", "HTTP_PROXY": "p:2", "NO_PROXY": "a, b", "no_proxy": "c", "HOME": "/nobody"}
    found = of_environment(env, Listen())
    assert (str(found.https), str(found.http), found.bypass) == ("http://s:1", "http://p:2", ("a", "b", "c"))


def test_all_proxy_is_for_what_has_no_variable_of_its_own() -> None:
    found = of_environment({"HTTPS_PROXY": "http://s:1", "ALL_PROXY": "socks5://a:2", "HOME": "/nobody"}, Listen())
    assert (str(found.https), str(found.http)) == ("http://s:1", "socks5://a:2")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", socket.gethostname()])
def test_our_own_listener_is_not_followed(host: str) -> None:
    env = {"HTTPS_PROXY": f"http://omniroute:key@{host}:18080", "HOME": "/nobody"}
    found = of_environment(env, Listen(proxy=Address("0.0.0.0", 18080)))
    assert (found.https, found.own) == (None, "HTTPS_PROXY")
    assert str(of_environment(env, Listen()).https) == f"http://{host}:18080"


def test_a_company_s_proxy_behind_our_own_is_found() -> None:
    env = {"HTTPS_PROXY": "http://127.0.0.1:8080", "ALL_PROXY": "http://corp:3128", "HOME": "/nobody"}
    assert str(of_environment(env, Listen()).https) == "http://corp:3128"


def test_what_omniroute_env_has_set_is_known_by_its_certificate() -> None:
    env = {"HTTPS_PROXY": "http://127.0.0.1:5555", "NODE_EXTRA_CA_CERTS": "/h/ca/x.pem", "OMNIROUTE_HOME": "/h"}
    assert of_environment(env, Listen()).https is None
    assert of_environment(env | {"NODE_EXTRA_CA_CERTS": "/corp.pem"}, Listen()).https is not None


def test_a_variable_that_cannot_be_read_is_warned_of_without_its_text() -> None:
    loaded = snapshot("version: 1", {"HTTPS_PROXY": "ftp://canary"})
    assert [str(one) for one in loaded.warnings] == [
        "environment: HTTPS_PROXY: is not followed: it is no address of an HTTP or SOCKS5 proxy"
    ]
