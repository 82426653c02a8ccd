"""Everything leaves by the outbound proxy: routed calls, untouched ones and tunnels; and what the user sees if it fails."""

import ssl
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartProxy
from tests.e2e import rules
from tests.servers.certificates import authority
from tests.servers.outbound import Kind, OutboundProxy, leaving
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy

HOST = "llm.example.test"
"""A host that no name server knows."""
LOGIN = "me:p%40ss-canary"


@pytest.fixture
def far(tmp_path: Path) -> Generator[tuple[Provider, dict[str, str]]]:
    """A provider at ``HOST``, and the variable that makes the proxy trust it."""
    certificates = authority(tmp_path, HOST)
    with serving(tls=certificates.server) as one:
        yield one, {"SSL_CERT_FILE": str(certificates.ca)}


def routed(proxy: Proxy) -> httpx.Response:
    with rules.http(proxy) as client:
        return client.post(rules.ANTHROPIC, json=rules.message())


def config(outbound: str, form: str = "openai-chat") -> str:
    path = "/v1/messages" if form == "anthropic-messages" else "/v1/chat/completions"
    return (
        f"proxy: '{outbound}'\nproviders:\n"
        + rules.target("far", f"https://{HOST}{path}", form)
        + rules.route_all("far/m")
    )


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_routed_calls_leave_by_it_over_one_connection(
    kind: Kind, far: tuple[Provider, dict[str, str]], start_proxy: StartProxy
) -> None:
    provider, env = far
    with leaving(OutboundProxy(kind, login="me:p@ss-canary", at={HOST: provider.port})) as outbound:
        proxy = start_proxy(config(outbound.with_login(LOGIN)), env=env)
        said = [rules.text(routed(proxy).text) for _ in range(3)]  # three clients
        assert said == ["Hello from upstream"] * 3
        assert outbound.connected == [f"{HOST}:443"]
    assert "p@ss-canary" not in proxy.log.read_text()
    assert LOGIN not in proxy.log.read_text()


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_untouched_calls_leave_by_it(kind: Kind, tmp_path: Path, start_proxy: StartProxy) -> None:
    certificates = authority(tmp_path, "api.anthropic.com")
    with (
        serving(tls=certificates.server) as provider,
        leaving(OutboundProxy(kind, login="me:p@ss-canary", at={"api.anthropic.com": provider.port})) as outbound,
    ):
        proxy = start_proxy(f"proxy: '{outbound.with_login(LOGIN)}'\n", env={"SSL_CERT_FILE": str(certificates.ca)})
        answer = routed(proxy)
        with rules.http(proxy) as client:
            side = client.get("https://api.anthropic.com/api/oauth/profile")
        assert (rules.text(answer.text), side.status_code) == ("Hello from upstream", 404)
        assert {*outbound.connected} == {"api.anthropic.com:443"}
        assert provider.call.header("proxy-authorization") is None


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_tunnels_leave_by_it_unopened(
    kind: Kind, far: tuple[Provider, dict[str, str]], start_proxy: StartProxy
) -> None:
    provider, env = far
    with leaving(OutboundProxy(kind, at={HOST: provider.port})) as outbound:
        proxy = start_proxy(f"proxy: '{outbound.url}'\n")
        trust = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
        with httpx.Client(proxy=proxy.url, verify=trust, trust_env=False) as client:
            answer = client.get(f"https://{HOST}/anything")
        assert (answer.status_code, outbound.connected) == (404, [f"{HOST}:443"])


def test_the_environment_is_followed(far: tuple[Provider, dict[str, str]], start_proxy: StartProxy) -> None:
    provider, env = far
    with leaving(OutboundProxy(at={HOST: provider.port})) as outbound:
        proxy = start_proxy(config("env"), env={**env, "HTTPS_PROXY": outbound.url})
        assert rules.text(routed(proxy).text) == "Hello from upstream"
        assert outbound.connected == [f"{HOST}:443"]


