"""Raw requests of each wire format → :class:`Facts`; Gemini's are read in ``request_gemini``."""

from collections.abc import Mapping

from tests.matrix.request_facts import JSON, Answered, Called, Declared, Facts, Role, Shown, left, objects, parsed, show
from tests.matrix.request_gemini import read_gemini

_EFFORTS = {"low", "medium", "high", "xhigh", "max", "minimal"}


def read(name: str, body: dict[str, JSON], path: str) -> Facts:
    match name:
        case "anthropic-messages":
            return _anthropic(body)
        case "openai-chat":
            return _chat(body)
        case "openai-responses":
            return _responses(body)
        case "gemini":
            facts = read_gemini(body)
        case _:
            facts = read_gemini(body["request"])
            facts.opaque += left(body, "model request project user_prompt_id")
    facts.settings["stream"] = "streamGenerateContent" in path
    return facts


# ── anthropic-messages ──────────────────────────────────────────────────────────────────────────────────────────────

_ANTHROPIC = (
    "model messages system max_tokens temperature top_p top_k stop_sequences stream tools tool_choice thinking "
    "output_config output_format metadata service_tier betas"
)


def _anthropic(body: dict[str, JSON]) -> Facts:
    facts = Facts(opaque=left(body, _ANTHROPIC))
    _blocks(facts, "system", body.get("system"))
    for message in objects(body.get("messages")):
        _blocks(facts, message["role"], message.get("content"))
    for tool in objects(body.get("tools")):
        if tool.get("type") not in (None, "custom"):
            facts.server_tools.append(tool["type"])
            continue
        facts.opaque += left(tool, "type name description input_schema strict defer_loading")
        facts.tools.append(
            Declared(
                tool["name"],
                tool.get("description") or "",
                tool.get("input_schema"),
                strict=tool.get("strict") is True,
                deferred=tool.get("defer_loading") is True,
            )
        )
    choice = body.get("tool_choice") or {"type": "auto"}
    modes = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}
    facts.choice = (modes[choice["type"]], (choice["name"],) if choice["type"] == "tool" else ())
    facts.parallel = choice.get("disable_parallel_tool_use") is not True
    config = body.get("output_config") or {}
    facts.opaque += left(config, "effort format")
    facts.output = (config.get("format") or body.get("output_format") or {}).get("schema")
    thinking = body.get("thinking") or {}
    if thinking:
        facts.thinks = thinking["type"] != "disabled"
        facts.budget = thinking.get("budget_tokens")
    facts.effort = config.get("effort")
    for name in ("max_tokens", "temperature", "top_p", "top_k", "service_tier"):
        facts.set(name, body.get(name))
    facts.set("stop", body.get("stop_sequences"))
    facts.set("user", (body.get("metadata") or {}).get("user_id"))
    facts.set("stream", body.get("stream") is True)
    return facts


def _blocks(facts: Facts, role: Role, content: JSON) -> None:
    if isinstance(content, str):
        facts.say(role, content)
    for block in objects(content):
        match block["type"]:
            case "text":
                facts.say(role, block["text"])
                facts.opaque += left(block, "type text")
            case "thinking":
                facts.say("thought", block["thinking"])
                facts.opaque += left(block, "type thinking")
            case "image" | "document":
                _anthropic_media(facts, block)
            case "tool_use":
                facts.calls.append(Called(block["name"], block.get("input") or {}))
                facts.opaque += [name for name in left(block, "type id name input") if name != "caller"]
            case "tool_result":
                _anthropic_result(facts, block)
            case other:
                facts.opaque.append(other)


def _anthropic_media(facts: Facts, block: Mapping[str, JSON]) -> None:
    source = block["source"]
    match source["type"]:
        case "base64":
            facts.shown.append(show(block["type"], source["data"], source.get("media_type")))
        case "text":
            facts.shown.append(Shown(block["type"], source["data"]))
        case "content":
            inner = Facts()
            _blocks(inner, "user", source["content"])
            facts.shown += [*(Shown("document", text) for _, text in inner.said), *inner.shown]
        case _:
            facts.shown.append(Shown(block["type"], source.get("url") or source["file_id"]))
    facts.opaque += left(dict(block), "type source title")


def _anthropic_result(facts: Facts, block: dict[str, JSON]) -> None:
    content = block.get("content")
    inner = Facts()
    if isinstance(content, str):
        inner.say("tool", content)
    for one in objects(content):
        if one["type"] == "tool_reference":
            inner.say("tool", one["tool_name"])
        else:
            _blocks(inner, "tool", [one])
    facts.shown += inner.shown
    facts.opaque += inner.opaque + left(block, "type tool_use_id content is_error")
    facts.said += inner.said
    facts.answers.append(Answered("\n".join(text for _, text in inner.said), block.get("is_error") is True))


# ── openai-chat ─────────────────────────────────────────────────────────────────────────────────────────────────────

