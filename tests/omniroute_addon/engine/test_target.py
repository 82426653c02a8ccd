"""Where a call goes and which headers go with it."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from omniroute_addon.config import Account, Provider, Snapshot
from omniroute_addon.config.models import Auth
from omniroute_addon.engine.call import Call, Dial
from omniroute_addon.engine.target import dial, join, origin_url
from omniroute_addon.routing.candidate import Candidate
from translators import WireRequest

SECRETS = ("client-secret", "client-key", "client-cookie", "client-account", "client-query")
HEADERS = (
    ("host", "api.anthropic.com"),
    ("authorization", "Bearer client-secret"),
    ("x-api-key", "client-key"),
    ("x-goog-api-key", "client-key"),
    ("cookie", "client-cookie"),
    ("chatgpt-account-id", "client-account"),
    ("anthropic-version", "2023-06-01"),
    ("user-agent", "claude-cli/2.0"),
)
BODY = b'{"model":"claude-opus-4-6"}'


def call(**changes: object) -> Call:
    path = "/v1/messages?beta=true&key=client-query"
    base = Call(
        id="1",
        client="claude-code",
        format="anthropic-messages",
        operation="generate",
        wire=WireRequest("POST", "/v1/messages", "beta=true&key=client-query", dict(HEADERS), BODY),
        headers=HEADERS,
        body=BODY,
        scheme="https",
        host="api.anthropic.com",
        port=443,
        path=path,
        model="claude-opus-4-6",
        streaming=True,
        gateway=False,
        provider="anthropic",
    )
    return replace(base, **changes)


def provider(base_url: str = "http://127.0.0.1:9/v1/messages", **changes: object) -> Provider:
    return replace(Provider("glm", "GLM", base_url, "anthropic-messages", auth=Auth("x-api-key")), **changes)


def to(service: Provider, *, passthrough: bool = True, asked: Call | None = None, key: str | None = "ours") -> Dial:
    account = None if key is None else Account("main", service.id, SecretStr(key))
    candidate = Candidate("glm/m", service, "m", account)
    asked = asked or call()
    wire = asked.wire if passthrough else WireRequest("POST", asked.wire.path, "", {"x-format": "1"}, b"{}")
    return dial(asked, candidate, wire, passthrough, Snapshot(None))


@pytest.mark.parametrize("passthrough", [True, False])
def test_nothing_of_the_client_reaches_another_provider(passthrough: bool) -> None:
    sent = to(provider(), passthrough=passthrough)
    everything = " ".join([sent.url, *(f"{name}: {value}" for name, value in sent.headers)])
    assert not [secret for secret in SECRETS if secret in everything]


def test_a_passthrough_sends_exactly_these_headers() -> None:
    assert dict(to(provider()).headers) == {
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "user-agent": "omniroute",
        "accept-encoding": "identity",
        "x-api-key": "ours",
    }


def test_a_translation_sends_exactly_these_headers() -> None:
    assert dict(to(provider(), passthrough=False).headers) == {
        "x-format": "1",
        "content-type": "application/json",
        "user-agent": "omniroute",
        "accept-encoding": "identity",
        "x-api-key": "ours",
    }


def test_the_providers_own_headers_win_over_the_protocols() -> None:
    assert dict(to(provider(headers={"anthropic-version": "x", "user-agent": "me"})).headers)["user-agent"] == "me"


@pytest.mark.parametrize(
    "auth, header",
    [
        (Auth("bearer"), ("authorization", "Bearer ours")),
        (Auth("x-goog-api-key"), ("x-goog-api-key", "ours")),
        (Auth("header", "X-Pass"), ("x-pass", "ours")),
    ],
)
def test_the_key_is_sent_as_the_provider_wants_it_and_known_to_be_secret(auth: Auth, header: tuple[str, str]) -> None:
    sent = to(provider(auth=auth))
    assert header in sent.headers
    assert sent.secrets == {header[0]}


def test_a_provider_without_keys_gets_none() -> None:
    sent = to(provider(auth=Auth("none")))
    assert not sent.secrets
    assert "ours" not in str(sent.headers)


def test_origin_gets_the_clients_call_as_it_is() -> None:
    asked = call(streaming=False)
    sent = dial(asked, Candidate("origin", None, None, None, origin=True), asked.wire, True, Snapshot(None))
    assert sent.url == "https://api.anthropic.com/v1/messages?beta=true&key=client-query"
    assert sent.headers == HEADERS[1:]
    assert sent.body is BODY


def test_origin_gets_the_encoded_body_unless_it_had_to_be_changed() -> None:
    packed = call(body=b"zstd", headers=(("content-encoding", "zstd"),))
    candidate = Candidate("origin", None, None, None, origin=True)
    same = dial(packed, candidate, packed.wire, True, Snapshot(None))
    other = dial(packed, candidate, replace(packed.wire, body=b"{}"), True, Snapshot(None))
    assert (same.body, ("content-encoding", "zstd") in same.headers) == (b"zstd", True)
    assert (other.body, ("content-encoding", "zstd") in other.headers) == (b"{}", False)


def test_a_set_base_url_also_holds_for_origin_and_keeps_the_clients_key() -> None:
    service = provider("http://127.0.0.1:9/v1/messages", id="anthropic", overridden=True)
    url = origin_url(call(), Snapshot(None, providers={"anthropic": service}))
    assert url == "http://127.0.0.1:9/v1/messages?beta=true&key=client-query"


def test_a_shipped_base_url_does_not_hold_for_origin() -> None:
    service = provider("http://127.0.0.1:9/v1/messages", id="anthropic")
    url = origin_url(call(), Snapshot(None, providers={"anthropic": service}))
    assert url.startswith("https://api.anthropic.com/")


def test_an_unusual_port_and_an_ipv6_address_are_kept() -> None:
    assert origin_url(call(host="::1", port=8443, path="/v1"), Snapshot(None)) == "https://[::1]:8443/v1"


@pytest.mark.parametrize(
    "base_url, base_path, path, query, url",
    [
        ("https://x/v1/messages", "/v1/messages", "/v1/messages", "", "https://x/v1/messages"),
        ("https://x/a/messages", "/v1/messages", "/v1/messages/count_tokens", "", "https://x/a/messages/count_tokens"),
        (
            "https://x/v1beta/models",
            "/v1beta/models",
            "/v1beta/models/m:g",
            "alt=sse",
            "https://x/v1beta/models/m:g?alt=sse",
        ),
        ("https://x/v1beta/models", "/v1beta/models", "/zen/v1/models/m:g", "", "https://x/v1beta/models/m:g"),
        ("https://x/r", "/v1/responses", "/backend-api/codex/responses", "", "https://x/r"),
        ("https://x/chat/", "/v1/chat/completions", "/chat/completions", "", "https://x/chat"),
        ("https://x/m?v=1&alt=json", "/m", "/m", "alt=sse", "https://x/m?v=1&alt=sse"),
        ("https://x/m", "/m", "/m", "a=%20+&a=2", "https://x/m?a=%20+&a=2"),
        ("https://x/m", "/m", "/m", "key=k&KEY=k&access_token=k&%6Bey=k&keys=1", "https://x/m?keys=1"),
    ],
)
def test_an_address_is_the_base_url_and_the_rest_of_the_path(
    base_url: str, base_path: str, path: str, query: str, url: str
) -> None:
    assert join(base_url, base_path, path, query) == url
