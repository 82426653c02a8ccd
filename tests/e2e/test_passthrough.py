"""What no rule touches arrives byte for byte, in both directions; what is nobody's call is not even opened."""

import json
import ssl
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartProxy
from tests.e2e import rules
from tests.servers.answers import FORMATS, Answer
from tests.servers.certificates import authority
from tests.servers.provider import Provider, serving
from tests.servers.steps import Say, Stream, Whole

ODD_REQUEST = (
    b'{ "model" : "claude-opus-4-6",\r\n\t"max_tokens":64 , "stream":true, "x": 1.0e5, "messages":'
    b'[{"role":"user","content":"H\\u00fc \xc3\xbc"}], "unknown": {"z":1,"a":[ ]} }\n'
)
ODD_CHUNKS = (
    b'event: message_start\r\ndata: {"type":"message_sta',
    b'rt","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{}}}\r\n\r\n',
    b": a comment\n\nevent: content_block_start\n",
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    b"event: content_block_delta\n",
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xc3',
    b'\xbc"}}   \n\nevent: unheard_of\ndata: {"type":"unheard_of"}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n\n\n',
)


def overridden(provider: Provider) -> str:
    return f"providers:\n  anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}\n"


WAYS = {
    "no rule": overridden,
    "origin": lambda provider: overridden(provider) + rules.route_all("origin"),
    "another provider, same format and model": lambda provider: (
        "providers:\n" + rules.target("up", provider, "anthropic-messages") + rules.route_all("up/*")
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_request_and_answer_keep_every_byte(way: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(Stream(ODD_CHUNKS))
    proxy = start_proxy(WAYS[way](provider))
    with rules.http(proxy) as client:
        answer = client.post(rules.ANTHROPIC, content=ODD_REQUEST, headers={"content-type": "application/json"})
    assert (provider.call.raw, answer.content) == (ODD_REQUEST, b"".join(ODD_CHUNKS))


def test_another_model_of_the_same_format_changes_that_member_alone(
    provider: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy("providers:\n" + rules.target("up", provider, "anthropic-messages") + rules.route_all("up/m2"))
    with rules.http(proxy) as client:
        client.post(rules.ANTHROPIC, content=ODD_REQUEST, headers={"content-type": "application/json"})
    assert provider.call.raw == ODD_REQUEST.replace(b'"claude-opus-4-6"', b'"m2"')


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat"])
def test_encoded_answers_are_read(encoding: str, form: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(Say(Answer(pieces=("well", " packed")), encoding=encoding))  # type: ignore[arg-type]
    proxy = start_proxy("providers:\n" + rules.target("up", provider, form) + rules.route_all("up/m"))
    headers = {"accept-encoding": "gzip, br, zstd"}
    with rules.http(proxy) as client:
        answer = client.post(rules.ANTHROPIC, json=rules.message(), headers=headers)
    assert rules.text(answer.text) == "well packed"


def test_an_encoded_answer_of_the_origin_is_unpacked(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(Say(Answer(pieces=("well", " packed")), encoding="gzip"))
    proxy = start_proxy(overridden(provider) + rules.route_all("origin"))
    with rules.http(proxy) as client:
        answer = client.post(rules.ANTHROPIC, json=rules.message(), headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in answer.headers, rules.text(answer.text)) == (False, "well packed")


@pytest.mark.parametrize("form", FORMATS)
def test_a_plain_call_without_a_rule_reaches_the_overridden_origin(
    form: str, provider: Provider, start_proxy: StartProxy
) -> None:
    ids = {
        "anthropic-messages": "anthropic",
        "openai-chat": "openai",
        "openai-responses": "openai",
        "gemini": "gemini",
        "gemini-cli": "gemini-cli",
    }
    proxy = start_proxy(f"providers:\n  {ids[form]}: {{base_url: '{provider.url(form)}'}}\n")
    url, body = rules.REQUESTS[form]
    with rules.http(proxy) as client:
        answer = client.post(url, json=body)
    assert (answer.status_code, provider.call.format, provider.call.json) == (200, form, body)


def test_other_paths_of_a_surface_host_are_not_routed(provider: Provider, start_proxy: StartProxy) -> None:
    provider.sides["/api/oauth/profile"] = Whole(200, {"content-type": "application/json"}, b'{"account":"mine"}')
    remap = f"map_remote=|https://api.anthropic.com/api/|{provider.url()}/api/"
    proxy = start_proxy(
        "providers:\n" + rules.target("up", provider, "openai-chat") + rules.route_all("up/m"), options=[remap]
    )
    with rules.http(proxy) as client:
        answer = client.get("https://api.anthropic.com/api/oauth/profile")
    assert answer.json() == {"account": "mine"}


def test_plain_http_to_loopback_is_forwarded_as_it_is(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(rules.route_all("origin"))
    with rules.http(proxy) as client:
        answer = client.post(f"{provider.url()}/mcp", json={"jsonrpc": "2.0"})
    assert (answer.status_code, json.loads(provider.received[0].raw)) == (404, {"jsonrpc": "2.0"})


def test_a_host_that_is_no_provider_is_tunnelled_unopened(tmp_path: Path, start_proxy: StartProxy) -> None:
    """The client trusts only the server's own CA: were the connection opened, the handshake would fail."""
    certificates = authority(tmp_path, "localhost")
    with serving(tls=certificates.server) as server:
        proxy = start_proxy(rules.route_all("origin"))
        trust = ssl.create_default_context(cafile=str(certificates.ca))
        with httpx.Client(proxy=proxy.url, verify=trust, trust_env=False) as client:
            answer = client.get(f"{server.url()}/anything")
    assert answer.status_code == 404
