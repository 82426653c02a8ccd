"""Answer streams made to hurt one format's parser, in words that the format's own renderer never uses.

By upstream and shape: the bytes of a stream of ``size`` events. ``linear.py`` measures how their time grows.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from translators.framing.sse import encode

type Document = dict[str, Any]


def _sse(documents: Iterable[Document]) -> bytes:
    return b"".join(encode(orjson.dumps(document)) for document in documents)


# ── chat ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _chat(deltas: Iterable[Document], **beside: Any) -> bytes:
    chunks: list[Document] = [{"id": "a", "model": "m", "choices": [{"delta": delta, **beside}]} for delta in deltas]
    return _sse([*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]) + b"data: [DONE]\n\n"


def _detail(number: int, index: int) -> Document:
    return {"reasoning_details": [{"type": "reasoning.text", "index": index, "text": f"word {number} "}]}


def _call(arguments: str, **beside: Any) -> Document:
    return {"tool_calls": [{"function": {"name": "get_weather", "arguments": arguments}, **beside}]}


def _pieces(size: int) -> list[str]:
    return ['{"city": "', *(["x}"] * size), '"}']


_LOGPROB: Document = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}
_CHAT: Mapping[str, Callable[[int], bytes]] = {
    "details of one index": lambda size: _chat(_detail(number, 0) for number in range(size)),
    "details of many indexes": lambda size: _chat(_detail(number, number) for number in range(size)),
    "logprobs": lambda size: _chat([{"content": "a"}] * size, logprobs=_LOGPROB),
    "sound": lambda size: _chat({"audio": {"id": "s", "data": "AAAA" * 8, "transcript": "a b "}} for _ in range(size)),
    "a call by name alone": lambda size: _chat(map(_call, _pieces(size))),
    "a call by name and id": lambda size: _chat(_call(piece, id="call_1") for piece in _pieces(size)),
    "a long call between new ones": lambda size: _chat(
        _call("{}" if turn % 2 else "x}", index=turn % 2, id=f"call_{turn if turn % 2 else 0}") for turn in range(size)
    ),
    "arguments without a name": lambda size: _chat(
        {"tool_calls": [{"index": 0, "function": {"arguments": "x"}}]} for _ in range(size)
    ),
    "white space": lambda size: _chat({"content": " \n"} for _ in range(size)),
    "white space in a thought": lambda size: _chat([{"content": "<think>"}, *({"content": " \n"} for _ in range(size))]),
    "unknown fields": lambda size: _chat({"content": "a", f"field_{number}": number} for number in range(size)),
    "usage of unknown fields": lambda size: _sse(
        {"choices": [{"delta": {"content": "a"}}], "usage": {"completion_tokens": number, f"field_{number}": number}}
        for number in range(size)
    ),
    "annotations": lambda size: _chat(
        {"content": "a", "annotations": [{"type": "url_citation", "url_citation": {"url": f"https://a.b/{number}"}}]}
        for number in range(size)
    ),
}  # fmt: skip


# ── Anthropic ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _anthropic(block: Document, deltas: Iterable[Document]) -> bytes:
    start: Document = {"type": "message_start", "message": {"id": "a", "model": "m", "usage": {"input_tokens": 1}}}
    said: list[Document] = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    opened: Document = {"type": "content_block_start", "index": 0, "content_block": block}
    stop: Document = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    return _sse([start, opened, *said, {"type": "content_block_stop", "index": 0}, stop, {"type": "message_stop"}])


_SERVER_TOOL: Document = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
_ANTHROPIC: Mapping[str, Callable[[int], bytes]] = {
    "a block nobody knows": lambda size: _anthropic(
        {"type": "novelty", "text": ""}, ({"type": "text_delta", "text": "word "} for _ in range(size))
    ),
    "the input of a server tool": lambda size: _anthropic(
        _SERVER_TOOL, ({"type": "input_json_delta", "partial_json": piece} for piece in _pieces(size))
    ),
    "citations": lambda size: _anthropic(
        {"type": "text", "text": ""},
        ({"type": "citations_delta", "citation": {"type": "page_location", "cited_text": str(n)}} for n in range(size)),
    ),
    "blocks without an end": lambda size: _sse(
        {"type": "content_block_start", "index": number, "content_block": {"type": "text", "text": "a"}}
        for number in range(size)
    ),
    "usage of unknown fields": lambda size: _sse(
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": number, f"field_{number}": number}}
        for number in range(size)
    ),
    "signatures": lambda size: _anthropic(
        {"type": "thinking", "thinking": "a"}, ({"type": "signature_delta", "signature": "QUJD"} for _ in range(size))
    ),
}  # fmt: skip


# ── Responses ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _responses(events: Iterable[Document]) -> bytes:
    done: Document = {"type": "response.completed", "response": {"id": "a", "status": "completed", "output": []}}
    return _sse([{"type": "response.created", "response": {"id": "a", "model": "m"}}, *events, done])


_TEXT: Document = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_RESPONSES: Mapping[str, Callable[[int], bytes]] = {
    "text that is done again and again": lambda size: _responses(
        {"type": f"response.output_text.{'done' if number % 2 else 'delta'}", "delta": "word ", "text": "w", **_TEXT}
        for number in range(size)
    ),
    "thoughts of many indexes": lambda size: _responses(
        {"type": f"response.reasoning_summary_text.{kind}", "delta": "a", "text": "a",
         "item_id": "rs_1", "output_index": 0, "summary_index": number}
        for number in range(size) for kind in ("delta", "done")
    ),
    "a thought that is done again and again": lambda size: _responses(
        {"type": f"response.reasoning_text.{'done' if number % 2 else 'delta'}", "delta": "word ", "text": "w",
         "item_id": "rs_1", "output_index": 0, "content_index": 0}
        for number in range(size)
    ),
    "arguments that are done again and again": lambda size: _responses(
        [{"type": "response.output_item.added", "output_index": 0,
          "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather"}},
         *({"type": f"response.function_call_arguments.{'done' if number % 2 else 'delta'}", "delta": "word ",
            "arguments": "w", "item_id": "fc_1", "output_index": 0} for number in range(size))]
    ),
    "annotations": lambda size: _responses(
        {"type": "response.output_text.annotation.added", **_TEXT,
         "annotation": {"type": "url_citation", "url": "https://a.b", "start_index": 0, "end_index": 1}}
        for _ in range(size)
    ),
    "items without an end": lambda size: _responses(
        {"type": "response.output_item.added", "output_index": number,
         "item": {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": "get_weather"}}
        for number in range(size)
    ),
    "arguments without a name": lambda size: _responses(
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": "x"}
        for _ in range(size)
    ),
}  # fmt: skip


# ── Gemini ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _gemini(parts: Iterable[Document], **beside: Any) -> bytes:
    chunks: list[Document] = [{"candidates": [{"content": {"parts": [part]}, **beside}]} for part in parts]
    return _sse([*chunks, {"candidates": [{"finishReason": "STOP"}], "modelVersion": "m", "responseId": "a"}])


def _argument(path: str, *, more: bool = True) -> Document:
    value: Document = {"jsonPath": path, "stringValue": "word ", "willContinue": True}
    return {"functionCall": {"partialArgs": [value], "willContinue": more}}


_NAMED: Document = {"functionCall": {"name": "get_weather", "willContinue": True}}
_WEB: Document = {"web": {"uri": "https://a.b", "title": "a"}}
_GEMINI: Mapping[str, Callable[[int], bytes]] = {
    "one argument in many pieces": lambda size: _gemini([_NAMED, *(_argument("$.city") for _ in range(size))]),
    "many arguments": lambda size: _gemini([_NAMED, *(_argument(f"$.city_{number}") for number in range(size))]),
    "signed texts": lambda size: _gemini({"text": "a", "thoughtSignature": "QUJD"} for _ in range(size)),
    "text and thoughts in turn": lambda size: _gemini({"text": "a", "thought": bool(n % 2)} for n in range(size)),
    "grounding": lambda size: _gemini(
        [{"text": "word "}] * size,
        groundingMetadata={"groundingChunks": [_WEB], "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 4}, "groundingChunkIndices": [0]}]},
    ),
    "much grounding": lambda size: _gemini(
        [{"text": "word " * size}],
        groundingMetadata={"groundingChunks": [_WEB] * size, "groundingSupports": [
            {"segment": {"startIndex": 5 * n, "endIndex": 5 * n + 4}, "groundingChunkIndices": [n]} for n in range(size)]},
    ),
}  # fmt: skip

STREAMS: Mapping[str, Mapping[str, Callable[[int], bytes]]] = {
    "anthropic-messages": _ANTHROPIC,
    "gemini": _GEMINI,
    "openai-chat": _CHAT,
    "openai-responses": _RESPONSES,
}