_CHAT = (
    "model messages tools functions tool_choice function_call parallel_tool_calls max_tokens max_completion_tokens "
    "temperature top_p top_k stop seed n presence_penalty frequency_penalty logprobs top_logprobs reasoning_effort "
    "reasoning thinking response_format verbosity user safety_identifier prompt_cache_key service_tier stream "
    "stream_options store web_search_options"
)
_TOLD: dict[str, Role] = {"developer": "system", "function": "tool"}


def _chat(body: dict[str, JSON]) -> Facts:
    facts = Facts(opaque=left(body, _CHAT))
    for message in objects(body["messages"]):
        _chat_message(facts, message)
    for tool in objects(body.get("tools")):
        _openai_tool(facts, {**tool, **(tool.get("function") or tool.get("custom") or {})})
    for function in objects(body.get("functions")):
        _openai_tool(facts, {**function, "type": "function"})
    if body.get("web_search_options") is not None:
        facts.server_tools.append("web_search")
    facts.choice = _openai_choice(body.get("tool_choice") or body.get("function_call"))
    facts.parallel = body.get("parallel_tool_calls") is not False
    form = body.get("response_format") or {}
    facts.output = True if form.get("type") == "json_object" else (form.get("json_schema") or {}).get("schema")
    router = body.get("reasoning") or {}
    _effort(facts, body.get("reasoning_effort") or router.get("effort"))
    facts.budget = router.get("max_tokens") or (body.get("thinking") or {}).get("budget_tokens")
    if (switch := (body.get("thinking") or {}).get("type")) is not None:
        facts.thinks = switch != "disabled"
    facts.set("store", body.get("store") or None)
    facts.set("max_tokens", body.get("max_completion_tokens") or body.get("max_tokens"))
    stop = body.get("stop")
    facts.set("stop", [stop] if isinstance(stop, str) else stop)
    facts.set("user", body.get("user") or body.get("safety_identifier"))
    facts.set("cache_key", body.get("prompt_cache_key"))
    for name in [
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "n",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "verbosity",
        "service_tier",
    ]:
        facts.set(name, body.get(name))
    facts.set("stream", body.get("stream") is True)
    return facts


def _chat_message(facts: Facts, message: dict[str, JSON]) -> None:
    role: Role = _TOLD.get(message["role"], message["role"])
    before = len(facts.said)
    _chat_content(facts, role, message.get("content"))
    if role == "tool":
        facts.answers.append(Answered("\n".join(text for _, text in facts.said[before:])))
        return
    facts.say("assistant", message.get("refusal"))
    facts.say("thought", message.get("reasoning_content") or message.get("reasoning"))
    for call in objects(message.get("tool_calls")):
        if call.get("type") == "custom":
            facts.calls.append(Called(call["custom"]["name"], call["custom"]["input"]))
        else:
            facts.calls.append(Called(call["function"]["name"], parsed(call["function"].get("arguments"))))
    if legacy := message.get("function_call"):
        facts.calls.append(Called(legacy["name"], parsed(legacy.get("arguments"))))


def _chat_content(facts: Facts, role: Role, content: JSON) -> None:
    facts.say(role, content)
    for part in objects(content):
        match part.get("type"):
            case "text":
                facts.say(role, part["text"])
                facts.opaque += left(part, "type text")
            case "refusal":
                facts.say(role, part["refusal"])
            case "image_url" | "document_url" | "video_url" | "input_audio" | "file":
                facts.shown.append(_chat_media(part))
            case "thinking":
                for one in objects(part["thinking"]):
                    facts.say("thought", one.get("text"))
            case other:
                facts.opaque.append(str(other))


def _chat_media(part: dict[str, JSON]) -> Shown:
    match part:
        case {"type": "input_audio", "input_audio": sound}:
            return show("audio", sound["data"])
        case {"type": "file", "file": {"file_id": str(file_id)}}:
            return Shown("document", file_id)
        case {"type": "file", "file": file}:
            return show("document", file["file_data"])
        case _:
            link = part[part["type"]]
            return show(part["type"].removesuffix("_url"), link if isinstance(link, str) else link["url"])


def _openai_tool(facts: Facts, tool: dict[str, JSON], namespace: str = "") -> None:
    match tool.get("type") or "function":
        case "function":
            facts.tools.append(
                Declared(
                    namespace + tool["name"],
                    tool.get("description") or "",
                    tool.get("parameters"),
                    strict=tool.get("strict") is True,
                    deferred=tool.get("defer_loading") is True,
                )
            )
        case "custom":
            facts.tools.append(
                Declared(namespace + tool["name"], tool.get("description") or "", tool.get("format"), custom=True)
            )
        case "namespace":
            for inner in objects(tool["tools"]):
                _openai_tool(facts, inner, tool["name"] + ("" if tool["name"].endswith("__") else "__"))
        case other:
            facts.server_tools.append(other)


def _openai_choice(choice: JSON) -> tuple[str, tuple[str, ...]]:
    match choice:
        case None:
            return "auto", ()
        case "any":
            return "required", ()
        case str():
            return choice, ()
        case {"type": "allowed_tools"}:
            allowed = choice.get("allowed_tools") or choice
            names = [_named(tool) for tool in objects(allowed["tools"])]
            return allowed.get("mode") or "auto", tuple(name for name in names if name)
        case dict():
            return ("tool", (_named(choice),)) if _named(choice) else ("server", (str(choice.get("type")),))
        case _:
            raise ValueError(choice)


