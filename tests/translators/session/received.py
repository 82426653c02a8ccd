"""An answer as the tool of a format has it after its SDK has read the bytes: the document that its history is made of."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import httpx2
import openai
from google.genai import types
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel

from tests.matrix import wire

type Body = dict[str, Any]

_ASKED: Body = {"model": "m", "messages": [{"role": "user", "content": "q"}]}


def received(form: str, body: bytes, *, stream: bool, ours: bool = True) -> Body:
    """``ours``: written by us and not by a vendor, and so held to the SDK's types."""
    if stream:
        return _STREAMED[form](body, ours)
    document: Body = json.loads(body)
    document = document.get("response", document) if form in wire.ENVELOPED else document
    if ours and (model := _MODELS.get(form)):
        model.model_validate_json(json.dumps(document))
    return _claude_whole(body) if form == "anthropic-messages" else document


def _http(body: bytes, content_type: str) -> httpx2.Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, content=body, request=request)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _claude(body: bytes, content_type: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", max_retries=0, http_client=_http(body, content_type))


def _openai(body: bytes, content_type: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", max_retries=0, http_client=_http(body, content_type))


def _claude_whole(body: bytes) -> Body:
    with _claude(body, "application/json") as sdk:
        message = sdk.messages.create(max_tokens=9, **_ASKED)
    return message.to_dict(warnings=False, exclude_none=True)


def _claude_stream(body: bytes, ours: bool) -> Body:
    del ours
    with _claude(body, "text/event-stream") as sdk, sdk.messages.stream(max_tokens=9, **_ASKED) as stream:
        document = stream.get_final_message().to_dict(warnings=False, exclude_none=True)
    for block in document["content"]:  # what the SDK puts beside the blocks for its user
        block.pop("parsed_output", None)
    return document


def _chat_stream(body: bytes, ours: bool) -> Body:
    del ours
    with _openai(body, "text/event-stream") as sdk, sdk.chat.completions.stream(**_ASKED) as stream:
        stream.until_done()
        return stream.current_completion_snapshot.to_dict(warnings=False)


def _responses_stream(body: bytes, ours: bool) -> Body:
    """As Codex does it: each item as it is done, whatever the last event says."""
    del ours
    with _openai(body, "text/event-stream") as sdk, sdk.responses.stream(model="m", input="q") as stream:
        items = [event.item.to_dict(warnings=False) for event in stream if event.type == "response.output_item.done"]
    return {"output": items}


def _gemini_stream(body: bytes, ours: bool) -> Body:
    """As Gemini CLI does it: neighbouring texts become one, and so do thoughts."""
    chunks = [json.loads(data) for data in wire.sse(body.decode())]
    chunks = [chunk.get("response", chunk) for chunk in chunks]
    for chunk in chunks if ours else ():
        types.GenerateContentResponse.model_validate(chunk)
    answer = wire.fold_gemini(chunks)
    parts: list[Body] = []
    for part in answer["candidates"][0]["content"]["parts"]:
        before = set(parts[-1]) if parts else {""}
        if (before == {"text"} and set(part) == {"text"}) or (before == {"text", "thought"} and before <= set(part)):
            parts[-1] = {**part, "text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(part)
    answer["candidates"][0]["content"] = {"role": "model", "parts": parts}
    return answer


_MODELS: Mapping[str, type[BaseModel]] = {
    "openai-chat": ChatCompletion,
    "openai-responses": Response,
    "gemini": types.GenerateContentResponse,
    "gemini-cli": types.GenerateContentResponse,
    "antigravity": types.GenerateContentResponse,
}
_STREAMED: Mapping[str, Callable[[bytes, bool], Body]] = {
    "anthropic-messages": _claude_stream,
    "openai-chat": _chat_stream,
    "openai-responses": _responses_stream,
    "gemini": _gemini_stream,
    "gemini-cli": _gemini_stream,
    "antigravity": _gemini_stream,
}
