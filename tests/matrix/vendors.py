"""Streams as different vendors order and cut them: many ways to say the same thing.

Each function takes the chunks of a plain stream and returns the same answer told another way. They come from the
recordings and from the reports of users: every one of them is sent by a provider that exists.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

type Chunk = dict[str, Any]
type Chunks = list[Chunk]

USAGE: Chunk = {
    "prompt_tokens": 30,
    "completion_tokens": 20,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 6},
}


def sse(chunks: Iterable[Chunk], *, done: bool = False, named: bool = False) -> str:
    """``named``: with the ``event`` line that Anthropic and Responses send."""
    out = [(f"event: {chunk['type']}\n" if named else "") + f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join(out) + "data: [DONE]\n\n" * done


# ── chat ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def chat(delta: Chunk | None = None, finish: str | None = None, **more: Any) -> Chunk:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": choices, **more}


def chat_call(index: int, arguments: str, **first: str) -> Chunk:
    name = first.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": index, **first, "function": function}]}


def chat_stream() -> Chunks:
    return [
        chat({"role": "assistant", "content": ""}),
        chat({"reasoning_content": "I look "}),
        chat({"reasoning_content": "at both."}),
        chat({"content": "Let me "}),
        chat({"content": "see."}),
        chat(chat_call(0, "", id="call_a", type="function", name="read_file")),
        chat(chat_call(0, '{"path": ')),
        chat(chat_call(0, '"a.txt"}')),
        chat(chat_call(1, "", id="call_b", type="function", name="read_file")),
        chat(chat_call(1, '{"path": "b.txt"}')),
        chat({}, "tool_calls"),
        chat(usage=USAGE),
    ]


def _each_delta(chunks: Chunks, change: Callable[[Chunk], None]) -> Chunks:
    chunks = copy.deepcopy(chunks)
    for chunk in chunks:
        for choice in chunk["choices"]:
            change(choice["delta"])
    return chunks


def _whole_calls(chunks: Chunks, *, index: bool) -> Chunks:
    """Each call in one piece, with a number or without."""
    calls: list[Chunk] = [
        {
            "index": number,
            "id": f"call_{letter}",
            "type": "function",
            "function": {"name": "read_file", "arguments": json.dumps({"path": f"{letter}.txt"})},
        }
        for number, letter in enumerate("ab")
    ]
    if not index:
        for call in calls:
            del call["index"]
    return [*chunks[:5], *(chat({"tool_calls": [call]}) for call in calls), *chunks[10:]]


def _renamed(delta: Chunk) -> None:
    if "reasoning_content" in delta:
        delta["reasoning"] = delta.pop("reasoning_content")


def _twice(delta: Chunk) -> None:
    if "reasoning_content" in delta:
        delta["reasoning"] = delta["reasoning_content"]


def _nulls(delta: Chunk) -> None:
    for name in ("content", "reasoning_content", "refusal", "tool_calls", "function_call", "audio"):
        delta.setdefault(name, None)


def _hollow_ids(delta: Chunk) -> None:
    for call in delta.get("tool_calls") or ():
        call.setdefault("id", "")
        call["function"].setdefault("name", "")


def _repeated_ids(delta: Chunk) -> None:
    for call in delta.get("tool_calls") or ():
        call["id"] = f"call_{'ab'[call['index']]}"
        call["function"]["name"] = "read_file"


def _null_arguments(delta: Chunk) -> None:
    for call in delta.get("tool_calls") or ():
        call["function"]["arguments"] = call["function"]["arguments"] or None


def _from_one(delta: Chunk) -> None:
    for call in delta.get("tool_calls") or ():
        call["index"] += 1


def _finished_with_the_last_delta(chunks: Chunks) -> Chunks:
    *rest, last, _, usage = chunks
    return [*rest, chat(last["choices"][0]["delta"], "tool_calls"), usage]


def _plain_stop(chunks: Chunks) -> Chunks:
    return [*chunks[:-2], chat({}, "stop"), chunks[-1]]


CHAT: Mapping[str, Callable[[Chunks], Chunks]] = {
    "usage in a chunk of its own": lambda chunks: chunks,
    "usage in the chunk of the end": lambda chunks: [*chunks[:-2], chat({}, "tool_calls", usage=USAGE)],
    "usage before the end": lambda chunks: [*chunks[:-2], chunks[-1], chunks[-2]],
    "usage in every chunk": lambda chunks: [chunk | {"usage": USAGE} for chunk in chunks],
    "usage null in every other chunk": lambda chunks: [chunk | {"usage": chunk.get("usage")} for chunk in chunks],
    "usage with a choice after the end": lambda chunks: [*chunks[:-1], chat({"content": ""}, usage=USAGE)],
    "usage in the field of Groq": lambda chunks: [*chunks[:-2], chat({}, "tool_calls", x_groq={"usage": USAGE})],
    "usage with the reason again": lambda chunks: [*chunks[:-1], chat({}, "tool_calls", usage=USAGE)],
    "no choices first": lambda chunks: [chat(prompt_filter_results=[]), *chunks],
    "nothing but a role first": lambda chunks: [chat({"role": "assistant"}), *chunks[1:]],
    "no role at all": lambda chunks: chunks[1:],
    "the role in every chunk": lambda chunks: _each_delta(chunks, lambda delta: delta.setdefault("role", "assistant")),
    "null in every absent field": lambda chunks: _each_delta(chunks, _nulls),
    "each call in one piece": lambda chunks: _whole_calls(chunks, index=True),
    "calls without numbers": lambda chunks: _whole_calls(chunks, index=False),
    "empty id and name in later pieces": lambda chunks: _each_delta(chunks, _hollow_ids),
    "id and name again in later pieces": lambda chunks: _each_delta(chunks, _repeated_ids),
    "null arguments in the first piece": lambda chunks: _each_delta(chunks, _null_arguments),
    "the reason beside the last delta": _finished_with_the_last_delta,
    "an empty reason until the end": lambda chunks: [
        chunk | {"choices": [choice | {"finish_reason": choice["finish_reason"] or ""} for choice in chunk["choices"]]}
        for chunk in chunks
    ],
    "a plain stop after calls": _plain_stop,
    "a null delta at the end": lambda chunks: [
        *chunks[:-2],
        chat() | {"choices": [{"index": 0, "delta": None, "finish_reason": "tool_calls"}]},
        chunks[-1],
    ],
    "null choices beside the usage": lambda chunks: [*chunks[:-1], chunks[-1] | {"choices": None}],
    "calls numbered from one": lambda chunks: _each_delta(chunks, _from_one),
    "the reason twice": lambda chunks: [*chunks[:-1], chat({}, "tool_calls"), chunks[-1]],
    "reasoning under its other name": lambda chunks: _each_delta(chunks, _renamed),
    "reasoning under both names": lambda chunks: _each_delta(chunks, _twice),
}

# ── Anthropic ───────────────────────────────────────────────────────────────────────────────────────────────────────


def anthropic_stream() -> Chunks:
    def start(index: int, block: Chunk) -> Chunk:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def delta(index: int, kind: str, **fields: str) -> Chunk:
        return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}

    def stop(index: int) -> Chunk:
        return {"type": "content_block_stop", "index": index}

    def call(letter: str) -> Chunk:
        return {"type": "tool_use", "id": f"toolu_{letter}", "name": "read_file", "input": {}}

    usage = {"input_tokens": 20, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 6, "output_tokens": 1}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    return [
        {
            "type": "message_start",
            "message": head | {"stop_reason": None, "stop_sequence": None, "usage": usage},
        },
        start(0, {"type": "thinking", "thinking": "", "signature": ""}),
        delta(0, "thinking_delta", thinking="I look at both."),
        delta(0, "signature_delta", signature="c2ln"),
        stop(0),
        start(1, {"type": "text", "text": ""}),
        delta(1, "text_delta", text="Let me "),
        delta(1, "text_delta", text="see."),
        stop(1),
        start(2, call("a")),
        delta(2, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json='{"path": "a.'),
        delta(2, "input_json_delta", partial_json='txt"}'),
        stop(2),
        start(3, call("b")),
        delta(3, "input_json_delta", partial_json='{"path": "b.txt"}'),
        stop(3),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 6}},
        },
        {"type": "message_stop"},
    ]


def _late_input(chunks: Chunks) -> Chunks:
    """Imitators know the input only at the end."""
    chunks = copy.deepcopy(chunks)
    usage = chunks[0]["message"]["usage"]
    chunks[-2]["usage"] |= {name: count for name, count in usage.items() if name != "output_tokens"}
    chunks[0]["message"]["usage"] = {"input_tokens": 0, "output_tokens": 0}
    return chunks


def _whole_input(chunks: Chunks) -> Chunks:
    """A call whose start says all of it."""
    started = copy.deepcopy(chunks[14])
    started["content_block"]["input"] = {"path": "b.txt"}
    return [*chunks[:14], started, *chunks[16:]]


ANTHROPIC: Mapping[str, Callable[[Chunks], Chunks]] = {
    "as Anthropic sends it": lambda chunks: chunks,
    "with pings": lambda chunks: [piece for chunk in chunks for piece in (chunk, {"type": "ping"})],
    "without message_stop": lambda chunks: chunks[:-1],
    "input counted at the end": _late_input,
    "a call whole at its start": _whole_input,
    "blocks that never stop": lambda chunks: [chunk for chunk in chunks if chunk["type"] != "content_block_stop"],
    "events that nobody knows": lambda chunks: [*chunks[:5], {"type": "vendor_event", "x": 1}, *chunks[5:]],
    "a start without usage": lambda chunks: [
        {"type": "message_start", "message": {k: v for k, v in chunks[0]["message"].items() if k != "usage"}},
        *_late_input(chunks)[1:],
    ],
}

# ── Responses ───────────────────────────────────────────────────────────────────────────────────────────────────────


def responses_stream() -> Chunks:
    reasoning: Chunk = {"type": "reasoning", "id": "rs_1", "summary": []}
    message: Chunk = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
    blank: Chunk = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    thought: Chunk = {"type": "summary_text", "text": "I look at both."}
    text = blank | {"text": "Let me see."}
    whole: Chunks = [reasoning | {"summary": [thought]}, message | {"status": "completed", "content": [text]}]
    chunks: Chunks = [
        {"type": "response.created", "response": _response("in_progress", [])},
        {"type": "response.in_progress", "response": _response("in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": reasoning},
        _at("rs_1", 0, "reasoning_summary_part.added", summary_index=0, part=thought | {"text": ""}),
        _at("rs_1", 0, "reasoning_summary_text.delta", summary_index=0, delta="I look at both."),
        _at("rs_1", 0, "reasoning_summary_text.done", summary_index=0, text="I look at both."),
        _at("rs_1", 0, "reasoning_summary_part.done", summary_index=0, part=thought),
        {"type": "response.output_item.done", "output_index": 0, "item": whole[0]},
        {"type": "response.output_item.added", "output_index": 1, "item": message},
        _at("msg_1", 1, "content_part.added", content_index=0, part=blank),
        _at("msg_1", 1, "output_text.delta", content_index=0, delta="Let me ", logprobs=[]),
        _at("msg_1", 1, "output_text.delta", content_index=0, delta="see.", logprobs=[]),
        _at("msg_1", 1, "output_text.done", content_index=0, text="Let me see.", logprobs=[]),
        _at("msg_1", 1, "content_part.done", content_index=0, part=text),
        {"type": "response.output_item.done", "output_index": 1, "item": whole[1]},
    ]
    for place, letter in enumerate("ab", 2):
        name, arguments = f"fc_{letter}", json.dumps({"path": f"{letter}.txt"})
        call: Chunk = {
            "type": "function_call",
            "id": name,
            "call_id": f"call_{letter}",
            "name": "read_file",
            "arguments": "",
            "status": "in_progress",
        }
        done = call | {"arguments": arguments, "status": "completed"}
        whole.append(done)
        chunks += [
            {"type": "response.output_item.added", "output_index": place, "item": call},
            _at(name, place, "function_call_arguments.delta", delta=arguments[:5]),
            _at(name, place, "function_call_arguments.delta", delta=arguments[5:]),
            _at(name, place, "function_call_arguments.done", name="read_file", arguments=arguments),
            {"type": "response.output_item.done", "output_index": place, "item": done},
        ]
    chunks.append({"type": "response.completed", "response": _response("completed", whole)})
    return [chunk | {"sequence_number": number} for number, chunk in enumerate(chunks)]


def _at(item: str, place: int, kind: str, **fields: Any) -> Chunk:
    return {"type": f"response.{kind}", "item_id": item, "output_index": place, **fields}


def _response(status: str, output: Chunks) -> Chunk:
    usage = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 50,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "m",
        "output": output,
        "usage": usage if output else None,
    }


def _without(*kinds: str) -> Callable[[Chunks], Chunks]:
    return lambda chunks: [chunk for chunk in chunks if not chunk["type"].endswith(kinds)]


def _empty_output(chunks: Chunks) -> Chunks:
    last = copy.deepcopy(chunks[-1])
    last["response"]["output"] = []
    return [*chunks[:-1], last]


RESPONSES: Mapping[str, Callable[[Chunks], Chunks]] = {
    "as OpenAI sends it": lambda chunks: chunks,
    "arguments only when done": _without("arguments.delta"),
    "arguments only in the done item": _without("arguments.delta", "arguments.done"),
    "no deltas at all": _without(".delta"),
    "no part events": _without("part.added", "part.done"),
    "no done texts": _without("text.done", "part.done", "arguments.done"),
    "an end without output": _empty_output,
    "nothing but items": _without(".delta", "part.added", "part.done", "text.done", "arguments.done"),
    "nothing but the end": lambda chunks: [chunks[0], chunks[-1]],
    "no numbers": lambda chunks: [{k: v for k, v in chunk.items() if k != "sequence_number"} for chunk in chunks],
    "events that nobody knows": lambda chunks: [*chunks[:2], {"type": "response.vendor", "x": 1}, *chunks[2:]],
}

# ── Gemini ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def gemini(*parts: Chunk, finish: str | None = None, usage: bool = True) -> Chunk:
    candidate: Chunk = {"content": {"role": "model", "parts": [*parts]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    chunk: Chunk = {"candidates": [candidate], "modelVersion": "m", "responseId": "r-1"}
    return chunk | {"usageMetadata": GEMINI_USAGE} if usage else chunk


GEMINI_USAGE: Chunk = {
    "promptTokenCount": 25,
    "toolUsePromptTokenCount": 5,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 14,
    "thoughtsTokenCount": 6,
    "totalTokenCount": 50,
}


def gemini_stream() -> Chunks:
    return [
        gemini({"text": "I look at both.", "thought": True}),
        gemini({"text": "Let me "}),
        gemini({"text": "see."}),
        gemini({"functionCall": {"name": "read_file", "args": {"path": "a.txt"}}, "thoughtSignature": "c2ln"}),
        gemini({"functionCall": {"name": "read_file", "args": {"path": "b.txt"}}}, finish="STOP"),
    ]


def _usage_at(chunks: Chunks, place: int) -> Chunks:
    bare = [{k: v for k, v in chunk.items() if k != "usageMetadata"} for chunk in chunks]
    bare[place]["usageMetadata"] = GEMINI_USAGE
    return bare


def _end_apart(chunks: Chunks) -> Chunks:
    last = copy.deepcopy(chunks[-1])
    del last["candidates"][0]["finishReason"]
    return [*chunks[:-1], last, gemini({"text": ""}, finish="STOP")]


def _no_content(chunks: Chunks) -> Chunks:
    return [*_end_apart(chunks)[:-1], {"candidates": [{"finishReason": "STOP"}], "usageMetadata": GEMINI_USAGE}]


GEMINI: Mapping[str, Callable[[Chunks], Chunks]] = {
    "as Google sends it": lambda chunks: chunks,
    "usage only at the end": lambda chunks: _usage_at(chunks, -1),
    "usage after the end": lambda chunks: [*_usage_at(chunks, 0), {"usageMetadata": GEMINI_USAGE}],
    "the end in an empty text": _end_apart,
    "the end without content": _no_content,
    "all in one chunk": lambda chunks: [
        gemini(*(part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]), finish="STOP")
    ],
    "a candidate without parts first": lambda chunks: [{"candidates": [{"content": {"role": "model"}}]}, *chunks],
    "no candidates first": lambda chunks: [{"usageMetadata": GEMINI_USAGE, "modelVersion": "m"}, *chunks],
}
