"""What providers say, in each of the five wire formats: whole answers, event streams and errors.

Written by hand after real provider traffic and on purpose without ``translators``: a fault there must not hide here.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

type Document = dict[str, Any]

FORMATS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model; ``custom`` is OpenAI's free-form kind."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: thinking, then text in pieces (one event each), then tool calls."""

    pieces: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    proof: str = "c2lnbmVk"
    """What its maker wants back with the thinking (chat has no word for it): a signature, or encrypted reasoning."""
    number: int = 1
    """What the answer's ids end with."""
    input_tokens: int = 11
    output_tokens: int = 7

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def sse(data: Document, event: str | None = None) -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


# ── anthropic-messages ──────────────────────────────────────────────────────────────────────────────────────────────


def _anthropic_whole(answer: Answer, model: str) -> Document:
    content: list[Document] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": answer.proof})
    if answer.pieces:
        content.append({"type": "text", "text": answer.text})
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
        for call in answer.calls
    ]
    return {
        "id": f"msg_{answer.number:02}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if answer.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
    }


def _anthropic_events(answer: Answer, model: str) -> Iterator[bytes]:
    def event(kind: str, **fields: Any) -> bytes:
        return sse({"type": kind, **fields}, kind)

    message = _anthropic_whole(answer, model)
    opened: Document = {**message, "content": [], "stop_reason": None}
    opened["usage"] = {"input_tokens": answer.input_tokens, "output_tokens": 1}
    yield event("message_start", message=opened)
    for index, block in enumerate(message["content"]):
        match block["type"]:
            case "thinking":
                start: Document = {"type": "thinking", "thinking": "", "signature": ""}
                deltas: list[Document] = [
                    {"type": "thinking_delta", "thinking": answer.thinking},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case "text":
                start = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in answer.pieces]
            case _:
                start = {**block, "input": {}}
                text = json.dumps(block["input"])
                deltas = [
                    {"type": "input_json_delta", "partial_json": part}
                    for part in ("", text[: len(text) // 2], text[len(text) // 2 :])
                ]
        yield event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": answer.output_tokens})
    yield event("message_stop")


# ── openai-chat ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _chat_usage(answer: Answer) -> Document:
    total = answer.input_tokens + answer.output_tokens
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": total,
    }


def _chat_calls(answer: Answer) -> list[Document]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in answer.calls
    ]


