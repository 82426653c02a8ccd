"""Requests: the body ↔ hub.Request.

``extra[NAME]`` of a parsed request holds every top-level member without a hub word, raw, plus ``additional_tools``
(items with their places) and, where the hub says less, ``tool_choice`` and ``text``. A request without it comes from
another format; then the leading system text becomes ``instructions``, nothing is stored, and encrypted reasoning is
asked for when there is reasoning, since a client that keeps no state at the server must get it back to return it.
"""

from collections.abc import Mapping
from typing import Literal, cast

from translators import hub, jsonvalue
from translators.cache_key import session_key
from translators.dropped import dropped, extras
from translators.efforts import effort_of, nearest
from translators.errors import Unsupported
from translators.format import Profile, WireRequest
from translators.formats.openai_responses.history import InputWriter, parse_input, place_system
from translators.formats.openai_responses.reading import (
    NAME,
    load,
    mapping,
    object_at,
    optional_flag,
    optional_integer,
    optional_number,
    optional_string,
    own,
    rest,
    sequence,
    string_at,
    text,
)
from translators.formats.openai_responses.tools import (
    needs_raw_choice,
    parse_tool_choice,
    parse_tools,
    render_tool_choice,
    render_tools,
)
from translators.hub import JSON
from translators.kin import inherited

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"

_KNOWN = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens",
        "temperature", "top_p", "top_logprobs", "reasoning", "text", "stream", "user", "safety_identifier",
        "prompt_cache_key", "service_tier",
    }
)  # fmt: skip
_BOOKKEEPING = frozenset({"additional_tools", "tool_choice", "text", "text_format", "user_field", "safety_identifier"})
_STATE = ("previous_response_id", "conversation", "prompt")
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_MIN_OUTPUT = 16
"""The API refuses a smaller ``max_output_tokens``."""
_MAX_USER = 64
_INSTRUCTIONS = "You are a helpful assistant."
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
_SUMMARY_KNOWN = frozenset({"effort"})

type _Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def parse_request(wire: WireRequest) -> hub.Request:
    body = load(wire.body, "the request body")
    extra = rest(body, _KNOWN)
    said = parse_input(body.get("input", []))
    messages = said.messages
    instructions = optional_string(body, "instructions")
    if instructions:
        messages.insert(0, hub.Message("system", (hub.Text(instructions),)))
    if said.additional:
        extra["additional_tools"] = said.additional
    choice = body.get("tool_choice")
    if needs_raw_choice(choice):
        extra["tool_choice"] = choice
    output, verbosity = _parse_text(body, extra)
    user, safety = optional_string(body, "user"), optional_string(body, "safety_identifier")
    if user is None and safety is not None:
        extra["user_field"] = "safety_identifier"
    elif safety is not None:
        extra["safety_identifier"] = safety
    state = next((f"history that the provider keeps ({name})" for name in _STATE if body.get(name)), said.state)
    return hub.Request(
        model=string_at(body.get("model"), "model"),
        messages=tuple(messages),
        tools=_without_repeats([*parse_tools(body.get("tools") or [], "tools"), *said.tools]),
        tool_choice=None if choice is None else parse_tool_choice(choice),
        parallel_tools=optional_flag(body, "parallel_tool_calls"),
        max_tokens=optional_integer(body, "max_output_tokens"),
        temperature=optional_number(body, "temperature"),
        top_p=optional_number(body, "top_p"),
        logprobs=True if LOGPROBS in sequence(body.get("include")) else None,
        top_logprobs=optional_integer(body, "top_logprobs"),
        reasoning=_parse_reasoning(body.get("reasoning")),
        output=output,
        verbosity=verbosity,
        user=user if user is not None else safety,
        cache_key=optional_string(body, "prompt_cache_key"),
        service_tier=optional_string(body, "service_tier"),
        stream=optional_flag(body, "stream") is True,
        state=state,
        extra={NAME: extra},
    )


def _without_repeats(tools: list[hub.Tool | hub.ServerTool]) -> tuple[hub.Tool | hub.ServerTool, ...]:
    """The tools without those that the input declares once more."""
    seen: set[tuple[str | None, str]] = set()
    kept: list[hub.Tool | hub.ServerTool] = []
    for tool in tools:
        if isinstance(tool, hub.Tool):
            if (tool.namespace, tool.name) in seen and own(tool.extra).get("input") is True:
                continue
            seen.add((tool.namespace, tool.name))
        kept.append(tool)
    return tuple(kept)


def _parse_reasoning(value: JSON) -> hub.Reasoning | None:
    if value is None:
        return None
    reasoning = object_at(value, "reasoning")
    effort = optional_string(reasoning, "effort", "reasoning.")
    more = rest(reasoning, _SUMMARY_KNOWN)
    if effort is not None and effort not in _EFFORTS:
        more["effort"] = effort
    return hub.Reasoning(
        effort=cast("_Effort", effort) if effort in _EFFORTS else None,
        visible=None if reasoning.get("summary", reasoning.get("generate_summary")) is None else True,
        extra={NAME: more},
    )


