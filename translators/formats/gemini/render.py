"""hub → a Gemini request document. What stands around it (path, query, Code Assist's envelope) is its caller's.

The API wants turns that alternate and start with the user, and the results of all calls of a turn directly behind it;
neighbours of one role are therefore one turn, and results go first in it, in the order of their calls. Tools that are
not Gemini's own go out as ``parameters`` in the OpenAPI subset: every Gemini endpoint takes that, while
``parametersJsonSchema`` is refused by older and by compatible ones. A schema of the output goes out as real JSON
schema where recorded calls show that the API takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never, cast

from translators import hub
from translators.format import Profile
from translators.formats.gemini import schema
from translators.formats.gemini.media import render_media
from translators.formats.gemini.request import plain_result, result_text
from translators.formats.gemini.thinking import render_thinking
from translators.formats.gemini.wire import FAMILY, NAME, Object, as_object, loads, lose
from translators.hub import JSON, Extra, Loss

_PLACEHOLDER = "."
"""Text of the user turn that the API demands before a conversation that starts with the model."""
_OUR_EXTRAS = frozenset({"alt", "query"})
_SERVER_TOOL_OF = {"web_search": "googleSearch", "code_execution": "codeExecution", "web_fetch": "urlContext"}
_NESTED_MEDIA = ("gemini-1", "gemini-2", "gemma", "learnlm")


@dataclass(slots=True)
class _Turn:
    role: str
    results: list[tuple[int, Object]] = field(default_factory=list[tuple[int, Object]])
    """With the place of the call that each one answers."""
    parts: list[Object] = field(default_factory=list[Object])

    def content(self) -> Object:
        results = [result for _, result in sorted(self.results, key=lambda item: item[0])]
        return {"role": self.role, "parts": cast("list[JSON]", [*results, *self.parts])}


def render_document(request: hub.Request, profile: Profile, origin: str, losses: list[Loss]) -> Object:
    kept = {key: value for key, value in request.extra.get(NAME, {}).items() if key not in _OUR_EXTRAS}
    conversation = _Conversation(request, profile, origin, losses)
    system, contents = conversation.render()
    document: Object = {"contents": cast("list[JSON]", contents)}
    if system:
        document["systemInstruction"] = {"parts": cast("list[JSON]", system)}
    tools = _tools(request, losses)
    if tools:
        document["tools"] = cast("list[JSON]", tools)
    if tool_config := _tool_config(request, kept, declared=any("functionDeclarations" in tool for tool in tools)):
        document["toolConfig"] = tool_config
    if config := _generation_config(request, profile, losses):
        document["generationConfig"] = config
    document |= {key: value for key, value in kept.items() if key not in {"toolConfig", "generationConfig"}}
    for name in profile.omit:
        document.pop(name, None)
    _report(request, losses)
    return document


class _Conversation:
    def __init__(self, request: hub.Request, profile: Profile, origin: str, losses: list[Loss]) -> None:
        self._request = request
        self._profile = profile
        self._origin = origin
        self._losses = losses
        self._turns: list[_Turn] = []
        self._calls: dict[str, tuple[int, str]] = {}
        self._nested = not request.model.rsplit("/", 1)[-1].lower().startswith(_NESTED_MEDIA)

    def render(self) -> tuple[list[Object], list[Object]]:
        messages = self._request.messages
        leading = 0
        while leading < len(messages) and messages[leading].role in {"system", "developer"}:
            leading += 1
        if leading == len(messages) or self._profile.system_position == "none":
            # A call with nothing but system text, or a model without any: it opens the first user turn.
            leading = 0
        system: list[Object] = []
        for index, message in enumerate(messages):
            path = f"messages[{index}]"
            _report_extra(self._losses, path, message.extra)
            if index < leading:
                system += _system_parts(message)
            else:
                self._message(message, path)
        turns = [turn for turn in self._turns if turn.parts or turn.results]
        if turns and turns[0].role == "model":
            lose(self._losses, "messages[0]", "invented because required: a user turn before the model's first")
            turns.insert(0, _Turn("user", parts=[{"text": _PLACEHOLDER}]))
        return system, [turn.content() for turn in turns]

    def _message(self, message: hub.Message, path: str) -> None:
        role = "model" if message.role == "assistant" else "user"
        if message.role in {"system", "developer"}:
            lose(self._losses, path, "Gemini has no system text inside of a conversation; it is sent as user text")
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(_Turn(role))
        turn = self._turns[-1]
        for index, part in enumerate(message.parts):
            self._part(part, turn, f"{path}.parts[{index}]")

    def _part(self, part: hub.Part, turn: _Turn, path: str) -> None:  # noqa: C901, PLR0912 - one case per kind of part
        if not isinstance(part, hub.Opaque):
            _report_extra(self._losses, path, part.extra)
        match part:
            case hub.Text(text, extra=extra):
                signature = extra.get(NAME, {}).get("thoughtSignature")
                if text or signature:
                    turn.parts.append({"text": text, **({"thoughtSignature": signature} if signature else {})})
            case hub.Refusal(text):
                if text:
                    turn.parts.append({"text": text})
            case hub.Thinking():
                self._thinking(part, turn, path)
            case hub.Media():
                self._media(part, turn.parts, path)
            case hub.ToolCall():
                self._call(part, turn, path)
            case hub.ToolResult():
                self._result(part, turn, path)
            case hub.Opaque(format=name, raw=raw):
                if name == NAME and isinstance(raw, dict):
                    turn.parts.append(raw)
                else:
                    lose(self._losses, path, f"only {name} understands this part")
            case _:
                assert_never(part)

    def _signature(self, signature: hub.Signature | None, path: str) -> Object:
        if signature is None:
            return {}
        if signature.origin in FAMILY:
            return {"thoughtSignature": signature.value}
        lose(self._losses, path, f"a reasoning signature of {signature.origin} means nothing to Gemini")
        return {}

    def _thinking(self, part: hub.Thinking, turn: _Turn, path: str) -> None:
        signature = self._signature(part.signature, path)
        if part.text or signature:
            turn.parts.append({"text": part.text, "thought": True, **signature})

    def _media(self, media: hub.Media, parts: list[Object], path: str) -> None:
        if (media.kind == "image" and not self._profile.images) or (
            media.kind == "document" and not self._profile.documents
        ):
            lose(self._losses, path, f"the model takes no {media.kind}s")
        elif rendered := render_media(media):
            parts.append(rendered)
        else:
            lose(self._losses, path, "the file id is another provider's")

    def _call(self, call: hub.ToolCall, turn: _Turn, path: str) -> None:
        self._calls[call.id] = (len(self._calls), call.name)
        read = call_object(call.arguments)
        if read is None:
            lose(self._losses, path, "the arguments are not a JSON object; they are sent as the text 'input'")
        args: Object = {"input": call.arguments} if read is None else read
        rendered: Object = {"id": call.id, "name": call.name, "args": args, **call.extra.get(NAME, {})}
        turn.parts.append({"functionCall": rendered, **self._signature(call.signature, path)})

    def _result(self, result: hub.ToolResult, turn: _Turn, path: str) -> None:
        place, name = self._calls.get(result.call_id, (len(self._calls), result.name or "unknown"))
        texts: list[str] = []
        media: list[Object] = []
        for index, part in enumerate(result.parts):
            match part:
                case hub.Text(text):
                    texts.append(text)
                case hub.ToolReference(name=referred):
                    texts.append(referred)
                case hub.Media():
                    self._media(part, media, f"{path}.parts[{index}]")
                case hub.Opaque(format=own, raw=dict() as raw) if own == NAME:
                    media.append(raw)
                case hub.Opaque(format=other):
                    lose(self._losses, path, f"only {other} understands this part")
                case _:
                    assert_never(part)
        text = "\n".join(texts)
        kept = dict(result.extra.get(NAME, {}))
        raw_response = kept.pop("response", None)
        response: JSON = plain_result(text, error=result.error)
        if raw_response is not None and result_text(raw_response) == (text, result.error):
            response = raw_response
        rendered: Object = {"id": result.call_id, "name": name, "response": response, **kept}
        if media and self._nested:
            rendered["parts"] = cast("list[JSON]", media)
        elif media:
            turn.parts += media
        turn.results.append((place, {"functionResponse": rendered}))


def _system_parts(message: hub.Message) -> list[Object]:
    return [{"text": part.text} for part in message.parts if isinstance(part, hub.Text) and part.text]


def call_object(arguments: str) -> Object | None:
    """Arguments as this wire wants them; None when they are not a JSON object."""
    if not arguments.strip():
        return {}
    try:
        return as_object(loads(arguments, "arguments"), "arguments")
    except ValueError:
        return None


def _tools(request: hub.Request, losses: list[Loss]) -> list[Object]:
    declarations: list[JSON] = []
    rendered: list[Object] = []
    functions = any(isinstance(tool, hub.Tool) for tool in request.tools)
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        match tool:
            case hub.Tool():
                _report_extra(losses, path, tool.extra)
                declarations.append(_declaration(tool, path, losses))
            case hub.ServerTool(format=name, raw=raw) if name == NAME:
                rendered.append(dict(raw))
            case hub.ServerTool(kind=kind) if kind in _SERVER_TOOL_OF and not functions:
                rendered.append({_SERVER_TOOL_OF[kind]: {}})
            case hub.ServerTool(format=name, kind=kind):
                lose(losses, path, f"the {kind} tool is run by providers of {name}")
            case _:
                assert_never(tool)
    return [*rendered, {"functionDeclarations": declarations}] if declarations else rendered


def _declaration(tool: hub.Tool, path: str, losses: list[Loss]) -> Object:
    declared: Object = {"name": tool.name}
    if tool.description is not None:
        declared["description"] = tool.description
    if tool.strict:
        lose(losses, f"{path}.strict", "Gemini has no strict tools")
    own = tool.extra.get(NAME, {})
    if tool.schema is not None and not own.keys() & {"parameters", "parametersJsonSchema"}:
        parameters, dropped = schema.normalise(tool.schema)
        if dropped:
            words = ", ".join(sorted(dropped))
            lose(losses, f"{path}.schema", f"Gemini's schema subset cannot say this of tool {tool.name!r}: {words}")
        if "properties" in parameters:
            declared["parameters"] = parameters
    return {**declared, **own}


def _tool_config(request: hub.Request, kept: Mapping[str, JSON], *, declared: bool) -> Object:
    config = dict(as_object(kept.get("toolConfig") or {}, "toolConfig"))
    calling: Object = dict(as_object(config.pop("functionCallingConfig", None) or {}, "functionCallingConfig"))
    choice = request.tool_choice
    if choice is not None and (declared or choice.mode == "auto") and request.tools:
        allowed: list[JSON] = [choice.name] if choice.mode == "tool" and choice.name else list(choice.allowed)
        mode = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}[choice.mode]
        calling = {"mode": mode, **calling} if choice.mode == "auto" else {"mode": mode}
        if allowed:
            # With AUTO the list is refused; VALIDATED is the same choice with a list.
            calling["mode"] = "VALIDATED" if calling["mode"] == "AUTO" else calling["mode"]
            calling["allowedFunctionNames"] = allowed
    return {**config, **({"functionCallingConfig": calling} if calling else {})}


def _generation_config(request: hub.Request, profile: Profile, losses: list[Loss]) -> Object:
    kept = request.extra.get(NAME, {}).get("generationConfig")
    max_tokens = request.max_tokens
    if max_tokens is not None and profile.max_output is not None and max_tokens > profile.max_output:
        lose(losses, "max_tokens", f"lowered to the model's limit of {profile.max_output}")
        max_tokens = profile.max_output
    config: Object = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "maxOutputTokens": max_tokens,
        "stopSequences": list(request.stop) or None,
        "candidateCount": request.n,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "responseLogprobs": request.logprobs,
        "logprobs": request.top_logprobs,
        "thinkingConfig": _thinking(request, profile, losses),
    }
    config = {key: value for key, value in config.items() if value is not None}
    if isinstance(kept, dict):
        config = {**kept, **config}
    if request.output is not None:
        config["responseMimeType"] = "application/json"
        if not config.keys() & {"responseSchema", "responseJsonSchema"} and request.output.schema is not None:
            config |= _output_schema(request.output.schema, losses)
    return {key: value for key, value in config.items() if key not in profile.omit}


def _thinking(request: hub.Request, profile: Profile, losses: list[Loss]) -> Object | None:
    if request.reasoning is None:
        return None
    if profile.reasoning_style == "none":
        lose(losses, "reasoning", "the upstream cannot be told to think")
        return None
    return render_thinking(request.reasoning, request.model, losses) or None


def _output_schema(wanted: Mapping[str, JSON], losses: list[Loss]) -> Object:
    plain = {key: value for key, value in wanted.items() if key != "$schema"}
    if schema.portable(plain):
        return {"responseJsonSchema": plain}
    normalised, dropped = schema.normalise(plain)
    if dropped:
        lose(losses, "output.schema", f"Gemini's schema subset cannot say: {', '.join(sorted(dropped))}")
    return {"responseSchema": normalised}


def _report(request: hub.Request, losses: list[Loss]) -> None:
    _report_extra(losses, "request", request.extra)
    if request.reasoning is not None:
        _report_extra(losses, "reasoning", request.reasoning.extra)
    said = {
        "parallel_tools": request.parallel_tools is False,
        "verbosity": request.verbosity is not None,
        "service_tier": request.service_tier is not None,
        "user": request.user is not None,
        "cache_key": request.cache_key is not None,
    }
    for name, is_said in said.items():
        if is_said:
            lose(losses, name, f"Gemini has no {name}")


def _report_extra(losses: list[Loss], path: str, extra: Extra) -> None:
    for name, fields in extra.items():
        if name not in FAMILY:
            for key in fields:
                lose(losses, f"{path}.{key}", f"{key} is a word of {name}")
