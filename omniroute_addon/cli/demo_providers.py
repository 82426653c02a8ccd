"""Two providers on loopback for the demo: one whose quota is gone, one healthy that speaks another format."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

PAUSE = 0.05
"""Seconds between two pieces of the streamed answer, so that a reader sees it stream."""
RESET_AFTER = 3 * 3600


@dataclass
class Provider:
    """A provider server and what it was asked."""

    answer: type[BaseHTTPRequestHandler]
    asked: list[dict[str, Any]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        handler = type("Handler", (self.answer,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: ClassVar[Provider]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """The demo tells its own story."""

    def _read(self) -> dict[str, Any]:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.provider.asked.append({"path": self.path, "body": body})
        return body


class OutOfQuota(_Handler):
    """An Anthropic-format provider whose five-hour window is used up."""

    def do_POST(self) -> None:
        self._read()
        body = json.dumps(
            {"type": "error", "error": {"type": "rate_limit_error", "message": "You have used up your 5-hour quota"}}
        ).encode()
        self.send_response(429)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("retry-after", str(RESET_AFTER))
        self.send_header("anthropic-ratelimit-unified-status", "rejected")
        self.send_header("anthropic-ratelimit-unified-5h-status", "rejected")
        self.end_headers()
        self.wfile.write(body)


class Healthy(_Handler):
    """A chat-format provider: a tool call first, then an answer made of the tool's result."""

    def do_POST(self) -> None:
        body = self._read()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        result = next((m["content"] for m in reversed(body["messages"]) if m["role"] == "tool"), None)
        deltas = _tool_call() if result is None else _answer(str(result))
        for number, choice in enumerate(deltas):
            chunk = {"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
            usage = {"prompt_tokens": 412, "completion_tokens": number + 1, "total_tokens": 413 + number}
            self._send({**chunk, "choices": [choice], "usage": usage if choice["finish_reason"] else None})
            time.sleep(PAUSE)
        self._write(b"data: [DONE]\n\n")
        self._write(b"")

    def _send(self, chunk: dict[str, Any]) -> None:
        self._write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def _tool_call() -> Iterator[dict[str, Any]]:
    yield _choice({"role": "assistant", "content": "Let me look."})
    call = {"index": 0, "id": "call_demo_1", "type": "function", "function": {"name": "read_file", "arguments": ""}}
    yield _choice({"tool_calls": [call]})
    for piece in ('{"path"', ': "README', '.md"}'):
        yield _choice({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield _choice({}, "tool_calls")


def _answer(result: str) -> Iterator[dict[str, Any]]:
    for word in f"The file says: {result}".split(" "):
        yield _choice({"content": word + " "})
    yield _choice({}, "stop")


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def words(text: str, width: int) -> str:
    """The first ``width`` characters of a text, with an ellipsis where it was cut."""
    return text if len(text) <= width else "".join(itertools.islice(text, width - 1)) + "…"