def test_a_variable_that_leads_back_to_us_is_not_followed(
    provider: Provider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    """As in a shell in which ``omniroute env`` was evaluated, for a proxy that has other ports today."""
    ours = {"HTTPS_PROXY": "http://127.0.0.1:9", "NODE_EXTRA_CA_CERTS": str(tmp_path / "proxy0/home/ca/x.pem")}
    proxy = start_proxy(
        f"providers:\n  anthropic: {{base_url: '{provider.url('anthropic-messages')}', proxy: env}}\n", env=ours
    )
    assert rules.text(routed(proxy).text) == "Hello from upstream"
    assert "HTTPS_PROXY leads to OmniRoute itself" in proxy.log.read_text()


@pytest.mark.parametrize(
    "says,words",
    [
        ("407 Proxy Authentication Required", "wants a user and a password"),
        ("403 Forbidden", "does not connect to"),
        ("502 Bad Gateway", "cannot reach"),
    ],
)
def test_its_refusal_is_told_in_the_tools_own_form(says: str, words: str, start_proxy: StartProxy) -> None:
    with leaving(OutboundProxy(says=says)) as outbound:
        proxy = start_proxy(config(outbound.with_login("").replace("@", "")))
        answer = routed(proxy)
    assert (answer.status_code, answer.json()["type"]) == (503, "error")
    assert f"the outbound proxy {outbound.url} {words}" in answer.json()["error"]["message"]


def test_a_dead_one_is_told_without_its_login_and_comes_back(
    far: tuple[Provider, dict[str, str]], start_proxy: StartProxy
) -> None:
    provider, env = far
    with leaving(OutboundProxy()) as gone:
        pass
    proxy = start_proxy(config(gone.with_login(LOGIN)), env=env)
    answer = routed(proxy)
    assert f"no connection to the outbound proxy {gone.url}" in answer.json()["error"]["message"]
    assert "canary" not in answer.text
    with leaving(OutboundProxy(port=gone.port, at={HOST: provider.port})):
        assert rules.text(routed(proxy).text) == "Hello from upstream"


def test_a_target_with_another_way_out_is_next(second: Provider, start_proxy: StartProxy) -> None:
    with leaving(OutboundProxy()) as gone:
        pass
    url = f"https://{HOST}/v1/chat/completions"
    entries = rules.target("a", url, "openai-chat") + rules.target("b", url, "openai-chat")
    entries += rules.target("near", second, "openai-chat")
    proxy = start_proxy(f"proxy: '{gone.url}'\nproviders:\n{entries}" + rules.route_all("a/m", "b/m", "near/m"))
    assert rules.text(routed(proxy).text) == "Hello from upstream"
    assert len(second.calls) == 1


@pytest.mark.parametrize("host", ["api.anthropic.com", HOST])
def test_an_untouched_call_and_a_tunnel_are_told_which_proxy_is_dead(host: str, start_proxy: StartProxy) -> None:
    with leaving(OutboundProxy()) as gone:
        pass
    proxy = start_proxy(f"proxy: '{gone.with_login(LOGIN)}'\n")
    if host == HOST:
        with rules.http(proxy) as client, pytest.raises(httpx.TransportError):
            client.get(f"https://{host}/")
    else:
        answer = routed(proxy)
        assert (answer.status_code, f"no connection to the outbound proxy {gone.url}" in answer.text) == (502, True)
    assert "canary" not in proxy.log.read_text()


def test_new_rules_change_the_way_and_close_the_old_one(
    far: tuple[Provider, dict[str, str]], start_proxy: StartProxy
) -> None:
    provider, env = far
    at = {HOST: provider.port}
    with leaving(OutboundProxy(at=at)) as old, leaving(OutboundProxy("socks5", at=at)) as new:
        proxy = start_proxy(config(old.url), env=env)
        routed(proxy)
        proxy.write(config(new.url))
        old.wait_open(0)  # nobody but the reload closes it so soon
        assert rules.text(routed(proxy).text) == "Hello from upstream"
        assert (len(old.connected), len(new.connected)) == (1, 1)
