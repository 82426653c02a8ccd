"""A Gemini request document → hub. What stands around it (path, query, Code Assist's envelope) is its caller's.

Calls often have no id on this wire. Then one is made from the call's place in the conversation and its name, which is
the same in every later turn, and results find their call by id, else by name and order.
"""

import hashlib
from collections import deque
from typing import cast

from translators import hub
from translators.errors import FormatError
from translators.formats.gemini import schema
from translators.formats.gemini.media import parse_media
from translators.formats.gemini.wire import (
    NAME,
    Object,
    as_list,
    as_object,
    as_text,
    dumps,
    opt_bool,
    opt_int,
    opt_number,
    opt_text,
    spelled,
)
from translators.hub import JSON, SPELLING
from translators.signatures import unwrap

SERVER_TOOLS = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "web_fetch",
    "fileSearch": "file_search",
    "computerUse": "computer_use",
    "googleMaps": "maps",
}
SCHEMAS = frozenset({"parameters", "parametersJsonSchema"})
OUTPUT_SCHEMAS = ("responseSchema", "responseJsonSchema")
RESPONSE = SPELLING + "response"
OUTPUT = SPELLING + "output"
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


_TIERS = {"standard": "default", "unspecified": None}
"""Where Google's words for a service tier are not those of everyone else."""


def extra_of(fields: Object) -> hub.Extra:
    return {NAME: fields} if fields else {}


def invented_id(*ground: str) -> str:
    return "call_" + hashlib.sha256("\0".join(ground).encode(errors="surrogatepass")).hexdigest()[:24]


def call_arguments(args: JSON) -> str:
    return dumps(args).decode() if args else "{}"


def own_id(identity: str, name: str) -> str:
    """Gemini CLI puts ``<name>__`` before every id that it is given; the rest is what we had sent."""
    return identity.removeprefix(f"{name}__") or identity


def parse_document(document: Object, model: str, origin: str, *, stream: bool, extra: Object) -> hub.Request:
    """``origin`` is the format's name; ``extra`` what the caller wants kept beside the document's own extras."""
    body = dict(spelled(document))
    messages = _system(body.pop("systemInstruction", None), origin)
    messages += _Contents(origin).parse(body.pop("contents", None))
    tools = _tools(body.pop("tools", None))
    choice, tool_config = _tool_config(body.pop("toolConfig", None))
    config = dict(spelled(as_object(body.pop("generationConfig", None) or {}, "generationConfig")))
    reasoning = _reasoning(config.pop("thinkingConfig", None))
    output, output_spelled = _output(config)
    tier = (opt_text(body.pop("serviceTier", None)) or "unspecified").lower()
    where = "generationConfig."
    stops = config.pop("stopSequences", None)
    return hub.Request(
        model=model,
        messages=tuple(messages),
        tools=tools,
        tool_choice=choice,
        max_tokens=opt_int(config.pop("maxOutputTokens", None), where + "maxOutputTokens"),
        temperature=opt_number(config.pop("temperature", None), where + "temperature"),
        top_p=opt_number(config.pop("topP", None), where + "topP"),
        top_k=opt_int(config.pop("topK", None), where + "topK"),
        stop=tuple(item for item in (stops if isinstance(stops, list) else [stops]) if isinstance(item, str)),
        seed=opt_int(config.pop("seed", None), where + "seed"),
        n=opt_int(config.pop("candidateCount", None), where + "candidateCount"),
        presence_penalty=opt_number(config.pop("presencePenalty", None), where + "presencePenalty"),
        frequency_penalty=opt_number(config.pop("frequencyPenalty", None), where + "frequencyPenalty"),
        logprobs=opt_bool(config.pop("responseLogprobs", None)),
        top_logprobs=opt_int(config.pop("logprobs", None), where + "logprobs"),
        reasoning=reasoning,
        output=output,
        service_tier=_TIERS.get(tier, tier),
        stream=stream,
        state="the beginning of the conversation (cachedContent)" if body.get("cachedContent") else None,
        extra=extra_of(
            {
                **body,
                **extra,
                **({"toolConfig": tool_config} if tool_config else {}),
                **({"generationConfig": config} if config else {}),
                **({OUTPUT: output_spelled} if output_spelled else {}),
            }
        ),
    )


def _system(value: JSON, origin: str) -> list[hub.Message]:
    match value:
        case None:
            return []
        case str():
            return [hub.Message("system", (hub.Text(value),))]
        case list():
            content: Object = {"parts": value}
        case _:
            content = spelled(as_object(value, "systemInstruction"))
    parts = _Contents(origin).parts(content.get("parts"), "systemInstruction.parts")
    return [hub.Message("system", parts)] if parts else []


