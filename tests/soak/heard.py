"""What a raw answer calls for, in every format; written by hand, because a translator's fault must not hide here."""

import json
from collections import defaultdict
from typing import Any

import httpx

from tests.e2e.calls import EVENT_STREAM, events

type Calls = list[tuple[str, Any]]


def calls_in(form: str, response: httpx.Response) -> Calls:
    """Name and arguments of every tool call of a whole or streamed answer."""
    if response.headers["content-type"].startswith(EVENT_STREAM):
        return _streamed(form, events(response.content))
    document = response.json()
    match form:
        case "anthropic-messages":
            return [(block["name"], block["input"]) for block in document["content"] if block["type"] == "tool_use"]
        case "openai-chat":
            calls = document["choices"][0]["message"].get("tool_calls") or ()
            return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
        case "openai-responses":
            return _items(document["output"])
        case _:
            return _parts(document)


def _streamed(form: str, found: list[dict[str, Any]]) -> Calls:
    match form:
        case "anthropic-messages":
            names = {
                event["index"]: event["content_block"]["name"]
                for event in found
                if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use"
            }
            texts: defaultdict[int, str] = defaultdict(str)
            for event in found:
                if event["type"] == "content_block_delta" and event["delta"]["type"] == "input_json_delta":
                    texts[event["index"]] += event["delta"]["partial_json"]
            return [(name, json.loads(texts[index] or "{}")) for index, name in names.items()]
        case "openai-chat":
            names, texts = {}, defaultdict(str)
            for event in found:
                for choice in event.get("choices", ()):
                    for call in choice["delta"].get("tool_calls") or ():
                        function = call.get("function", {})
                        names.setdefault(call["index"], function.get("name"))
                        texts[call["index"]] += function.get("arguments") or ""
            return [(str(name), json.loads(texts[index])) for index, name in names.items()]
        case "openai-responses":
            return _items([event["item"] for event in found if event["type"] == "response.output_item.done"])
        case _:
            return [call for event in found for call in _parts(event)]


def _items(items: list[dict[str, Any]]) -> Calls:
    return [(item["name"], json.loads(item["arguments"])) for item in items if item["type"] == "function_call"]


def _parts(document: dict[str, Any]) -> Calls:
    candidates = document.get("response", document).get("candidates", ())
    parts = [part for one in candidates for part in one.get("content", {}).get("parts", ())]
    return [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts if "functionCall" in part]
