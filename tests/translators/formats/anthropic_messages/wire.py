"""What the tests of this format share: the captured cases and short ways to parse and render."""

import json
from pathlib import Path
from typing import Any

from translators import hub
from translators.format import Profile, WireRequest
from translators.formats.anthropic_messages import AnthropicMessages

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "anthropic-messages"


class Wire:
    """The format with JSON documents instead of bytes."""

    format = AnthropicMessages()

    def __init__(self) -> None:
        self.losses: list[hub.Loss] = []

    @property
    def reasons(self) -> str:
        return "\n".join(f"{loss.path}: {loss.reason}" for loss in self.losses)

    def parse(self, body: dict[str, Any], **headers: str) -> hub.Request:
        wire = WireRequest(headers=headers, body=json.dumps({"model": "m", "messages": [], **body}).encode())
        return self.format.parse_request(wire)

    def render(self, request: hub.Request, **profile: Any) -> dict[str, Any]:
        wire = self.format.render_request(request, Profile(**profile), self.losses)
        return json.loads(wire.body)

    def send(self, *messages: hub.Message, profile: Profile | None = None, **fields: Any) -> dict[str, Any]:
        request = hub.Request("m", messages or (user("hi"),), max_tokens=fields.pop("max_tokens", 5000), **fields)
        return json.loads(self.format.render_request(request, profile or Profile(), self.losses).body)

    def events(self, data: bytes) -> list[hub.Event]:
        parser = self.format.stream_parser()
        return parser.feed(data) + parser.close()

    def stream(self, *events: hub.Event) -> list[dict[str, Any]]:
        """The events as they go to the client, each as its JSON document."""
        renderer = self.format.stream_renderer(hub.Request("m", (user("hi"),)), self.losses)
        data = b"".join(map(renderer.render, events)) + renderer.close()
        documents: list[dict[str, Any]] = []
        for block in data.decode().strip().split("\n\n"):
            head, _, line = block.partition("\n")
            document = json.loads(line.removeprefix("data: "))
            assert head == f"event: {document['type']}"
            documents.append(document)
        return documents


def user(*parts: hub.Part | str) -> hub.Message:
    return hub.Message("user", tuple(hub.Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: hub.Part | str) -> hub.Message:
    return hub.Message("assistant", tuple(hub.Text(part) if isinstance(part, str) else part for part in parts))


def system(text: str) -> hub.Message:
    return hub.Message("system", (hub.Text(text),))


def sse(*documents: dict[str, Any]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (d["type"].encode(), json.dumps(d).encode()) for d in documents)