class _Waiting:
    """The calls without a result, oldest first: each is looked at a few times, however many there are."""

    def __init__(self) -> None:
        self._calls: list[str | None] = []
        """Ids in the order of the calls; None once answered."""
        self._places: dict[str, list[int]] = {}
        self._queues: dict[str | None, deque[int]] = {}
        """Places of all calls, and of those of one tool."""

    def add(self, identity: str, name: str) -> None:
        place = len(self._calls)
        self._calls.append(identity)
        self._places.setdefault(identity, []).append(place)
        for queue in (None, name):
            self._queues.setdefault(queue, deque()).append(place)

    def remove(self, identity: str) -> None:
        for place in self._places.pop(identity, ()):
            self._calls[place] = None

    def first(self, name: str | None = None) -> str | None:
        """The oldest call, or that of one tool."""
        queue = self._queues.get(name, deque())
        while queue and self._calls[queue[0]] is None:
            queue.popleft()
        return self._calls[queue[0]] if queue else None


class _Contents:
    """Reads the turns in order, and knows which calls still wait for their result."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._count = 0
        self._waiting = _Waiting()

    def parse(self, value: JSON) -> list[hub.Message]:
        if isinstance(value, str):
            return [hub.Message("user", (hub.Text(value),))]
        messages: list[hub.Message] = []
        for index, item in enumerate(as_list(value, "contents")):
            path = f"contents[{index}]"
            content = as_object(item, path)
            role = content.get("role") or "user"
            if not isinstance(role, str) or role not in {"user", "model", "function", "tool"}:
                raise FormatError(f"{path}.role must be 'user' or 'model', not {role!r}")
            parts = self.parts(content.get("parts"), path + ".parts")
            messages.append(hub.Message("assistant" if role == "model" else "user", parts))
        return messages

    def parts(self, value: JSON, path: str) -> tuple[hub.Part, ...]:
        if isinstance(value, str):
            return (hub.Text(value),)
        read = (
            self._part(spelled(as_object(item, f"{path}[{index}]")), f"{path}[{index}]")
            for index, item in enumerate(as_list(value, path))
        )
        return tuple(part for part in read if part is not None)

    def _part(self, part: Object, path: str) -> hub.Part | None:
        if "functionResponse" in part:
            return self._result(spelled(as_object(part["functionResponse"], path + ".functionResponse")), path)
        if "functionCall" in part:
            call = spelled(as_object(part["functionCall"], path + ".functionCall"))
            name = as_text(call.get("name") or "", path + ".functionCall.name")
            self._count += 1
            identity = own_id(opt_text(call.get("id")) or invented_id(str(self._count), name), name)
            self._waiting.add(identity, name)
            return parse_call(part, call, identity, self._origin)
        return parse_part(part, path, self._origin)

    def _result(self, response: Object, path: str) -> hub.ToolResult:
        name = opt_text(response.get("name")) or ""
        identity = opt_text(response.get("id"))
        identity = own_id(identity, name) if identity else self._first_waiting(name)
        self._waiting.remove(identity)
        raw = response.get("response")
        text, error = result_text(raw)
        parts: list[hub.Text | hub.Media | hub.ToolReference | hub.Opaque] = [hub.Text(text)] if text else []
        for index, item in enumerate(as_list(response.get("parts"), path + ".functionResponse.parts")):
            where = f"{path}.functionResponse.parts[{index}]"
            part = parse_part(spelled(as_object(item, where)), where, self._origin)
            if isinstance(part, hub.Text | hub.Media | hub.Opaque):
                parts.append(part)
        kept: Object = {key: item for key, item in response.items() if key not in {"id", "name", "response", "parts"}}
        if raw is not None and raw != plain_result(text, error=error):
            kept[RESPONSE] = raw
        return hub.ToolResult(identity, tuple(parts), error, name or None, extra=extra_of(kept))

    def _first_waiting(self, name: str) -> str:
        return self._waiting.first(name) or self._waiting.first() or invented_id("result", str(self._count), name)


def parse_call(part: Object, call: Object, identity: str, origin: str) -> hub.ToolCall:
    """``part`` is the whole part, ``call`` its ``functionCall``."""
    signature = opt_text(part.get("thoughtSignature"))
    return hub.ToolCall(
        identity,
        opt_text(call.get("name")) or "",
        call_arguments(call.get("args")),
        signature=unwrap(signature, origin) if signature else None,
        extra=extra_of({key: item for key, item in call.items() if key not in {"id", "name", "args"}}),
    )


def parse_part(part: Object, path: str, origin: str) -> hub.Text | hub.Thinking | hub.Media | hub.Opaque | None:
    """Any part but calls and results, of a request or of an answer."""
    signature = opt_text(part.get("thoughtSignature"))
    if "text" in part:
        text = as_text(part["text"] if part["text"] is not None else "", path + ".text")
        if part.get("thought") is True:
            read = unwrap(signature, origin) if signature else None
            return hub.Thinking(text, read, redacted=not text and read is not None)
        return hub.Text(
            text, extra=extra_of({key: item for key, item in part.items() if key not in {"text", "thought"}})
        )
    if "inlineData" in part or "fileData" in part:
        return parse_media(part, path)
    if not set(part) - {"thought", "thoughtSignature"}:
        return hub.Text("", extra=extra_of({"thoughtSignature": signature})) if signature else None
    return hub.Opaque(NAME, cast("JSON", part))


def result_text(response: JSON) -> tuple[str, bool]:
    """What a tool answered, as text, and whether it failed; ``output`` and ``error`` are Google's own words for that."""
    match response:
        case None:
            return "", False
        case {"error": str(text)} if len(response) == 1:
            return text, True
        case {"output": str(text)} if len(response) == 1:
            return text, False
        case {} if not response:
            return "", False
        case str():
            return response, False
        case {"error": _} if len(response) == 1:
            return dumps(response).decode(), True
        case _:
            return dumps(response).decode(), False


