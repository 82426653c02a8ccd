"""A chat-completions request → hub.

Tool messages that follow each other are one hub message, because all results of one turn belong together. The legacy
``functions`` interface becomes tools; calls get an id from their place, and the result that follows finds it by name.
"""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from translators.errors import FormatError
from translators.format import WireRequest
from translators.formats.openai_chat.content import parse_content
from translators.formats.openai_chat.reasoning import FIELDS, parse_thinking
from translators.formats.openai_chat.tool_calls import parse_tool_calls
from translators.formats.openai_chat.values import (
    NAME,
    STRICT,
    extra,
    flag,
    integer,
    invented_id,
    load_object,
    number,
    object_at,
    objects_at,
    rest,
    text,
)
from translators.hub import (
    JSON,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Request,
    ServerTool,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
)

LEGACY = "functions"
"""Marks in ``Request.extra`` that the client speaks the legacy function interface and wants its answer so."""

type Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: dict[str, Effort] = {effort: effort for effort in get_args(Effort.__value__)}

_FIELDS = frozenset({
    "model", "messages", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls", "max_tokens",
    "max_completion_tokens", "temperature", "top_p", "stop", "seed", "n", "presence_penalty", "frequency_penalty",
    "logprobs", "top_logprobs", "reasoning_effort", "reasoning", "thinking", "enable_thinking",
    "thinking_budget", "response_format", "verbosity", "user",
    "prompt_cache_key", "service_tier", "stream", "stream_options", "web_search_options",
})  # fmt: skip
_REASONING = ("reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget")
_MESSAGE_FIELDS = frozenset({"role", "content", "tool_calls", "function_call", "refusal"}) | FIELDS
_RESULT_FIELDS = frozenset({"role", "content", "tool_call_id"})  # a name goes back only to whom it came from
_SERVER_KINDS = {
    "openrouter:web_search": "web_search",
    "browser_search": "web_search",
    "web_search_preview": "web_search",
    "code_interpreter": "code_execution",
    "openrouter:web_fetch": "web_fetch",
}
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/chat/completions")


def parse_request(wire: WireRequest) -> Request:
    body = load_object(wire.body, "request body")
    model = text(body, "model") or model_in_path(wire.path)
    if not model:
        raise FormatError("model: a model name is missing")
    stream = body.get("stream") is True
    options = object_at(body, "stream_options")
    more = rest(body, _FIELDS)
    if options_left := rest(options, frozenset({"include_usage"})):
        more["stream_options"] = options_left
    if body.get("functions"):
        more[LEGACY] = True
    limit = integer(body, "max_completion_tokens")
    output = _parse_output(object_at(body, "response_format"), more)
    return Request(
        model=model,
        messages=_parse_messages(body.get("messages")),
        tools=_parse_tools(body),
        tool_choice=_parse_choice(body, more),
        parallel_tools=flag(body, "parallel_tool_calls"),
        max_tokens=integer(body, "max_tokens") if limit is None else limit,
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        top_k=integer(body, "top_k"),
        stop=_parse_stop(body.get("stop")),
        seed=integer(body, "seed"),
        n=integer(body, "n"),
        presence_penalty=number(body, "presence_penalty"),
        frequency_penalty=number(body, "frequency_penalty"),
        logprobs=flag(body, "logprobs"),
        top_logprobs=integer(body, "top_logprobs"),
        reasoning=_parse_reasoning(body),
        output=output,
        verbosity=text(body, "verbosity") or None,
        user=text(body, "user") or text(body, "safety_identifier") or None,
        cache_key=text(body, "prompt_cache_key") or None,
        service_tier=text(body, "service_tier") or None,
        stream=stream,
        stream_usage=options.get("include_usage") is True or not stream,
        extra=extra(more),
    )


def model_in_path(path: str) -> str | None:
    """Azure names the model there."""
    deployment = _DEPLOYMENT.search(path)
    return deployment.group(1) if deployment else None


def _parse_stop(value: JSON) -> tuple[str, ...]:
    match value:
        case str():
            return (value,)
        case list():
            return tuple(item for item in value if isinstance(item, str))
        case _:
            return ()


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse_messages(value: JSON) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise FormatError("messages: must be a list")
    messages: list[Message] = []
    results: list[ToolResult] = []
    legacy_ids: dict[str, str] = {}
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise FormatError(f"messages[{place}]: must be an object, not {item!r:.80}")
        role = text(item, "role")
        if role in ("tool", "function"):
            results.append(_parse_result(item, role, legacy_ids))
            continue
        if results:
            messages.append(Message("user", tuple(results)))
            results = []
        messages.append(_parse_message(item, role, place, legacy_ids))
    if results:
        messages.append(Message("user", tuple(results)))
    return tuple(messages)


def _parse_message(item: Mapping[str, JSON], role: str, place: int, legacy_ids: dict[str, str]) -> Message:
    kept = extra(rest(item, _MESSAGE_FIELDS))
    match role:
        case "system" | "developer" | "user":
            return Message(role, parse_content(item.get("content")), kept)
        case "assistant" | "model":  # Google's word for it
            parts: list[Part] = []
            if (thinking := parse_thinking(item)) is not None:
                parts.append(thinking)
            parts += parse_content(item.get("content"))
            if refusal := text(item, "refusal"):
                parts += parse_content([{"type": "refusal", "refusal": refusal}])
            calls = parse_tool_calls(item, f"messages[{place}]")
            if not item.get("tool_calls") and calls:
                legacy_ids[calls[0].name] = calls[0].id
            return Message("assistant", (*parts, *calls), kept)
        case _:
            raise FormatError(f"messages[{place}].role: {role!r} is no role of chat completions")


