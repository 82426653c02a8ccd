"""A question from a page as a flow of the gateway, so that it is asked, shown and recorded like any call."""

import time
from collections.abc import Mapping
from typing import Literal, get_args

import orjson
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.proxy.mode_specs import ProxyMode

from omniroute_addon.addons.gate import GATEWAY_HOST

type Form = Literal["openai-chat", "anthropic-messages", "openai-responses", "gemini"]

FORMS: tuple[str, ...] = get_args(Form.__value__)
MAX_TOKENS = 1024
"""Of an answer; enough to see whether somebody answers."""


def chat(form: Form, model: str, text: str, system: str = "") -> http.HTTPFlow:
    """One turn of somebody who speaks ``form``."""
    path, body = _request(form, model, text, system)
    return question(path, body, {"user-agent": "omniroute-page"})


def question(path: str, body: Mapping[str, object], headers: Mapping[str, str]) -> http.HTTPFlow:
    """A request to the gateway that nobody has sent yet."""
    request = http.Request.make("POST", f"http://{GATEWAY_HOST}{path}", orjson.dumps(body))
    request.headers["content-type"] = "application/json"
    for name, value in headers.items():
        request.headers[name] = value
    client = Client(
        peername=("127.0.0.1", 0),
        sockname=("127.0.0.1", 0),
        timestamp_start=time.time(),
        proxy_mode=ProxyMode.parse(f"reverse:http://{GATEWAY_HOST}@0"),
    )
    flow = http.HTTPFlow(client, Server(address=(GATEWAY_HOST, 80)))
    flow.request = request
    return flow


def _request(form: Form, model: str, text: str, system: str) -> tuple[str, dict[str, object]]:
    message = {"role": "user", "content": text}
    match form:
        case "openai-chat":
            before = [{"role": "system", "content": system}] if system else []
            return "/v1/chat/completions", {"model": model, "messages": [*before, message], "max_tokens": MAX_TOKENS}
        case "anthropic-messages":
            more = {"system": system} if system else {}
            return "/v1/messages", {"model": model, "max_tokens": MAX_TOKENS, "messages": [message], **more}
        case "openai-responses":
            more = {"instructions": system} if system else {}
            return "/v1/responses", {"model": model, "input": text, "max_output_tokens": MAX_TOKENS, **more}
        case "gemini":
            more = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
            return f"/v1beta/models/{model}:generateContent", {
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "generationConfig": {"maxOutputTokens": MAX_TOKENS},
                **more,
            }
