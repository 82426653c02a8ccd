"""Gateway keys over real HTTP: who gets in, in which words the others do not, and that a key goes nowhere."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from hashlib import sha256

import anthropic
import httpx
import openai
import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import ask, post_gateway, said_error, spoken
from tests.e2e.targets import targets
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy, environment

CANARY = "omni-canary-5b1f9c7e"
CLIENTS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")
HEADERS = {
    "anthropic-messages": {"x-api-key": CANARY},
    "openai-chat": {"authorization": f"Bearer {CANARY}"},
    "openai-responses": {"authorization": f"Bearer {CANARY}"},
    "gemini": {"x-goog-api-key": CANARY},
}
KEYS = f"keys:\n  - {{name: ci, key: {CANARY}}}\n  - {{name: other, sha256: '{sha256(b'another').hexdigest()}'}}\n"


@pytest.fixture
def gateway(start_proxy: StartProxy, provider: Provider) -> Proxy:
    return start_proxy(targets(up=provider) + KEYS)


def _books(proxy: Proxy) -> list[tuple[str | None]]:
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        return books.execute("SELECT key FROM exchanges").fetchall()


def _traces(proxy: Proxy) -> list[str]:
    """The files under the data dir, and the log, that have the key in them."""
    files = [path for path in proxy.home.rglob("*") if path.is_file()]
    return [str(path) for path in (*files, proxy.log) if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", CLIENTS)
def test_a_key_lets_in_and_goes_no_further(form: str, gateway: Proxy, provider: Provider, *, stream: bool) -> None:
    for up in ("anthropic-messages", "openai-chat", "gemini"):
        response = post_gateway(gateway, ask(form, f"up-{up}/m", stream=stream), **HEADERS[form])
        assert spoken(form, response) == "Hello from upstream"
    said = [f"{call.path}?{call.query}{call.headers}".encode() + call.body for call in provider.received]
    assert len(said) == 3
    assert not any(CANARY.encode() in text for text in said)
    assert gateway.stop() == 0
    assert _books(gateway) == [("ci",)] * 3
    assert _traces(gateway) == []


def test_a_key_in_the_query_goes_no_further(gateway: Proxy, provider: Provider) -> None:
    asked = ask("gemini", "up-gemini/m", stream=True)
    url = f"{gateway.gateway}{asked.path}&key={CANARY}"
    assert spoken("gemini", httpx.post(url, content=asked.content, trust_env=False)) == "Hello from upstream"
    assert CANARY not in provider.call.query
    assert gateway.stop() == 0
    assert _traces(gateway) == []


@pytest.mark.parametrize("form", CLIENTS)
@pytest.mark.parametrize("key", [{}, {"x-api-key": "wrong"}], ids=["none", "wrong"])
def test_no_call_without_a_key(form: str, key: dict[str, str], gateway: Proxy, provider: Provider) -> None:
    response = post_gateway(gateway, ask(form, "up-openai-chat/m"), **key)
    assert response.status_code == 401
    assert "key" in said_error(form, response.json())
    assert not provider.received


def test_the_model_list_needs_a_key_too(gateway: Proxy) -> None:
    assert httpx.get(f"{gateway.gateway}/v1/models", trust_env=False).status_code == 401
    listed = httpx.get(f"{gateway.gateway}/v1/models", headers=HEADERS["openai-chat"], trust_env=False)
    assert listed.status_code == 200


def test_the_sdks_call_it_an_authentication_error(gateway: Proxy) -> None:
    url = gateway.gateway
    with openai.OpenAI(api_key="wrong", base_url=f"{url}/v1") as chat, pytest.raises(openai.AuthenticationError):
        chat.models.list()
    with anthropic.Anthropic(api_key="wrong", base_url=url) as sdk, pytest.raises(anthropic.AuthenticationError):
        sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])


def test_five_wrong_keys_lock_an_address_out_until_it_is_reset(gateway: Proxy, provider: Provider) -> None:
    asked = ask("anthropic-messages", "up-openai-chat/m")
    for n in range(5):
        assert post_gateway(gateway, asked, x_api_key=f"wrong-{n}").status_code == 401
    response = post_gateway(gateway, asked, x_api_key=CANARY)
    assert response.status_code == 429
    assert 800 < int(response.headers["retry-after"]) <= 900
    assert "too many wrong keys" in said_error("anthropic-messages", response.json())
    assert not provider.received
    command = [sys.executable, "-m", "omniroute_addon", "reset", "127.0.0.1"]
    done = subprocess.run(command, env=environment(gateway.home), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "reset: 127.0.0.1"
    assert post_gateway(gateway, asked, x_api_key=CANARY).status_code == 200


def test_the_proxy_may_ask_for_a_key_as_well(start_proxy: StartProxy, provider: Provider) -> None:
    config = f"providers: {{anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}}}\n{KEYS}"
    proxy = start_proxy(config + "routes: [{match: {model: '*'}, to: origin}]\n", listen=", proxy_auth: true")
    asked = ask("anthropic-messages")
    with pytest.raises(httpx.ProxyError, match="407"):
        httpx.post(asked.url, content=asked.content, proxy=proxy.url, verify=proxy.trust, trust_env=False)
    address = proxy.url.replace("http://", f"http://ci:{CANARY}@")
    response = httpx.post(
        asked.url,
        content=asked.content,
        headers={"x-api-key": "its-own"},
        proxy=address,
        verify=proxy.trust,
        trust_env=False,
    )
    assert spoken("anthropic-messages", response) == "Hello from upstream"
    assert provider.call.header("x-api-key") == "its-own"
    assert proxy.stop() == 0
    assert _books(proxy) == [("ci",)]
    assert _traces(proxy) == []