def plain_result(text: str, *, error: bool) -> Object:
    return {"error" if error else "output": text}


def _tools(value: JSON) -> tuple[hub.Tool | hub.ServerTool, ...]:
    tools: list[hub.Tool | hub.ServerTool] = []
    for index, item in enumerate(as_list(value, "tools")):
        for key, inner in spelled(as_object(item, f"tools[{index}]")).items():
            if key != "functionDeclarations":
                tools.append(hub.ServerTool(NAME, SERVER_TOOLS.get(key, key), {key: inner}))
                continue
            path = f"tools[{index}].functionDeclarations"
            for number, declared in enumerate(as_list(inner, path)):
                tools.append(_function(spelled(as_object(declared, f"{path}[{number}]")), f"{path}[{number}]"))
    return tuple(tools)


def _function(declared: Object, path: str) -> hub.Tool:
    kept: Object = {
        SPELLING + key if key in SCHEMAS else key: item
        for key, item in declared.items()
        if key not in {"name", "description"}
    }
    raw = declared.get("parametersJsonSchema", declared.get("parameters"))
    read = schema.standard(raw)
    return hub.Tool(
        as_text(declared.get("name") or "", path + ".name"),
        opt_text(declared.get("description")),
        read if isinstance(read, dict) else None,
        extra=extra_of(kept),
    )


def _tool_config(value: JSON) -> tuple[hub.ToolChoice | None, Object]:
    """The choice, and what of the configuration it does not say."""
    config = dict(spelled(as_object(value or {}, "toolConfig")))
    calling = dict(
        spelled(as_object(config.pop("functionCallingConfig", None) or {}, "toolConfig.functionCallingConfig"))
    )
    if not calling:
        return None, config
    allowed = tuple(
        as_text(name, "toolConfig.functionCallingConfig.allowedFunctionNames")
        for name in as_list(
            calling.get("allowedFunctionNames"), "toolConfig.functionCallingConfig.allowedFunctionNames"
        )
    )
    mode = (opt_text(calling.get("mode")) or "AUTO").upper()
    rest: Object = {key: item for key, item in calling.items() if key not in {"mode", "allowedFunctionNames"}}
    if rest:
        config["functionCallingConfig"] = rest
    match mode:
        case "ANY" if len(allowed) == 1:
            return hub.ToolChoice("tool", allowed[0]), config
        case "ANY":
            return hub.ToolChoice("required", allowed=allowed), config
        case "NONE":
            return hub.ToolChoice("none"), config
        case "AUTO" | "MODE_UNSPECIFIED":
            return hub.ToolChoice("auto", allowed=allowed), config
        case _:
            config["functionCallingConfig"] = {**rest, "mode": mode}
            return hub.ToolChoice("auto", allowed=allowed), config


def _reasoning(value: JSON) -> hub.Reasoning | None:
    if value is None:
        return None
    config = dict(spelled(as_object(value, "generationConfig.thinkingConfig")))
    budget = opt_int(config.pop("thinkingBudget", None), "generationConfig.thinkingConfig.thinkingBudget")
    level = (opt_text(config.get("thinkingLevel")) or "").lower()
    if level in EFFORTS:
        del config["thinkingLevel"]
    visible = opt_bool(config.pop("includeThoughts", None))
    return hub.Reasoning(
        effort=level if level in EFFORTS else None,  # type: ignore[arg-type]  # narrowed by the set, not by the type
        budget=budget,
        adaptive=budget == -1,
        visible=visible,
        extra=extra_of(config),
    )


def _output(config: Object) -> tuple[hub.OutputFormat | None, Object]:
    """What ``config`` says of the output, taken out of it; and the schema in the client's own dialect."""
    mime = opt_text(config.get("responseMimeType"))
    raw = config.get("responseJsonSchema", config.get("responseSchema"))
    if mime not in {None, "application/json"} or (mime is None and raw is None):
        return None, {}
    config.pop("responseMimeType", None)
    read = schema.standard(raw)
    own: Object = {key: config.pop(key) for key in OUTPUT_SCHEMAS if key in config}
    return hub.OutputFormat(schema=read if isinstance(read, dict) else None), own
