"""Hub request → chat completions, within what the provider's profile tolerates.

Chat wants every tool message directly after the assistant message that called: results of a user message go first, then
the rest of it. Tool messages carry text alone, so media of results follow in a user message after the last result.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, assert_never

from translators.format import Profile, WireRequest
from translators.formats.openai_chat.content import render_media
from translators.formats.openai_chat.foreign import foreign_losses
from translators.formats.openai_chat.reasoning import joined_text, upstream_details
from translators.formats.openai_chat.request_parse import LEGACY
from translators.formats.openai_chat.request_tools import render_tools
from translators.formats.openai_chat.tool_calls import render_call
from translators.formats.openai_chat.values import CHOICE, MESSAGE, NAME, dump, own
from translators.hub import (
    JSON,
    Extra,
    Loss,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
)

PATH = "/v1/chat/completions"

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "on_demand", "performance"})
_LONGEST_USER = 64  # OpenAI refuses longer ones; Claude Code's are, and hold the account besides
_BUDGETS: tuple[tuple[int, str], ...] = ((0, "none"), (4096, "low"), (16384, "medium"))
_OURS = frozenset({LEGACY, CHOICE, MESSAGE, "stream_options"})


def render_request(request: Request, profile: Profile, losses: list[Loss]) -> WireRequest:
    body: dict[str, JSON] = {"model": request.model, "messages": _Messages(profile, losses).render(request.messages)}
    body |= render_tools(request, profile, losses)
    body |= _render_limits(request, profile, losses)
    body |= _render_reasoning(request.reasoning, profile, losses)
    body |= _render_output(request.output)
    body |= _render_identity(request, losses)
    losses += foreign_losses(request)
    more = own(request.extra)
    body |= {name: value for name, value in more.items() if name not in _OURS}
    if request.top_k is not None and "top_k" not in more:
        losses.append(Loss("top_k", "Chat completions have no top_k."))
    for name in sorted(profile.omit & body.keys()):
        del body[name]
        losses.append(Loss(name, "The provider refuses this field."))
    body |= _render_stream(request, profile)
    return WireRequest("POST", PATH, "", {"content-type": "application/json"}, dump(body))


def _render_stream(request: Request, profile: Profile) -> dict[str, JSON]:
    if profile.stream == "never" or (profile.stream == "as-asked" and not request.stream):
        return {}
    kept = own(request.extra).get("stream_options")
    options: dict[str, JSON] = dict(kept) if isinstance(kept, dict) else {}
    if profile.stream_usage:
        options["include_usage"] = True
        return {"stream": True, "stream_options": options}
    return {"stream": True}


def _render_limits(request: Request, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    limit = request.max_tokens
    if limit is not None and profile.max_output is not None and limit > profile.max_output:
        limit = profile.max_output
        losses.append(Loss("max_tokens", f"The model writes at most {limit} tokens."))
    n = request.n
    if n is not None and n > 1:
        n = None
        losses.append(Loss("n", "Only one answer per call is translated."))
    values: dict[str, JSON] = {
        profile.max_tokens_field: limit,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "n": n,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "verbosity": request.verbosity,
    }
    return {name: value for name, value in values.items() if value is not None}


def _render_identity(request: Request, losses: list[Loss]) -> dict[str, JSON]:
    body: dict[str, JSON] = {}
    more = own(request.extra)
    if request.user is not None and request.user != more.get("safety_identifier"):
        if len(request.user) <= _LONGEST_USER:
            body["user"] = request.user
        else:
            losses.append(Loss("user", f"A user's name may have {_LONGEST_USER} characters."))
    if request.cache_key is not None:
        body["prompt_cache_key"] = request.cache_key
    if request.service_tier in _TIERS:
        body["service_tier"] = request.service_tier
    elif request.service_tier is not None:
        losses.append(Loss("service_tier", f"Chat completions know no service tier {request.service_tier!r}."))
    return body


def _render_reasoning(reasoning: Reasoning | None, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    if reasoning is None:
        return {}
    effort: str | None = reasoning.effort
    budget = reasoning.budget
    if effort is None and budget is not None and budget >= 0:
        effort = next((word for most, word in _BUDGETS if budget <= most), "high")
    if profile.reasoning_style == "none":
        if effort != "none":
            losses.append(Loss("reasoning", "The provider has no switch for reasoning."))
        return {}
    if said := own(reasoning.extra):
        return dict(said)
    if profile.reasoning_style == "effort":
        return _render_effort(reasoning, effort, losses)
    if effort is None and budget is None and not reasoning.adaptive:
        return {}
    if budget is not None or effort not in (None, "none"):
        losses.append(Loss("reasoning", "The provider only turns reasoning on or off."))
    return {"thinking": {"type": "disabled" if effort == "none" else "enabled"}}


def _render_effort(reasoning: Reasoning, effort: str | None, losses: list[Loss]) -> dict[str, JSON]:
    if effort == "max":
        effort = "xhigh"
        losses.append(Loss("reasoning.effort", "The highest effort of chat completions is xhigh."))
    elif reasoning.effort is None and reasoning.budget:
        losses.append(Loss("reasoning.budget", f"Chat completions take no token budget; effort is {effort}."))
    return {} if effort is None else {"reasoning_effort": effort}


def _render_output(output: OutputFormat | None) -> dict[str, JSON]:
    if output is None:
        return {}
    if output.schema is None:
        return {"response_format": {"type": "json_object"}}
    schema: dict[str, JSON] = {"name": output.name or "response", "schema": dict(output.schema)}
    if output.description is not None:
        schema["description"] = output.description
    if output.strict is not None:
        schema["strict"] = output.strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Messages:
    """Renders one request's messages; holds where it is and what was dropped."""

    def __init__(self, profile: Profile, losses: list[Loss]) -> None:
        self._profile = profile
        self._losses = losses
        self._out: list[JSON] = []
        self._opening: list[Part] = []
        """System text for a model without system role; it waits for the first user turn."""

    def render(self, messages: Sequence[Message]) -> list[JSON]:
        leading = True
        for place, message in enumerate(messages):
            path = f"messages[{place}]"
            if message.role in ("system", "developer"):
                self._system(message, path, leading=leading)
                continue
            leading = False
            if message.role == "user":
                self._user(message, path)
            else:
                self._flush_opening()
                self._assistant(message, path)
        self._flush_opening()
        return self._out

    def _add(self, role: str, content: JSON, extras: Extra, more: dict[str, JSON] | None = None) -> None:
        self._out.append({"role": role, "content": content, **own(extras), **(more or {})})

    def _system(self, message: Message, path: str, *, leading: bool) -> None:
        match self._profile.system_position:
            case "none" if leading:
                self._opening += message.parts
                return
            case "leading" | "none" if not leading:
                self._add("user", self._content(message.parts, path, "user"), message.extra)
                return
            case _:
                role = message.role if self._profile.developer_role else "system"
                self._add(role, self._content(message.parts, path, role), message.extra)

    def _flush_opening(self) -> None:
        if self._opening:
            self._add("user", self._content(self._opening, "messages[0]", "user"), {})
            self._opening = []

    def _user(self, message: Message, path: str) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        shown: list[Part] = []
        for place, result in enumerate(results):
            shown += self._result(result, f"{path}.parts[{place}]")
        if shown or others or not results:
            parts = [*self._opening, *shown, *others]
            self._opening = []
            self._add("user", self._content(parts, path, "user"), message.extra)

    def _result(self, result: ToolResult, path: str) -> list[Part]:
        """Renders the tool message; returns the media that must follow in a user message."""
        said: list[Part] = []
        shown: list[Part] = []
        for part in result.parts:
            match part:
                case Text():
                    said.append(part)
                case Media():
                    shown.append(part)
                case ToolReference():
                    said.append(Text(f"Tool found: {part.name}"))
                case Opaque():
                    if part.format == NAME:
                        said.append(part)
                    else:
                        self._losses.append(Loss(path, "A part that only its own vendor can read."))
                case _:
                    assert_never(part)
        if shown:
            self._losses.append(Loss(path, "Tool messages carry text alone; its media follow in a user message."))
        if result.error:
            self._losses.append(Loss(path, "Tool messages have no error flag; the text must say it."))
        self._add("tool", self._content(said, path, "tool"), result.extra, {"tool_call_id": result.call_id})
        return shown

    def _assistant(self, message: Message, path: str) -> None:
        thoughts = [part for part in message.parts if isinstance(part, Thinking) and not _is_inline(part)]
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        said = [part for part in message.parts if part not in thoughts and not isinstance(part, ToolCall)]
        if _speaks_after_call(message.parts):
            self._losses.append(Loss(path, "Text after a tool call stands before it."))
        more = self._past_reasoning(thoughts, path)
        if calls:
            more["tool_calls"] = [render_call(call, client=False) for call in calls]
        content = self._content(said, path, "assistant")
        self._add("assistant", None if calls and content == "" else content, message.extra, more)

    def _past_reasoning(self, thoughts: Sequence[Thinking], path: str) -> dict[str, JSON]:
        more: dict[str, JSON] = {}
        if not thoughts:
            return more
        field = self._profile.reasoning_field
        if field == "none":
            self._losses.append(Loss(path, "The provider takes no past reasoning."))
            return more
        if said := joined_text(thoughts):
            more[field] = said
        if details := upstream_details(thoughts):
            more["reasoning_details"] = details
        if any(part.signature is not None and part.signature.origin != NAME for part in thoughts):
            self._losses.append(Loss(path, "The signature of this reasoning is another vendor's."))
        return more

    def _content(
        self, parts: Iterable[Part], path: str, role: Literal["system", "developer", "user", "assistant", "tool"]
    ) -> JSON:
        """One string where that says it all, as every dialect takes it; else a list of parts."""
        rendered: list[dict[str, JSON]] = []
        for place, part in enumerate(parts):
            item = self._part(part, f"{path}.parts[{place}]")
            if item is not None:
                rendered.append(item)
        plain = [item["text"] for item in rendered if item.keys() == {"type", "text"} and item["type"] == "text"]
        texts = [value for value in plain if isinstance(value, str)]
        if len(texts) < len(rendered):
            return [*rendered]
        if len(texts) > 1 and self._profile.text_parts:
            return [*rendered]
        return ("" if role == "assistant" else "\n\n").join(texts)

    def _part(self, part: Part, path: str) -> dict[str, JSON] | None:
        item: dict[str, JSON] | None = None
        match part:
            case Text(text=said):
                item = {"type": "text", "text": said} if said else None
                if item and self._profile.text_parts:
                    item |= dict(own(part.extra))
            case Thinking() if _is_inline(part):
                item = {"type": "thinking", "thinking": [{"type": "text", "text": part.text}]}
            case Refusal():
                item = {"type": "refusal", "refusal": part.text}
            case Media():
                item = render_media(part, self._profile, path, self._losses)
            case Opaque(format=origin, raw=dict() as raw) if origin == NAME:
                item = dict(raw)
            case Opaque():
                self._losses.append(Loss(path, "A part that only its own vendor can read."))
            case Thinking() | ToolCall() | ToolResult():
                self._losses.append(Loss(path, f"{type(part).__name__} has no place in this message."))
            case _:
                assert_never(part)
        return item


def _is_inline(part: Thinking) -> bool:
    """Mistral's reasoning stands among the parts of the content."""
    return own(part.extra).get("type") == "thinking"


def _speaks_after_call(parts: Sequence[Part]) -> bool:
    called = False
    for part in parts:
        if isinstance(part, ToolCall):
            called = True
        elif called and isinstance(part, Text | Refusal | Media):
            return True
    return False