def _parse_text(body: dict[str, JSON], extra: dict[str, JSON]) -> tuple[hub.OutputFormat | None, str | None]:
    value = body.get("text")
    if value is None:
        return None, None
    options = object_at(value, "text")
    if more := rest(options, frozenset({"format", "verbosity"})):
        extra["text"] = more
    layout = mapping(options.get("format"))
    output: hub.OutputFormat | None = None
    match layout.get("type"):
        case "json_schema":
            output = hub.OutputFormat(
                schema=object_at(layout.get("schema"), "text.format.schema"),
                name=optional_string(layout, "name", "text.format."),
                description=optional_string(layout, "description", "text.format."),
                strict=optional_flag(layout, "strict", "text.format."),
            )
        case "json_object":
            output = hub.OutputFormat()
        case None:
            pass
        case _:
            extra["text_format"] = layout
    return output, optional_string(options, "verbosity", "text.")


def render_request(request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
    kept = own(request.extra)
    foreign = NAME not in request.extra
    messages = place_system(request.messages, profile, losses)
    body: dict[str, JSON] = {"model": request.model}
    if profile.system_position != "none":
        instructions, messages = _take_instructions(messages)
        body |= _instructions(instructions, profile if foreign else Profile(), losses)
    body["input"] = _render_input(messages, kept, profile, losses)
    if foreign and request.messages and not body["input"]:
        raise Unsupported("nothing of the conversation can be sent: no message has any content that this format holds")
    body |= render_options(request, profile, losses)
    if foreign:
        body |= _for_another_format(request, body)
    body |= rest(kept, _BOOKKEEPING)
    body |= _store(body, profile, losses)
    stream = profile.stream == "always" or (profile.stream == "as-asked" and request.stream)
    body |= {"stream": True} if stream else {}
    _report_unknown(request, losses)
    for name in sorted(profile.omit & body.keys()):
        del body[name]
        losses.append(hub.Loss(name, "the upstream refuses this field"))
    return WireRequest(headers={"content-type": "application/json"}, body=jsonvalue.write(body))


def _instructions(said: str, profile: Profile, losses: list[hub.Loss]) -> dict[str, JSON]:
    if not said and profile.needs_instructions:
        losses.append(hub.Loss("instructions", "the upstream demands instructions; some were invented as required"))
        return {"instructions": _INSTRUCTIONS}
    return {"instructions": said} if said else {}


def _store(body: Mapping[str, JSON], profile: Profile, losses: list[hub.Loss]) -> dict[str, JSON]:
    if profile.stores:
        return {}
    if body.get("store") is not False:
        losses.append(hub.Loss("store", "the upstream stores nothing"))
    return {"store": False}


def _for_another_format(request: hub.Request, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """What a client of this format would have said itself."""
    include: list[JSON] = []
    if request.reasoning is not None and mapping(body.get("reasoning")).get("effort") != "none":
        include.append(ENCRYPTED)
    if request.logprobs:
        include.append(LOGPROBS)
    said: dict[str, JSON] = {"store": False, "include": include} if include else {"store": False}
    return said | inherited(request.extra, NAME)


def _take_instructions(messages: list[hub.Message]) -> tuple[str, list[hub.Message]]:
    """Leading system text that did not come as an item of the input."""
    texts: list[str] = []
    if all(message.role == "system" for message in messages):
        return "", messages  # there must be some input
    for number, message in enumerate(messages):
        if message.role != "system" or NAME in message.extra:
            return "\n\n".join(texts), messages[number:]
        texts += [part.text for part in message.parts if isinstance(part, hub.Text)]
    return "\n\n".join(texts), []


def _render_input(
    messages: list[hub.Message], kept: Mapping[str, JSON], profile: Profile, losses: list[hub.Loss]
) -> JSON:
    writer = InputWriter(profile, losses)
    for number, message in enumerate(messages):
        writer.write(message, f"messages[{number}]")
    for one in sequence(kept.get("additional_tools")):
        place = mapping(one).get("at")
        writer.items.insert(place if isinstance(place, int) else 0, mapping(one).get("item"))
    return writer.items


def render_options(request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> dict[str, JSON]:
    """Everything of a body but the conversation; answers repeat these members, too."""
    kept = own(request.extra)
    options = _render_tooling(request, profile, losses)
    if request.max_tokens is not None:
        options["max_output_tokens"] = _output_limit(request.max_tokens, profile, losses)
    plain: dict[str, JSON] = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs,
        "prompt_cache_key": request.cache_key or (session_key(request) if profile.cache_key else None),
        "service_tier": _tier(request, losses),
        "reasoning": _render_reasoning(request.reasoning, profile, losses),
        "text": _render_text(request, kept) or None,
        "safety_identifier": kept.get("safety_identifier"),
    }
    options |= {name: value for name, value in plain.items() if value is not None}
    if request.user is not None:
        if len(request.user) <= _MAX_USER or NAME in request.extra:
            options[text(kept.get("user_field")) or "user"] = request.user
        else:
            losses.append(hub.Loss("user", f"the name of the end user is longer than {_MAX_USER} characters"))
    return options


def _render_tooling(request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> dict[str, JSON]:
    kept = own(request.extra)
    own_request = NAME in request.extra
    options: dict[str, JSON] = {}
    tools = render_tools(request.tools, profile, losses)
    if profile.max_tools is not None and len(tools) > profile.max_tools:
        losses.append(hub.Loss("tools", f"the model takes {profile.max_tools} tools, {len(tools)} were given"))
        tools = tools[: profile.max_tools]
    if tools:
        options["tools"] = tools
    if "tool_choice" in kept:
        options["tool_choice"] = kept["tool_choice"]
    elif request.tool_choice is not None and (tools or own_request):
        options["tool_choice"] = render_tool_choice(request.tool_choice, request.tools)
    elif request.tool_choice is not None and request.tool_choice.mode in ("required", "tool"):
        losses.append(hub.Loss("tool_choice", "there is no tool left that could be called"))
    if request.parallel_tools is not None and (tools or own_request):
        options["parallel_tool_calls"] = request.parallel_tools
    return options


def _output_limit(asked: int, profile: Profile, losses: list[hub.Loss]) -> int:
    if profile.max_output is not None and asked > profile.max_output:
        losses.append(hub.Loss("max_output_tokens", f"lowered from {asked} to the model's {profile.max_output}"))
        return profile.max_output
    if asked < _MIN_OUTPUT:
        losses.append(hub.Loss("max_output_tokens", f"raised from {asked} to {_MIN_OUTPUT}, the least there is"))
        return _MIN_OUTPUT
    return asked


def _tier(request: hub.Request, losses: list[hub.Loss]) -> str | None:
    if request.service_tier is None or NAME in request.extra or request.service_tier in _TIERS:
        return request.service_tier
    losses.append(hub.Loss("service_tier", f"the Responses API knows no service tier {request.service_tier!r}"))
    return None


def _render_reasoning(
    reasoning: hub.Reasoning | None, profile: Profile, losses: list[hub.Loss]
) -> dict[str, JSON] | None:
    if reasoning is None:
        return None
    if profile.reasoning_style == "none":
        losses.append(hub.Loss("reasoning", "the model cannot be told how to think"))
        return None
    rendered: dict[str, JSON] = {}
    wanted = reasoning.effort or effort_of(reasoning.budget)
    effort = None if wanted is None else nearest(wanted, profile.efforts)
    if effort is not None:
        rendered["effort"] = effort
    if effort != wanted:
        losses.append(hub.Loss("reasoning.effort", f"the model knows no effort {wanted}; {effort} is sent"))
    elif reasoning.effort is None and reasoning.budget:
        losses.append(hub.Loss("reasoning.budget", f"the Responses API takes no token budget; effort is {effort}"))
    if NAME in reasoning.extra:
        return {**rendered, **own(reasoning.extra)}
    if reasoning.adaptive and effort is None:
        losses.append(hub.Loss("reasoning", "the model decides by itself how much to think; it cannot be told to"))
    if reasoning.visible and effort != "none":
        rendered["summary"] = "auto"
    return rendered or None


def _render_text(request: hub.Request, kept: Mapping[str, JSON]) -> dict[str, JSON]:
    rendered: dict[str, JSON] = dict(mapping(kept.get("text")))
    output = request.output
    if output is not None and output.schema is not None:
        layout: dict[str, JSON] = {
            "type": "json_schema",
            "name": output.name or "response",
            "schema": dict(output.schema),
        }
        if output.strict is not None:
            layout["strict"] = output.strict
        if output.description is not None:
            layout["description"] = output.description
        rendered["format"] = layout
    elif output is not None:
        rendered["format"] = {"type": "json_object"}
    elif "text_format" in kept:
        rendered["format"] = kept["text_format"]
    if request.verbosity is not None:
        rendered["verbosity"] = request.verbosity
    return rendered


def _report_unknown(request: hub.Request, losses: list[hub.Loss]) -> None:
    for path, value in (
        ("top_k", request.top_k),
        ("stop", request.stop or None),
        ("seed", request.seed),
        ("presence_penalty", request.presence_penalty),
        ("frequency_penalty", request.frequency_penalty),
        ("n", None if request.n == 1 else request.n),
    ):
        if value is not None:
            losses.append(hub.Loss(path, f"the Responses API has no {path}"))
    told: set[tuple[str, str]] = set()
    kin = inherited(request.extra, NAME)
    for path, extra, holder in extras(request):
        for origin, member in dropped(extra, NAME):
            if (origin, member) not in told and (path or member not in kin):
                told.add((origin, member))
                losses.append(hub.Loss(f"{path}.{member}".lstrip("."), f"only {origin} understands `{member}`"))
        if isinstance(holder, hub.ToolCall) and holder.signature is not None and ("", "signature") not in told:
            told.add(("", "signature"))
            losses.append(
                hub.Loss(f"{path}.signature", "a signature on a tool call, which a Responses item cannot hold")
            )