def _named(tool: dict[str, JSON]) -> str:
    return (tool.get("function") or tool.get("custom") or tool).get("name") or ""


def _effort(facts: Facts, effort: JSON) -> None:
    if effort == "none":
        facts.thinks = False
    elif effort is not None:
        facts.effort = effort


# ── openai-responses ────────────────────────────────────────────────────────────────────────────────────────────────

_RESPONSES = (
    "model input instructions tools tool_choice parallel_tool_calls max_output_tokens temperature top_p top_logprobs "
    "reasoning text stream user safety_identifier prompt_cache_key service_tier include store"
)


def _responses(body: dict[str, JSON]) -> Facts:
    facts = Facts(opaque=left(body, _RESPONSES))
    facts.state = any(body.get(name) for name in ("previous_response_id", "conversation", "prompt"))
    facts.say("system", body.get("instructions"))
    given = body.get("input")
    for tool in objects(body.get("tools")):
        _openai_tool(facts, tool)
    if isinstance(given, str):
        facts.say("user", given)
    for item in objects(given):
        _item(facts, item)
    facts.choice = _openai_choice(body.get("tool_choice"))
    facts.parallel = body.get("parallel_tool_calls") is not False
    options = body.get("text") or {}
    form = options.get("format") or {}
    facts.output = True if form.get("type") == "json_object" else form.get("schema")
    reasoning = body.get("reasoning") or {}
    _effort(facts, reasoning.get("effort"))
    facts.wants_thoughts = bool(reasoning.get("summary") or reasoning.get("generate_summary"))
    facts.opaque += left(reasoning, "effort summary generate_summary")
    facts.set("store", body.get("store") or None)
    facts.set("max_tokens", body.get("max_output_tokens"))
    facts.set("verbosity", options.get("verbosity"))
    facts.set("user", body.get("user") or body.get("safety_identifier"))
    facts.set("cache_key", body.get("prompt_cache_key"))
    wanted = body.get("include") or []
    facts.set("logprobs", True if "message.output_text.logprobs" in wanted else None)
    ours = {"message.output_text.logprobs", "reasoning.encrypted_content"}
    facts.opaque += ["include"] if set(wanted) - ours else []
    for name in ("temperature", "top_p", "top_logprobs", "service_tier"):
        facts.set(name, body.get(name))
    facts.set("stream", body.get("stream") is True)
    return facts


def _item(facts: Facts, item: dict[str, JSON]) -> None:
    match item.get("type", "message"):
        case "message":
            role: Role = _TOLD.get(item["role"], item["role"])
            facts.say(role, item.get("content"))
            for part in objects(item.get("content")):
                _input_part(facts, role, part)
        case "function_call":
            facts.calls.append(Called(_flat(item), parsed(item["arguments"])))
        case "custom_tool_call":
            facts.calls.append(Called(_flat(item), item["input"]))
        case "function_call_output" | "custom_tool_call_output":
            _output_item(facts, item["output"])
        case "reasoning":
            _reasoning_item(facts, item)
        case "additional_tools" | "tool_search_output" as kind:
            for tool in objects(item.get("tools")):
                _openai_tool(facts, tool)
            facts.opaque += ["tool_search"] if kind == "tool_search_output" else []
        case "item_reference" | "compaction":
            facts.state = True
        case other:
            facts.opaque.append(other)


def _output_item(facts: Facts, output: JSON) -> None:
    before = len(facts.said)
    facts.say("tool", output)
    for part in objects(output):
        _input_part(facts, "tool", part)
    facts.answers.append(Answered("\n".join(text for _, text in facts.said[before:])))


def _reasoning_item(facts: Facts, item: dict[str, JSON]) -> None:
    for part in [*objects(item.get("summary")), *objects(item.get("content"))]:
        facts.say("thought", part["text"])
    facts.opaque += ["encrypted_content"] if item.get("encrypted_content") else []


def _flat(item: dict[str, JSON]) -> str:
    namespace = item.get("namespace") or ""
    return namespace + ("__" if namespace and not namespace.endswith("__") else "") + item["name"]


def _input_part(facts: Facts, role: Role, part: dict[str, JSON]) -> None:
    match part["type"]:
        case "input_text" | "output_text" | "text" | "summary_text":
            facts.say(role, part["text"])
        case "refusal":
            facts.say(role, part["refusal"])
        case "input_image" if part.get("file_id"):
            facts.shown.append(Shown("image", part["file_id"]))
        case "input_image":
            facts.shown.append(show("image", part["image_url"]))
        case "input_file" if part.get("file_id") or part.get("file_url"):
            facts.shown.append(Shown("document", part.get("file_id") or part["file_url"]))
        case "input_file":
            facts.shown.append(show("document", part["file_data"]))
        case "input_audio":
            facts.shown.append(show("audio", part["input_audio"]["data"]))
        case other:
            facts.opaque.append(other)
