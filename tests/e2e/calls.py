"""Calls as plain HTTP, in each wire format, and what is said in the bytes that come back."""

import json
import ssl
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE

HOSTS = {
    "anthropic-messages": "https://api.anthropic.com",
    "openai-chat": "https://api.openai.com",
    "openai-responses": "https://api.openai.com",
    "gemini": "https://generativelanguage.googleapis.com",
    "gemini-cli": "https://cloudcode-pa.googleapis.com",
}
EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of the smallest kind; ``path`` with its query."""

    format: str
    path: str
    body: dict[str, Any]

    @property
    def url(self) -> str:
        return HOSTS[self.format] + self.path

    @property
    def content(self) -> bytes:
        return json.dumps(self.body).encode()


def ask(form: str, model: str = "model-0", *, stream: bool = False, question: str = "Say hello.") -> Ask:
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    contents = {"contents": [{"role": "user", "parts": [{"text": question}]}]}
    messages = [{"role": "user", "content": question}]
    flag = {"stream": True} if stream else {}
    match form:
        case "anthropic-messages":
            return Ask(form, "/v1/messages", {"model": model, "max_tokens": 100, "messages": messages} | flag)
        case "openai-chat":
            return Ask(form, "/v1/chat/completions", {"model": model, "messages": messages} | flag)
        case "openai-responses":
            return Ask(form, "/v1/responses", {"model": model, "input": question} | flag)
        case "gemini":
            return Ask(form, f"/v1beta/models/{model}:{method}", contents)
        case _:
            return Ask(form, f"/v1internal:{method}", {"model": model, "project": "p", "request": contents})


class _OnlyHTTP2(ssl.SSLContext):
    """Offers ``h2`` alone: httpx puts ``http/1.1`` before it, and servers may take the first."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        del alpn_protocols
        super().set_alpn_protocols(["h2"])


def async_client(proxy: Proxy, *, http2: bool, **options: Any) -> httpx.AsyncClient:
    """Through HTTPS_PROXY, with the CA and nothing else trusted."""
    trust = _OnlyHTTP2(ssl.PROTOCOL_TLS_CLIENT) if http2 else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(proxy.ca)
    return httpx.AsyncClient(proxy=proxy.url, verify=trust, http2=http2, timeout=PATIENCE, trust_env=False, **options)


@contextmanager
def client(proxy: Proxy, **options: Any) -> Generator[httpx.Client]:
    """Through HTTPS_PROXY, with the CA and nothing else trusted."""
    trust: ssl.SSLContext = options.pop("trust", proxy.trust)
    with httpx.Client(proxy=proxy.url, verify=trust, trust_env=False, timeout=PATIENCE, **options) as one:
        yield one


def post(proxy: Proxy, asked: Ask, **headers: str) -> httpx.Response:
    """The whole response, through the proxy."""
    with client(proxy) as one:
        return one.post(asked.url, content=asked.content, headers=_headers(headers))


def post_gateway(proxy: Proxy, asked: Ask, **headers: str) -> httpx.Response:
    """The same call at the gateway's address."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as one:
        return one.post(proxy.gateway + asked.path, content=asked.content, headers=_headers(headers))


def _headers(more: dict[str, str]) -> dict[str, str]:
    return {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in more.items()}


def events(body: bytes) -> list[dict[str, Any]]:
    """The JSON of every event of a stream, and of an error that stands bare behind Google's; chat's end mark is left out."""
    starts = (b"data: ", b"{") if b"data: " in body else (b"data: ",)
    lines = (line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(starts))
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def spoken(form: str, response: httpx.Response) -> str:
    """The visible text of a good answer, whole or streamed."""
    assert response.status_code == 200, response.text
    if response.headers["content-type"].startswith(EVENT_STREAM):
        return "".join(piece for event in events(response.content) for piece in _pieces(form, event))
    document = response.json()
    match form:
        case "anthropic-messages":
            return "".join(block["text"] for block in document["content"] if block["type"] == "text")
        case "openai-chat":
            return str(document["choices"][0]["message"]["content"])
        case "openai-responses":
            messages = (item for item in document["output"] if item["type"] == "message")
            return "".join(part["text"] for item in messages for part in item["content"])
        case _:
            return "".join(_pieces(form, document))


def _pieces(form: str, event: dict[str, Any]) -> Iterable[str]:
    match form:
        case "anthropic-messages":
            return [event["delta"].get("text", "")] if event["type"] == "content_block_delta" else []
        case "openai-chat":
            return [choice["delta"].get("content") or "" for choice in event.get("choices", ())]
        case "openai-responses":
            return [event["delta"]] if event["type"] == "response.output_text.delta" else []
        case _:
            candidates = event.get("response", event).get("candidates", ())
            return [part.get("text", "") for one in candidates for part in one.get("content", {}).get("parts", ())]


def said_error(form: str, document: dict[str, Any]) -> str:
    """The message of an error document or error event, in the format's own shape."""
    match form:
        case "anthropic-messages":
            assert document["type"] == "error"
            assert document["error"]["type"].endswith("_error")
        case "openai-responses" if document.get("type") == "response.failed":
            return str(document["response"]["error"]["message"])
        case "openai-responses" if document.get("type") == "error" and "error" not in document:
            return str(document["message"])
        case "gemini" | "gemini-cli":
            document = document[0] if isinstance(document, list) else document
            assert document["error"]["status"] == document["error"]["status"].upper()
            assert isinstance(document["error"]["code"], int)
        case _:
            assert "type" in document["error"]
    return str(document["error"]["message"])
