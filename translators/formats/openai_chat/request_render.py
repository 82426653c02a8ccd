"""Hub request → chat completions, within what the provider's profile tolerates.

Chat wants every tool message directly after the assistant message that called: results of a user message go first, then
the rest of it. Tool messages carry text alone, so media of results follow in a user message after the last result.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, assert_never

from translators.cache_key import session_key
from translators.dropped import word_of
from translators.format import Profile, WireRequest
from translators.formats.openai_chat.content import render_media
from translators.formats.openai_chat.foreign import foreign_losses
from translators.formats.openai_chat.reasoning import joined_text, upstream_details
from translators.formats.openai_chat.request_output import render_output
from translators.formats.openai_chat.request_parse import LEGACY
from translators.formats.openai_chat.request_reasoning import render_reasoning
from translators.formats.openai_chat.request_tools import render_tools
from translators.formats.openai_chat.tool_calls import render_call
from translators.formats.openai_chat.values import CHOICE, MESSAGE, NAME, dump, objects_at, own
from translators.hub import (
    JSON,
    Extra,
    Loss,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
)
from translators.kin import cache_control, inherited

PATH = "/v1/chat/completions"

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "on_demand", "performance"})
_LONGEST_USER = 64  # OpenAI refuses longer ones; Claude Code's are, and hold the account besides
_TAKES_TURNS = frozenset({"user", "assistant"})
_OURS = frozenset({LEGACY, CHOICE, MESSAGE, "stream_options"})


def render_request(request: Request, profile: Profile, losses: list[Loss]) -> WireRequest:
    output = render_output(request.output, profile, losses)
    messages = _Messages(profile, losses).render(request.messages, output.instructions)
    body: dict[str, JSON] = {"model": request.model, "messages": messages}
    body |= render_tools(request, profile, losses)
    body |= _render_limits(request, profile, losses)
    forced = body.get("tool_choice") not in (None, "auto", "none")
    body |= render_reasoning(request.reasoning, profile, losses, forced=forced)
    body |= output.fields
    body |= _render_identity(request, profile, losses)
    losses += foreign_losses(request, profile)
    more = own(request.extra)
    kin = inherited(request.extra, NAME)
    body |= {name: value for name, value in kin.items() if name != "store" or value is True}
    body |= {name: value for name, value in more.items() if name not in _OURS}
    if request.top_k is not None and not profile.top_k and "top_k" not in more:
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
    stops: list[JSON] = [*request.stop]
    if profile.max_stops is not None and len(stops) > profile.max_stops:
        losses.append(Loss("stop", f"The provider takes at most {profile.max_stops} stop sequences."))
        del stops[profile.max_stops :]
    values: dict[str, JSON] = {
        profile.max_tokens_field: limit,
        "temperature": _temperature(request.temperature, profile, losses),
        "top_p": request.top_p,
        "top_k": request.top_k if profile.top_k else None,
        "stop": stops or None,
        profile.seed_field: request.seed,
        "n": n,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "verbosity": request.verbosity,
    }
    return {name: value for name, value in values.items() if value is not None}


def _temperature(asked: float | None, profile: Profile, losses: list[Loss]) -> float | None:
    if asked is None or profile.max_temperature is None or asked <= profile.max_temperature:
        return asked
    losses.append(Loss("temperature", f"The provider's temperature ends at {profile.max_temperature}."))
    return profile.max_temperature


def _render_identity(request: Request, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    body: dict[str, JSON] = {}
    more = own(request.extra)
    if request.user is not None and request.user != more.get("safety_identifier"):
        if len(request.user) <= _LONGEST_USER:
            body["user"] = request.user
        else:
            losses.append(Loss("user", f"A user's name may have {_LONGEST_USER} characters."))
    if (key := request.cache_key or (session_key(request) if profile.cache_key else None)) is not None:
        body["prompt_cache_key"] = key
    if request.service_tier in _TIERS:
        body["service_tier"] = request.service_tier
    elif request.service_tier is not None:
        losses.append(Loss("service_tier", f"Chat completions know no service tier {request.service_tier!r}."))
    return body


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Messages:
    """Renders one request's messages; holds where it is and what was dropped."""

    def __init__(self, profile: Profile, losses: list[Loss]) -> None:
        self._profile = profile
        self._losses = losses
        self._out: list[JSON] = []
        self._opening: list[Part] = []
        """System text for a model without system role; it waits for the first user turn."""

    def render(self, messages: Sequence[Message], opening: Sequence[Message]) -> list[JSON]:
        """``opening`` is system text of our own, before everything."""
        for message in opening:
            self._system(message, "output", leading=True)
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
        message: dict[str, JSON] = {"role": role, "content": content, **own(extras), **(more or {})}
        if not self._profile.names and message.pop("name", None) is not None:
            self._losses.append(Loss("messages.name", "The provider takes no name of who speaks."))
        before = self._out[-1] if self._out else None
        if self._profile.alternate and isinstance(before, dict) and role in _TAKES_TURNS and before["role"] == role:
            self._out[-1] = _joined(before, message)
        else:
            self._out.append(message)

    def _system(self, message: Message, path: str, *, leading: bool) -> None:
        match self._profile.system_position:
            case "none" if leading:
                self._opening += message.parts
                return
            case "leading" | "none" if not leading:
                role = "user"
            case _:
                role = message.role if self._profile.developer_role else "system"
        content = self._content(message.parts, path, role)
        if content or not message.parts:
            self._add(role, content, message.extra)

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
            content = self._content(parts, path, "user")
            if parts and not content:
                return  # each of them is a loss already
            if results and not self._profile.user_after_tool:
                self._say_in_result(content, path)
            else:
                self._add("user", content, message.extra)

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
                        self._losses.append(Loss(path, f"Only {part.format} understands {word_of(part)!r}."))
                case _:
                    assert_never(part)
        if shown:
            self._losses.append(Loss(path, "Tool messages carry text alone; its media follow in a user message."))
        if result.error:
            self._losses.append(Loss(path, "Tool messages have no error flag; the text must say it."))
        content = self._content(said, path, "tool")
        if self._profile.cache_control and (mark := cache_control(result.extra)) and (parts := _as_parts(content)):
            marked: JSON = {**_object(parts[-1]), "cache_control": mark}
            content = [*parts[:-1], marked]
        self._add("tool", content, result.extra, {"tool_call_id": result.call_id})
        return shown

    def _say_in_result(self, content: JSON, path: str) -> None:
        self._losses.append(Loss(path, "No user message may follow a result; its content stands in the result."))
        last = _object(self._out[-1])
        self._out[-1] = {**last, "content": _joined(last, {"content": content})["content"]}

    def _assistant(self, message: Message, path: str) -> None:
        thoughts = [part for part in message.parts if isinstance(part, Thinking) and not _is_inline(part)]
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        said = [part for part in message.parts if part not in thoughts and not isinstance(part, ToolCall)]
        if _speaks_after_call(message.parts):
            self._losses.append(Loss(path, "Text after a tool call stands before it."))
        more = self._past_reasoning(thoughts, path)
        if calls and not more and (lost := self._profile.reasoning_lost) is not None:
            self._losses.append(Loss(path, "Invented because required: reasoning before a tool call that nobody kept."))
            more["reasoning_content"] = lost
        if calls:
            more["tool_calls"] = [render_call(call, client=False) for call in calls]
        content = self._content(said, path, "assistant")
        empty: JSON = None if self._profile.null_content else ""
        self._add("assistant", empty if calls and content == "" else content, message.extra, more)

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
        return _joint(role).join(texts)

    def _text(self, part: Text, path: str) -> dict[str, JSON] | None:
        if part.citations:
            self._losses.append(Loss(f"{path}.citations", "a message cannot say what its text cites"))
        if not part.text:
            return None
        item: dict[str, JSON] = {"type": "text", "text": part.text}
        if self._profile.text_parts:
            item |= dict(own(part.extra))
        if self._profile.cache_control and (mark := cache_control(part.extra)):
            item["cache_control"] = mark
        return item

    def _part(self, part: Part, path: str) -> dict[str, JSON] | None:
        item: dict[str, JSON] | None = None
        match part:
            case Text():
                item = self._text(part, path)
            case Thinking() if _is_inline(part):
                item = {"type": "thinking", "thinking": [{"type": "text", "text": part.text}]}
            case Refusal():
                item = {"type": "refusal", "refusal": part.text}
            case Media():
                item = render_media(part, self._profile, path, self._losses)
            case Opaque(format=origin, raw=dict() as raw) if origin == NAME:
                item = dict(raw)
            case Opaque():
                self._losses.append(Loss(path, f"Only {part.format} understands {word_of(part)!r}."))
            case Thinking() | ToolCall() | ToolResult():
                self._losses.append(Loss(path, f"{type(part).__name__} has no place in this message."))
            case _:
                assert_never(part)
        return item


def _joint(role: str) -> str:
    """What stands between texts that become one; pieces of an answer were one text before."""
    return "" if role == "assistant" else "\n\n"


def _joined(first: dict[str, JSON], second: dict[str, JSON]) -> dict[str, JSON]:
    """Two messages of one role as one."""
    one, two = first["content"], second["content"]
    content: JSON
    if isinstance(one, list) or isinstance(two, list):
        content = [*_as_parts(one), *_as_parts(two)]
    else:
        content = "\n\n".join(said for said in (one, two) if isinstance(said, str) and said) or one or two
    joined: dict[str, JSON] = {**first, **second, "content": content}
    if calls := [*objects_at(first, "tool_calls"), *objects_at(second, "tool_calls")]:
        joined["tool_calls"] = [*calls]
    return joined


def _object(part: JSON) -> dict[str, JSON]:
    return part if isinstance(part, dict) else {}


def _as_parts(content: JSON) -> list[JSON]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if isinstance(content, str) and content else []


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
