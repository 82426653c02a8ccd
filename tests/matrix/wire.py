"""Reads answers from their JSON as the vendors document it, without any code of ours: what a translation is held to.

``whole`` and ``stream`` read what a provider sent, dialects of the chat format included. The ``read_*`` functions read
one whole answer of a format; the clients' side uses them on what the official SDK has made of the translated bytes.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.matrix.said import Broken, Call, Said, Stop

type Object = dict[str, Any]

ENVELOPED = ("gemini-cli", "antigravity")
"""The formats that put Gemini's documents in an envelope."""

_ANTHROPIC_STOPS: Mapping[str, Stop] = {
    "end_turn": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "pause_turn": "pause",
}
_CHAT_STOPS: Mapping[str, Stop] = {
    "stop": "end",
    "": "end",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "length",
    "content_filter": "refusal",
}
_INCOMPLETE: Mapping[str, Stop] = {"max_output_tokens": "length", "content_filter": "refusal"}
_GEMINI_STOPS: Mapping[str, Stop] = {
    "STOP": "end",
    "MAX_TOKENS": "length",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "IMAGE_SAFETY": "refusal",
    "IMAGE_PROHIBITED_CONTENT": "refusal",
    "IMAGE_RECITATION": "refusal",
}


def whole(format_name: str, body: str) -> Said | Broken:
    """A whole answer of a provider."""
    answer = _ours(format_name, json.loads(body))
    if answer.get("error"):
        return Broken(_message(answer["error"]))
    if format_name == "openai-chat" and "choices" not in answer:
        return Broken("no answer")
    return READERS[format_name](answer)


def stream(format_name: str, body: str) -> Said | Broken:
    """A streamed answer of a provider."""
    chunks = [_ours(format_name, json.loads(data)) for data in sse(body) if data != "[DONE]"]
    for chunk in chunks:
        if chunk.get("error") or chunk.get("type") == "error":
            return Broken(_message(chunk.get("error") or chunk))
    return READERS[format_name](_FOLDS[format_name](chunks))