def _chat_whole(answer: Answer, model: str) -> Document:
    message: Document = {"role": "assistant", "content": answer.text or None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.calls:
        message["tool_calls"] = _chat_calls(answer)
    finish = "tool_calls" if answer.calls else "stop"
    return {
        "id": f"chatcmpl-{answer.number}",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _chat_usage(answer),
    }


def _chat_events(answer: Answer, model: str) -> Iterator[bytes]:
    head = {
        "id": f"chatcmpl-{answer.number}",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": model,
    }

    def chunk(delta: Document, finish: str | None = None) -> bytes:
        return sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    if answer.thinking:
        yield chunk({"reasoning_content": answer.thinking})
    for piece in answer.pieces:
        yield chunk({"content": piece})
    for index, call in enumerate(_chat_calls(answer)):
        text = call["function"]["arguments"]
        yield chunk({"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]})
        for part in (text[: len(text) // 2], text[len(text) // 2 :]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield chunk({}, "tool_calls" if answer.calls else "stop")
    yield sse({**head, "choices": [], "usage": _chat_usage(answer)})
    yield b"data: [DONE]\n\n"


# ── openai-responses ────────────────────────────────────────────────────────────────────────────────────────────────


def _responses_items(answer: Answer) -> list[Document]:
    items: list[Document] = []
    if answer.thinking:
        summary = [{"type": "summary_text", "text": answer.thinking}]
        items.append(
            {"id": f"rs_{answer.number}", "type": "reasoning", "summary": summary, "encrypted_content": answer.proof}
        )
    if answer.pieces:
        content = [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content})
    for number, call in enumerate(answer.calls):
        item: Document = {
            "id": f"{'ctc' if call.custom else 'fc'}_{number}",
            "type": "custom_tool_call" if call.custom else "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "input" if call.custom else "arguments": call.arguments,
        }
        if call.namespace:
            item["namespace"] = call.namespace
        items.append(item)
    return items


def _responses_whole(answer: Answer, model: str) -> Document:
    return {
        "id": f"resp_{answer.number}",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": _responses_items(answer),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def _responses_deltas(item: Document, answer: Answer) -> Iterator[tuple[str, Document]]:
    """Type and fields of the events between ``output_item.added`` and ``output_item.done``."""
    match item["type"]:
        case "reasoning":
            part = {"type": "summary_text", "text": answer.thinking}
            yield "reasoning_summary_part.added", {"summary_index": 0, "part": {**part, "text": ""}}
            yield "reasoning_summary_text.delta", {"summary_index": 0, "delta": answer.thinking}
            yield "reasoning_summary_text.done", {"summary_index": 0, "text": answer.thinking}
            yield "reasoning_summary_part.done", {"summary_index": 0, "part": part}
        case "message":
            part = item["content"][0]
            yield "content_part.added", {"content_index": 0, "part": {**part, "text": ""}}
            for piece in answer.pieces:
                yield "output_text.delta", {"content_index": 0, "delta": piece, "logprobs": []}
            yield "output_text.done", {"content_index": 0, "text": answer.text, "logprobs": []}
            yield "content_part.done", {"content_index": 0, "part": part}
        case "custom_tool_call":
            yield "custom_tool_call_input.delta", {"delta": item["input"]}
            yield "custom_tool_call_input.done", {"input": item["input"]}
        case _:
            text = item["arguments"]
            yield "function_call_arguments.delta", {"delta": text[: len(text) // 2]}
            yield "function_call_arguments.delta", {"delta": text[len(text) // 2 :]}
            yield "function_call_arguments.done", {"arguments": text, "name": item["name"]}


def _responses_events(answer: Answer, model: str) -> Iterator[bytes]:
    number = -1

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return sse({"type": f"response.{kind}", "sequence_number": number, **fields}, f"response.{kind}")

    whole = _responses_whole(answer, model)
    opened = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield event("created", response=opened)
    yield event("in_progress", response=opened)
    for index, item in enumerate(whole["output"]):
        start = {**item, "status": "in_progress"}
        start |= {name: empty for name, empty in _EMPTY.items() if name in item}
        yield event("output_item.added", output_index=index, item=start)
        for kind, fields in _responses_deltas(item, answer):
            yield event(kind, item_id=item["id"], output_index=index, **fields)
        yield event("output_item.done", output_index=index, item=item)
    yield event("completed", response=whole)


_EMPTY: Document = {"content": [], "summary": [], "arguments": "", "input": ""}


# ── gemini, gemini-cli ──────────────────────────────────────────────────────────────────────────────────────────────


def _gemini_parts(answer: Answer) -> Iterator[Document]:
    if answer.thinking:
        yield {"text": answer.thinking, "thought": True}
    for piece in answer.pieces:
        yield {"text": piece}
    for call in answer.calls:
        args = json.loads(call.arguments)
        yield {"functionCall": {"id": call.id, "name": call.name, "args": args}, "thoughtSignature": answer.proof}


def _gemini_chunk(answer: Answer, model: str, parts: list[Document], *, last: bool) -> Document:
    candidate: Document = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {"promptTokenCount": answer.input_tokens, "candidatesTokenCount": answer.output_tokens}
    usage["totalTokenCount"] = answer.input_tokens + answer.output_tokens
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": f"resp-g{answer.number}",
    }


def _gemini_whole(answer: Answer, model: str) -> Document:
    return _gemini_chunk(answer, model, list(_gemini_parts(answer)), last=True)


def gemini_chunks(answer: Answer, model: str) -> list[Document]:
    parts = list(_gemini_parts(answer))
    chunks = [_gemini_chunk(answer, model, [part], last=False) for part in parts]
    return [*chunks, _gemini_chunk(answer, model, [{"text": ""}], last=True)]


def _gemini_events(answer: Answer, model: str) -> Iterator[bytes]:
    yield from map(sse, gemini_chunks(answer, model))


def _cli_whole(answer: Answer, model: str) -> Document:
    return {"response": _gemini_whole(answer, model), "traceId": "trace-1"}


def _cli_events(answer: Answer, model: str) -> Iterator[bytes]:
    for chunk in gemini_chunks(answer, model):
        yield sse({"response": chunk, "traceId": "trace-1"})


# ── by format ───────────────────────────────────────────────────────────────────────────────────────────────────────

_WHOLE: dict[str, Callable[[Answer, str], Document]] = {
    "anthropic-messages": _anthropic_whole,
    "openai-chat": _chat_whole,
    "openai-responses": _responses_whole,
    "gemini": _gemini_whole,
    "gemini-cli": _cli_whole,
}
_EVENTS: dict[str, Callable[[Answer, str], Iterator[bytes]]] = {
    "anthropic-messages": _anthropic_events,
    "openai-chat": _chat_events,
    "openai-responses": _responses_events,
    "gemini": _gemini_events,
    "gemini-cli": _cli_events,
}


def whole(form: str, answer: Answer, model: str) -> bytes:
    return json.dumps(_WHOLE[form](answer, model)).encode()


def events(form: str, answer: Answer, model: str) -> list[bytes]:
    return list(_EVENTS[form](answer, model))
