"""Providers that remember what they have issued and refuse a conversation that brings anything else of the kind."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.matrix.request_rules import broken_rules
from tests.matrix.request_types import problems
from tests.translators.session.rules import broken_course
from translators import FORMATS, Profile, WireRequest, hub

type Body = dict[str, Any]

SIGNED = {
    "anthropic-messages": ("signature", "data"),
    "openai-responses": ("encrypted_content",),
    "openai-chat": ("data", "signature"),
    "gemini": ("thoughtSignature",),
    "gemini-cli": ("thoughtSignature",),
    "antigravity": ("thoughtSignature",),
}
"""Where signatures stand on the wire."""
DIALECT = ("reasoning_content: Extra inputs are not permitted", "reasoning_details: Extra inputs are not permitted")
"""What OpenAI's own types do not know, and the vendors of these fields do."""
NOBODY_S = ("skip_thought_signature_validator", "")


@dataclass
class Provider:
    """``name`` is who signs."""

    name: str
    format: str
    profile: Profile = field(default_factory=Profile)
    official: bool = True
    """The maker of the format, whose rules a copy need not have."""
    issued: set[str] = field(default_factory=set[str])
    owed: set[str] = field(default_factory=set[str])
    """What of it has to come back: not what stands on tools that the server itself has run."""
    paired: dict[str, str] = field(default_factory=dict[str, str])
    """Item id → the sealed reasoning that came right before it."""
    told: list[str] = field(default_factory=list[str])
    """Readable reasoning that has to come back."""

    def refusals(self, wire: WireRequest, *, returned: bool) -> list[str]:
        """``returned``: all that was issued must have come back, not only nothing else."""
        body: Body = orjson.loads(wire.body)
        found = problems(self.format, body, wire.headers)
        if self.profile.reasoning_field != "none":
            found = [said for said in found if not said.endswith(DIALECT)]
        found += broken_rules(self.format, body)
        inner = body.get("request", body)
        found += broken_course(self.format, inner) if self.official else []
        values = [value for value in signatures(inner, SIGNED[self.format]) if value not in NOBODY_S]
        found += [f"signature {value[:40]!r} is not mine" for value in values if value not in self.issued]
        if returned:
            found += [f"my signature {value[:40]!r} did not come back" for value in sorted(self.owed - set(values))]
        said = wire.body.decode()
        found += [f"my reasoning {text!r} did not come back" for text in self.told if text not in said]
        if self.profile.reasoning_lost is not None:
            calls = [message for message in body["messages"] if message.get("tool_calls")]
            found += ["reasoning_content is missing" for message in calls if not message.get("reasoning_content")]
        if self.format == "openai-responses":
            found += self._separated(inner["input"])
        return found

    def issue(self, answer: Body) -> None:
        """Takes note of what an answer of this provider, a whole one, holds."""
        names = SIGNED[self.format]
        self.issued |= {value for value in signatures(answer, names) if value not in NOBODY_S}
        self.owed |= {value for value in signatures(_without_server_tools(answer), names) if value not in NOBODY_S}
        before: Body = {}
        for item in answer.get("output", ()):
            if before.get("type") == "reasoning" and before.get("encrypted_content") and item["type"] != "reasoning":
                self.paired[item["id"]] = before["encrypted_content"]
            before = item

    def _separated(self, items: list[Body]) -> Iterator[str]:
        before = ""
        for item in items:
            wanted = self.paired.get(item.get("id", ""))
            if wanted is not None and before != wanted:
                yield f"item {item['id']} came without its reasoning"
            before = item.get("encrypted_content", "")


class Maker(Provider):
    """Makes its answers up: by the number of the turn, with one, two or no calls, and always with reasoning."""

    def __init__(self, name: str, form: str, profile: Profile | None = None, *, signs: bool = True) -> None:
        super().__init__(name, form, profile or Profile())
        self._signs = signs

    def answer(self, number: int) -> bytes:
        parts = self._parts(number)
        kind: hub.StopReason = "tool_calls" if any(isinstance(part, hub.ToolCall) for part in parts) else "end"
        response = hub.Response(f"r-{number}", "a-model", parts, hub.Stop(kind), hub.Usage(10, 5))
        answer = FORMATS[self.format].render_response(response, hub.Request("a-model", ()), [])
        document: Body = orjson.loads(answer)
        self.issue(document.get("response", document))
        return answer

    def _parts(self, number: int) -> tuple[hub.AnswerPart, ...]:
        thought = f"{self.name} thinks about step {number}."
        text = hub.Text(f"Step {number} of {self.name} is clear to me.")
        calls = tuple(
            hub.ToolCall(f"call_{self.name}_{number:04}_{which:08}", "read_file", f'{{"path":"{number}-{which}"}}')
            for which in range(1 + number % 2)
        )
        said = (text,) if number % 3 else ()
        silent = number % 4 == 3
        if self.format in ("gemini", "gemini-cli", "antigravity"):
            signature = self._sign(f"{self.name} {number}")
            if silent:
                extra = {"gemini": {"thoughtSignature": signature.value}}
                return hub.Thinking(thought), hub.Text(text.text, extra=extra)
            first, *others = calls
            signed = hub.ToolCall(first.id, first.name, first.arguments, signature=signature)
            return hub.Thinking(thought), *said, signed, *others
        thinking = hub.Thinking(thought)
        if not self._signs:
            self.told.append(thought)
        elif self.format == "openai-chat":
            detail = {"type": "reasoning.encrypted", "data": f"{self.name}-{number}", "index": 0}
            thinking = hub.Thinking(thought, hub.Signature(orjson.dumps([detail]).decode(), self.format))
        elif number % 5 == 0 and self.format == "anthropic-messages":
            thinking = hub.Thinking(signature=self._sign(f"{self.name} {number}"), redacted=True)
        else:
            thinking = hub.Thinking(thought, self._sign(f"{self.name} {number}"))
        return (thinking, text) if silent else (thinking, *said, *calls)

    def _sign(self, what: str) -> hub.Signature:
        value = base64.b64encode(what.encode()).decode()
        return hub.Signature(value, self.format)


def _without_server_tools(answer: Body) -> Body:
    candidates: list[Body] = answer.get("candidates", [])
    for candidate in candidates:
        parts = [part for part in candidate["content"]["parts"] if "text" in part or "functionCall" in part]
        return {"candidates": [{"content": {"parts": parts}}]}
    return answer


def signatures(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    match value:
        case dict():
            if value.get("type") == "base64" or "inlineData" in value:
                return
            for name, member in value.items():
                if name in names and isinstance(member, str):
                    yield member
                else:
                    yield from signatures(member, names)
        case list():
            for item in value:
                yield from signatures(item, names)
        case _:
            pass