def sse(body: str) -> Iterable[str]:
    """The data of server-sent events."""
    lines: list[str] = []
    for line in [*body.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            lines.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


def _ours(format_name: str, answer: Object) -> Object:
    return answer["response"] if format_name in ENVELOPED and "response" in answer else answer


def _message(error: Any) -> str:
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


# ── whole answers ───────────────────────────────────────────────────────────────────────────────────────────────────


def read_anthropic(message: Object) -> Said:
    text, thinking, calls, citations = "", "", [], []
    for block in message["content"]:
        match block["type"]:
            case "text":
                text += block["text"]
                citations += [cited.get("url") for cited in block.get("citations") or ()]
            case "thinking":
                thinking += block["thinking"]
            case "tool_use":
                calls.append(Call(block["id"], block["name"], block["input"]))
            case _:
                pass
    usage = message["usage"]
    cached, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    return Said(
        text,
        thinking,
        calls=tuple(calls),
        stop=_ANTHROPIC_STOPS.get(message["stop_reason"], "other"),
        input=usage["input_tokens"] + cached + written,
        output=usage["output_tokens"],
        cached=cached,
        written=written,
        reasoning=(usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        citations=_addresses(citations),
    )


def read_chat(completion: Object) -> Said:
    """With the dialects: reasoning under other names or inside of the content, cached tokens under other names."""
    choice = completion["choices"][0]
    message = choice["message"]
    text, thinking = message.get("content") or "", ""
    if isinstance(text, list):
        parts, text = text, ""
        for part in parts:
            if part["type"] == "thinking":
                thinking += "".join(inner["text"] for inner in part["thinking"])
            elif part["type"] == "text":
                text += part["text"]
    details = [part.get("text") or part.get("summary") or "" for part in message.get("reasoning_details") or ()]
    thinking += message.get("reasoning_content") or message.get("reasoning") or "".join(details)
    calls = [_chat_call(call) for call in message.get("tool_calls") or ()]
    legacy = message.get("function_call") or {}
    if legacy.get("name"):
        calls.append(Call("", legacy["name"], arguments(legacy["arguments"])))
    stop = _CHAT_STOPS.get(choice["finish_reason"] or "", "other")
    usage = completion.get("usage") or {}
    details_in = usage.get("prompt_tokens_details") or {}
    details_out = usage.get("completion_tokens_details") or {}
    other_words = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")
    refusal = message.get("refusal") or ""
    reasoning, beside = _chat_reasoning(usage, details_out)
    return Said(
        text,
        thinking,
        refusal=refusal,
        calls=tuple(calls),
        stop="tools" if calls and stop == "end" else "refusal" if refusal and stop == "end" else stop,
        input=usage.get("prompt_tokens") or 0,
        output=(usage.get("completion_tokens") or 0) + beside,
        cached=details_in.get("cached_tokens") or next((usage[word] for word in other_words if usage.get(word)), 0),
        written=details_in.get("cache_write_tokens") or 0,
        reasoning=reasoning,
        citations=_addresses(
            note["url_citation"].get("url")
            for note in message.get("annotations") or ()
            if note["type"] == "url_citation"
        ),
    )


def _chat_reasoning(usage: Object, details: Object) -> tuple[int, int]:
    """Reasoning tokens, and how many of them stand beside ``completion_tokens``: xAI's and Google's total tells."""
    counts = [usage.get(name) or 0 for name in ("total_tokens", "prompt_tokens", "completion_tokens")]
    missing = counts[0] - counts[1] - counts[2]
    told = details.get("reasoning_tokens") or 0
    if missing <= 0 or (details and told != missing):
        return told, 0
    return missing, missing


def _chat_call(call: Object) -> Call:
    function = call.get("function") or {}
    if not function.get("name") and (custom := call.get("custom") or {}).get("name"):
        return Call(call["id"], custom["name"], custom["input"])
    return Call(call.get("id") or "", function["name"], arguments(function.get("arguments") or "{}"))


def read_responses(response: Object) -> Said:
    text, refusal, thinking, calls, citations = "", "", "", [], []
    for item in response["output"]:
        match item["type"]:
            case "message":
                for part in item["content"]:
                    text += part.get("text") or ""
                    refusal += part.get("refusal") or ""
                    citations += [note.get("url") for note in part.get("annotations") or ()]
            case "reasoning":
                shown = item.get("summary") or item.get("content") or ()
                thinking += "\n\n".join(part["text"] for part in shown)
            case "function_call":
                calls.append(Call(item["call_id"], item["name"], arguments(item["arguments"])))
            case "custom_tool_call":
                calls.append(Call(item["call_id"], item["name"], item["input"]))
            case _:
                pass
    usage = response.get("usage") or {}
    why = (response.get("incomplete_details") or {}).get("reason")
    stop: Stop = "tools" if calls else "refusal" if refusal else "end"
    if response["status"] == "incomplete":
        stop = _INCOMPLETE.get(str(why), "other")
    details = usage.get("input_tokens_details") or {}
    return Said(
        text,
        thinking,
        refusal,
        tuple(calls),
        stop,
        input=usage.get("input_tokens") or 0,
        output=usage.get("output_tokens") or 0,
        cached=details.get("cached_tokens") or 0,
        written=details.get("cache_write_tokens") or 0,
        reasoning=(usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0,
        citations=_addresses(citations),
    )


def read_gemini(answer: Object) -> Said:
    candidate = (answer.get("candidates") or [{}])[0]
    text, thinking, calls = "", "", []
    for part in (candidate.get("content") or {}).get("parts") or ():
        if call := part.get("functionCall"):
            calls.append(Call(call.get("id") or "", call["name"], call.get("args") or {}))
        elif part.get("thought"):
            thinking += part.get("text") or ""
        else:
            text += part.get("text") or ""
    stop = _GEMINI_STOPS.get(candidate.get("finishReason") or "", "other")
    feedback = answer.get("promptFeedback") or {}
    if feedback.get("blockReason"):
        stop = "refusal"
    usage = answer.get("usageMetadata") or {}
    thoughts = usage.get("thoughtsTokenCount") or 0
    return Said(
        text,
        thinking,
        refusal=feedback.get("blockReasonMessage") or "",
        calls=tuple(calls),
        stop="tools" if calls and stop in ("end", "other") else stop,
        input=(usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0),
        output=(usage.get("candidatesTokenCount") or 0) + thoughts,
        cached=usage.get("cachedContentTokenCount") or 0,
        reasoning=thoughts,
        citations=_addresses(_sources(candidate.get("groundingMetadata") or {})),
    )


def _sources(grounding: Object) -> Iterable[str | None]:
    """Of the chunks that a passage is backed by; of all when no passage is named."""
    chunks = [(chunk.get("web") or {}).get("uri") for chunk in grounding.get("groundingChunks") or ()]
    supports = grounding.get("groundingSupports") or ()
    backed = [chunks[number] for support in supports for number in support.get("groundingChunkIndices") or ()]
    return backed or chunks


def _addresses(urls: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(url for url in urls if url)


def arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


READERS: Mapping[str, Callable[[Object], Said]] = {
    "anthropic-messages": read_anthropic,
    "openai-chat": read_chat,
    "openai-responses": read_responses,
    "gemini": read_gemini,
    "gemini-cli": read_gemini,
    "antigravity": read_gemini,
}


# ── streams, folded to whole answers ────────────────────────────────────────────────────────────────────────────────


def _fold_anthropic(events: list[Object]) -> Object:
    message: Object = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"] | {"content": []}
            case "content_block_start":
                message["content"].append(dict(event["content_block"]))
            case "content_block_delta":
                _grow(message["content"][event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] = message["usage"] | {k: v for k, v in event["usage"].items() if v is not None}
            case _:
                pass
    for block in message["content"]:
        if text := block.pop("partial", ""):
            block["input"] = json.loads(text)
    return message


def _grow(block: Object, delta: Object) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        case "input_json_delta":
            block["partial"] = block.get("partial", "") + delta["partial_json"]
        case _:
            pass


def _fold_chat(chunks: list[Object]) -> Object:
    message: Object = {"tool_calls": []}
    calls: dict[Any, Object] = {}
    finish, usage = None, None
    for chunk in chunks:
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or usage
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            for name in ("reasoning_content", "reasoning", "refusal"):
                message[name] = message.get(name, "") + (delta.get(name) or "")
            content = delta.get("content") or ""
            if isinstance(content, list):
                for part in content:
                    if part["type"] == "thinking":
                        thoughts = "".join(inner["text"] for inner in part["thinking"])
                        message["reasoning_content"] += thoughts
                content = "".join(part["text"] for part in content if part["type"] == "text")
            message["content"] = message.get("content", "") + content
            for name in ("annotations", "reasoning_details"):
                message[name] = [*message.get(name, ()), *(delta.get(name) or ())]
            for piece in delta.get("tool_calls") or ():
                function = piece.get("function") or {}
                key = piece.get("index", piece.get("id"))
                call = calls.setdefault(key, {"id": "", "function": {"name": "", "arguments": ""}})
                call["id"] = call["id"] or piece.get("id") or ""
                call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
                call["function"]["arguments"] += function.get("arguments") or ""
            finish = choice.get("finish_reason") or finish
    message["tool_calls"] = [*calls.values()]
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def _fold_responses(events: list[Object]) -> Object:
    items = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    ends = ("response.completed", "response.incomplete")
    response = next(event["response"] for event in reversed(events) if event["type"] in ends)
    return response | {"output": response.get("output") or [items[index] for index in sorted(items)]}


def fold_gemini(chunks: list[Object]) -> Object:
    parts: list[Object] = []
    candidate: Object = {}
    answer: Object = {}
    for chunk in chunks:
        answer |= {name: value for name, value in chunk.items() if name != "candidates"}
        for piece in (chunk.get("candidates") or ())[:1]:
            parts += (piece.get("content") or {}).get("parts") or ()
            candidate |= {name: value for name, value in piece.items() if name != "content" and value}
    return answer | {"candidates": [candidate | {"content": {"parts": parts}}]}


_FOLDS: Mapping[str, Callable[[list[Object]], Object]] = {
    "anthropic-messages": _fold_anthropic,
    "openai-chat": _fold_chat,
    "openai-responses": _fold_responses,
    "gemini": fold_gemini,
    "gemini-cli": fold_gemini,
    "antigravity": fold_gemini,
}
