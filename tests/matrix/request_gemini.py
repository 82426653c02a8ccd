"""Raw requests of Gemini → :class:`Facts`; Code Assist's envelope is opened by the caller."""

from typing import Any

from tests.matrix.request_facts import JSON, Answered, Called, Declared, Facts, Role, Shown, left, objects, show

_GEMINI = "contents systemInstruction tools toolConfig generationConfig serviceTier session_id"
_CONFIG = (
    "temperature topP topK maxOutputTokens stopSequences seed candidateCount presencePenalty frequencyPenalty "
    "responseLogprobs logprobs thinkingConfig responseMimeType responseSchema responseJsonSchema"
)


def _camel(value: JSON) -> JSON:
    """The protocol's names in camelCase; what the client names itself (arguments, schemas) is left alone."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    theirs = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"}
    made: dict[str, Any] = {}
    for name, inner in value.items():
        head, *more = name.split("_")
        spelled = head + "".join(word.capitalize() for word in more) if head and name != "session_id" else name
        made[spelled] = inner if spelled in theirs else _camel(inner)
    return made


def read_gemini(raw: dict[str, JSON]) -> Facts:
    body = _camel(raw)
    facts = Facts(opaque=left(body, _GEMINI), state=bool(body.get("cachedContent")))
    facts.set("service_tier", {"standard": "default"}.get(tier := body.get("serviceTier"), tier))
    system = body.get("systemInstruction")
    for part in _parts(system):
        _gemini_part(facts, "system", part)
    contents = body["contents"]
    for content in [contents] if isinstance(contents, dict) else contents:
        for part in _parts(content):
            _gemini_part(facts, "assistant" if content.get("role") == "model" else "user", part)
    for tool in body.get("tools") or ():
        for name, inner in tool.items():
            if name != "functionDeclarations":
                facts.server_tools.append(name)
                continue
            for function in inner:
                facts.opaque += left(function, "name description parameters parametersJsonSchema")
                schema = function.get("parametersJsonSchema", function.get("parameters"))
                facts.tools.append(Declared(function["name"], function.get("description") or "", schema))
    _calling(facts, body.get("toolConfig") or {})
    config = body.get("generationConfig") or {}
    facts.opaque += left(config, _CONFIG)
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    facts.output = schema or (True if config.get("responseMimeType") == "application/json" else None)
    thinking = config.get("thinkingConfig") or {}
    facts.budget = thinking.get("thinkingBudget")
    facts.effort = (thinking.get("thinkingLevel") or "").lower() or None
    if facts.budget is not None:
        facts.thinks, facts.budget = facts.budget != 0, facts.budget if facts.budget > 0 else None
    facts.wants_thoughts = thinking.get("includeThoughts") is True
    for name, wire in {
        "max_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "top_k": "topK",
        "stop": "stopSequences", "seed": "seed", "n": "candidateCount", "presence_penalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty", "logprobs": "responseLogprobs", "top_logprobs": "logprobs",
    }.items():  # fmt: skip
        facts.set(name, config.get(wire))
    return facts


def _parts(content: JSON) -> list[dict[str, JSON]]:
    match content:
        case {"parts": list(parts)}:
            return [*objects(parts)]
        case {"parts": dict(part)} | {"text": _, **part}:
            return [part or content]
        case str():
            return [{"text": content}]
        case _:
            return []


def _gemini_part(facts: Facts, role: Role, part: dict[str, JSON]) -> None:
    if part.get("thoughtSignature"):
        facts.opaque.append("thoughtSignature")
    match part:
        case {"text": text}:
            facts.say("thought" if part.get("thought") else role, text)
        case {"functionCall": call}:
            facts.calls.append(Called(call["name"], call.get("args") or {}))
        case {"functionResponse": answer}:
            _gemini_result(facts, answer)
        case {"inlineData": data}:
            facts.shown.append(show(_kind(data), data["data"], data.get("mimeType")))
        case {"fileData": data}:
            facts.shown.append(Shown(_kind(data), data["fileUri"]))
        case _:
            facts.opaque += [name for name in part if name not in ("thoughtSignature", "thought")][:1]


def _gemini_result(facts: Facts, answer: dict[str, JSON]) -> None:
    response = answer.get("response")
    error = isinstance(response, dict) and list(response) == ["error"]
    match response:
        case {"output": str(text)} | {"error": str(text)} if len(response) == 1:
            facts.say("tool", text)
        case _:
            text = response or ""
    facts.answers.append(Answered(text, error))
    for part in objects(answer.get("parts")):
        _gemini_part(facts, "tool", part)


def _kind(data: dict[str, JSON]) -> str:
    kind = (data.get("mimeType") or "").partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"


def _calling(facts: Facts, config: dict[str, JSON]) -> None:
    facts.opaque += left(config, "functionCallingConfig")
    calling = config.get("functionCallingConfig") or {}
    allowed = tuple(calling.get("allowedFunctionNames") or ())
    match (calling.get("mode") or "AUTO").upper():
        case "ANY" if len(allowed) == 1:
            facts.choice = ("tool", allowed)
        case "ANY":
            facts.choice = ("required", allowed)
        case "NONE":
            facts.choice = ("none", ())
        case _:
            facts.choice = ("auto", allowed)
