"""Requests: the Messages API body ↔ :class:`hub.Request`.

Members that only Anthropic knows (``context_management``, ``container``, ``mcp_servers``, ``diagnostics`` …) and the
``anthropic-beta`` header travel in the request's extras and go back as they came.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, WireRequest
from translators.formats.anthropic_messages.blocks import parse_content
from translators.formats.anthropic_messages.reasoning import (
    has_budget,
    is_thinking,
    lacks_thinking,
    parse_reasoning,
    render_reasoning,
)
from translators.formats.anthropic_messages.schema import closed_schema
from translators.formats.anthropic_messages.tools import (
    parse_tool_choice,
    parse_tools,
    render_tool_choice,
    render_tools,
)
from translators.formats.anthropic_messages.turns import arrange
from translators.formats.anthropic_messages.values import (
    NAME,
    Object,
    Report,
    as_array,
    as_integer,
    as_number,
    as_object,
    as_string,
    dumps,
    loads,
    own,
    rest,
    shown,
    text_or_none,
)
from translators.hub import JSON
from translators.words import output_in_words

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 64_000
"""Sent when neither the client nor the profile says how much, because Anthropic requires a number."""

_MAX_USER = 256
_SERVICE_TIERS = {"auto": "auto", "standard_only": "standard_only", "default": "standard_only"}
_KNOWN = (
    "model",
    "messages",
    "system",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "betas",
)


# ── parse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_request(wire: WireRequest) -> hub.Request:
    body = as_object(loads(wire.body, "the request"), "the request")
    messages = [_parse_message(value, f"messages[{index}]") for index, value in enumerate(_messages(body))]
    system = parse_content(body.get("system") or [], "system")
    if system:
        messages.insert(0, hub.Message("system", system))
    config = as_object(body.get("output_config") or {}, "output_config")
    metadata = as_object(body.get("metadata") or {}, "metadata")
    choice, parallel = parse_tool_choice(body.get("tool_choice"))
    return hub.Request(
        model=as_string(body.get("model"), "model"),
        messages=tuple(messages),
        tools=parse_tools(body.get("tools")),
        tool_choice=choice,
        parallel_tools=parallel,
        max_tokens=as_integer(body.get("max_tokens"), "max_tokens"),
        temperature=as_number(body.get("temperature"), "temperature"),
        top_p=as_number(body.get("top_p"), "top_p"),
        top_k=as_integer(body.get("top_k"), "top_k"),
        stop=tuple(
            as_string(sequence, "stop_sequences")
            for sequence in as_array(body.get("stop_sequences") or [], "stop_sequences")
        ),
        reasoning=parse_reasoning(body),
        output=_parse_output(config.get("format") or body.get("output_format")),
        user=text_or_none(metadata.get("user_id")),
        service_tier=text_or_none(body.get("service_tier")),
        stream=body.get("stream") is True,
        extra=_parse_extra(body, config, metadata, wire.headers),
    )


def _messages(body: Object) -> list[JSON]:
    return as_array(body.get("messages"), "messages")


def _parse_message(value: JSON, path: str) -> hub.Message:
    raw = as_object(value, path)
    role: Literal["system", "user", "assistant"]
    match raw.get("role"):
        case "user":
            role = "user"
        case "assistant":
            role = "assistant"
        case "system":
            role = "system"
        case other:
            raise FormatError(f"{path}.role: expected user, assistant or system, not {shown(other)}")
    return hub.Message(role, parse_content(raw.get("content"), f"{path}.content"), rest(raw, "role", "content"))


def _parse_output(value: JSON) -> hub.OutputFormat | None:
    if value is None:
        return None
    raw = as_object(value, "output_config.format")
    if raw.get("type") != "json_schema":
        raise FormatError(f"output_config.format.type: expected json_schema, not {shown(raw.get('type'))}")
    return hub.OutputFormat(
        as_object(raw.get("schema"), "output_config.format.schema"),
        name=text_or_none(raw.get("name")),
    )


def _parse_extra(body: Object, config: Object, metadata: Object, headers: Mapping[str, str]) -> hub.Extra:
    extra = own(rest(body, *_KNOWN))
    for name, left in (
        ("output_config", own(rest(config, "effort", "format"))),
        ("metadata", own(rest(metadata, "user_id"))),
    ):
        if left:
            extra[name] = left
    header: list[JSON] = [beta.strip() for beta in headers.get("anthropic-beta", "").split(",") if beta.strip()]
    betas = header or body.get("betas")
    if betas:
        extra["betas"] = betas
    return {NAME: extra} if extra else {}


# ── render ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def render_request(request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
    report = Report(losses)
    report.foreign(request.extra, "")
    extra = own(request.extra)
    betas = extra.pop("betas", None)
    headers = {"content-type": "application/json", "anthropic-version": VERSION}
    if isinstance(betas, list) and betas:
        headers["anthropic-beta"] = ",".join(beta for beta in betas if isinstance(beta, str))
    body = _render_body(request, extra, profile, report)
    for name in sorted(profile.omit & body.keys()):
        del body[name]
        report.lose(name, f"the provider refuses `{name}`")
    return WireRequest(headers=headers, body=dumps(body))


def _render_body(request: hub.Request, extra: Object, profile: Profile, report: Report) -> Object:
    max_tokens = _max_tokens(request, profile, report)
    system, messages = arrange(request.messages, profile, report)
    body: Object = {"model": request.model, "max_tokens": max_tokens}
    if (output := request.output) is not None and output.schema is not None and profile.structured != "json_schema":
        report.lose("output.schema", "the model takes no schema for its answer; it is shown it as text")
        words: Object = {"type": "text", "text": output_in_words(output)}
        system.append(words)
        request = replace(request, output=None)
    if system:
        body["system"] = system
    body["messages"] = messages
    tools = render_tools(request, profile, report)
    if tools:
        body["tools"] = tools
    choice = render_tool_choice(request, tools, report)
    if choice is not None:
        body["tool_choice"] = choice
    thinking = render_reasoning(request.reasoning, max_tokens, profile, report)
    effort = thinking.pop("effort", None)
    body |= thinking
    _settle_thinking(body, report)
    config = _output_config(request.output, effort, extra.pop("output_config", None), report)
    if config:
        body["output_config"] = config
    body |= _sampling(request, is_thinking(body), report)
    metadata = _metadata(request.user, extra.pop("metadata", None), report)
    if metadata:
        body["metadata"] = metadata
    if request.service_tier is not None:
        tier = _SERVICE_TIERS.get(request.service_tier)
        if tier is None:
            report.lose("service_tier", f"Anthropic has no service tier {request.service_tier!r}")
        else:
            body["service_tier"] = tier
    stream = profile.stream == "always" or (profile.stream == "as-asked" and request.stream)
    if stream:
        body["stream"] = True
    _report_unknown(request, report)
    return {**body, **extra}


def _max_tokens(request: hub.Request, profile: Profile, report: Report) -> int:
    wanted = request.max_tokens
    if wanted is None:
        invented = profile.max_output or DEFAULT_MAX_TOKENS
        report.lose("max_tokens", f"Anthropic requires max_tokens; {invented} was invented because it is required")
        return invented
    if profile.max_output is not None and wanted > profile.max_output:
        report.lose("max_tokens", f"max_tokens {wanted} is lowered to {profile.max_output}, the model's limit")
        return profile.max_output
    return wanted


def _settle_thinking(body: Object, report: Report) -> None:
    """With a budget Anthropic thinks neither when a tool is forced nor in a tool loop that began without thinking."""
    match body.get("tool_choice"):
        case {"type": "any" | "tool"} if has_budget(body):
            report.lose("reasoning", "Anthropic takes no thinking budget when a tool call is forced")
            body["thinking"] = {"type": "disabled"}
        case _ if lacks_thinking(body):
            report.lose("reasoning", "Anthropic does not think on in a tool loop that another model began")
            body["thinking"] = {"type": "disabled"}
        case _:
            pass


def _output_config(output: hub.OutputFormat | None, effort: JSON, more: JSON, report: Report) -> Object:
    config: Object = {} if effort is None else {"effort": effort}
    if output is not None and output.schema is None:
        report.lose("output", "Anthropic has no JSON mode without a schema")
    elif output is not None and output.schema is not None:
        schema = closed_schema(output.schema, "output.schema", report)
        config["format"] = {"type": "json_schema", "schema": schema}
    return {**config, **(more if isinstance(more, dict) else {})}


def _sampling(request: hub.Request, thinking: bool, report: Report) -> Object:
    made: Object = {}
    temperature = request.temperature
    if temperature is not None and temperature > 1:
        report.lose("temperature", f"Anthropic's temperature ends at 1; {temperature} is sent as 1")
        temperature = 1.0
    if temperature is not None:
        if thinking and temperature != 1:
            report.lose("temperature", "Anthropic takes no temperature while thinking")
        else:
            made["temperature"] = temperature
    if request.top_p is not None:
        if thinking and request.top_p < 0.95:
            report.lose("top_p", "Anthropic takes no top_p below 0.95 while thinking")
        else:
            made["top_p"] = request.top_p
    if request.top_k is not None:
        if thinking:
            report.lose("top_k", "Anthropic takes no top_k while thinking")
        else:
            made["top_k"] = request.top_k
    stop: list[JSON] = [sequence for sequence in request.stop if sequence.strip()]
    if len(stop) < len(request.stop):
        report.lose("stop", "Anthropic refuses a stop sequence of nothing but white space")
    if stop:
        made["stop_sequences"] = stop
    return made


def _metadata(user: str | None, more: JSON, report: Report) -> Object:
    metadata: Object = dict(more) if isinstance(more, dict) else {}
    if user is not None and len(user) > _MAX_USER:
        report.lose("user", f"Anthropic's user_id ends at {_MAX_USER} characters")
    elif user is not None:
        metadata["user_id"] = user
    return metadata


def _report_unknown(request: hub.Request, report: Report) -> None:
    if request.n is not None and request.n > 1:
        report.lose("n", "Anthropic gives one answer")
    for name, value in (
        ("seed", request.seed),
        ("presence_penalty", request.presence_penalty or None),
        ("frequency_penalty", request.frequency_penalty or None),
        ("logprobs", request.logprobs or None),
        ("top_logprobs", request.top_logprobs or None),
        ("verbosity", request.verbosity),
        ("cache_key", request.cache_key),
    ):
        if value is not None:
            report.lose(name, f"Anthropic has no {name}")