def _parse_result(item: Mapping[str, JSON], role: str, legacy_ids: Mapping[str, str]) -> ToolResult:
    name = text(item, "name") or None
    call_id = text(item, "tool_call_id")
    if role == "function" and name is not None:
        call_id = legacy_ids.get(name) or invented_id(name)
    parts: list[Text | Media | Opaque] = []
    for part in parse_content(item.get("content")):
        match part:
            case Text() | Media() | Opaque():
                parts.append(part)
            case _:
                parts.append(Text(part.text))
    return ToolResult(call_id, tuple(parts), name=name, extra=extra(rest(item, _RESULT_FIELDS)))


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse_tools(body: Mapping[str, JSON]) -> tuple[Tool | ServerTool, ...]:
    tools = [_parse_tool(item) for item in objects_at(body, "tools")]
    tools += [_parse_function(function, {}) for function in objects_at(body, "functions")]
    if isinstance(options := body.get("web_search_options"), dict):
        tools.append(ServerTool(NAME, "web_search", {"web_search_options": options}))
    return tuple(tools)


def _parse_tool(item: dict[str, JSON]) -> Tool | ServerTool:
    kind = text(item, "type")
    if (function := object_at(item, "function")) and kind in ("function", ""):
        return _parse_function(function, rest(item, frozenset({"type", "function"})))
    if kind in ("function", "") and text(item, "name"):  # the flat form of the Responses format
        return _parse_function(item, {})
    if kind == "custom" and (custom := object_at(item, "custom") or rest(item, frozenset({"type"}))):
        return Tool(
            text(custom, "name"),
            text(custom, "description") or None,
            custom=True,
            grammar=_parse_grammar(object_at(custom, "format")),
        )
    return ServerTool(NAME, _SERVER_KINDS.get(kind, kind or "unknown"), item)


def _parse_grammar(form: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
    """Chat nests what the hub and Responses keep flat."""
    if not form:
        return None
    return {**rest(form, frozenset({"grammar"})), **object_at(form, "grammar")}


def _parse_function(function: Mapping[str, JSON], beside: dict[str, JSON]) -> Tool:
    schema = function.get("parameters")
    known = frozenset({"type", "name", "description", "parameters", "strict"})
    kept = beside | ({"function": inner} if (inner := rest(function, known)) else {})
    if function.get("strict") is True:
        kept |= {STRICT: True}
    return Tool(
        name=text(function, "name"),
        description=text(function, "description") or None,
        schema=schema if isinstance(schema, dict) else None,
        strict=flag(function, "strict"),
        extra=extra(kept),
    )


def _parse_choice(body: Mapping[str, JSON], more: dict[str, JSON]) -> ToolChoice | None:
    value = body.get("tool_choice")
    if value is None:
        legacy = body.get("function_call")
        if isinstance(legacy, dict):
            return ToolChoice("tool", text(legacy, "name"))
        value = legacy
    choice: ToolChoice | None = None
    match value:
        case None:
            pass
        case "auto" | "none" | "required":
            choice = ToolChoice(value)
        case "any":  # Mistral
            choice = ToolChoice("required")
        case dict() if text(value, "type") == "allowed_tools":
            allowed = object_at(value, "allowed_tools") or value
            names = tuple(_chosen(tool) for tool in objects_at(allowed, "tools"))
            choice = ToolChoice("required" if text(allowed, "mode") == "required" else "auto", allowed=names)
        case dict() if name := _chosen(value):
            choice = ToolChoice("tool", name)
        case _:
            more["tool_choice"] = value
    return choice


def _chosen(value: Mapping[str, JSON]) -> str:
    return text(object_at(value, "function") or object_at(value, "custom") or value, "name")


# ── what is asked of the answer ─────────────────────────────────────────────────────────────────────────────────────


def _parse_output(form: dict[str, JSON], more: dict[str, JSON]) -> OutputFormat | None:
    kind = text(form, "type")
    match kind:
        case "json_object":
            return OutputFormat()
        case "json_schema":
            body = object_at(form, "json_schema")
            return OutputFormat(
                schema=object_at(body, "schema") or {},
                name=text(body, "name") or None,
                description=text(body, "description") or None,
                strict=flag(body, "strict"),
            )
        case "" | "text":
            return None
        case _:
            more["response_format"] = form
            return None


def _parse_reasoning(body: Mapping[str, JSON]) -> Reasoning | None:
    """OpenAI's effort, OpenRouter's ``reasoning``, the ``thinking`` switch of GLM, DeepSeek and Kimi, and Qwen's."""
    said: dict[str, JSON] = {name: value for name in _REASONING if (value := body.get(name)) is not None}
    if not said:
        return None
    router, switch, on = object_at(body, "reasoning"), object_at(body, "thinking"), flag(body, "enable_thinking")
    effort = EFFORTS.get(text(body, "reasoning_effort") or text(router, "effort"))
    budgets = (integer(router, "max_tokens"), integer(switch, "budget_tokens"), integer(body, "thinking_budget"))
    budget = next((tokens for tokens in budgets if tokens is not None), None)
    off = text(switch, "type") == "disabled" or router.get("enabled") is False or on is False
    if effort is None and off:
        effort = "none"
    asks = text(switch, "type") in ("adaptive", "enabled") or router.get("enabled") is True or on is True
    hidden = flag(router, "exclude")
    plain = set(said) == {"reasoning_effort"} and effort is not None and effort != "max"
    return Reasoning(
        effort=effort,
        budget=budget,
        adaptive=asks and budget is None and effort is None,
        visible=None if hidden is None else not hidden,
        extra={} if plain else extra(said),
    )
