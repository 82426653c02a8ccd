"""``omniroute translate``: the translation on stdout, what is lost on stderr."""

import json
from pathlib import Path

import pytest

from tests.omniroute_addon.cli.conftest import Omniroute

REQUEST = {
    "model": "claude-opus-4-6",
    "max_tokens": 10,
    "top_k": 5,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "Hello"}],
}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
CHUNKS = [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    for choice in (
        {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    )
]
STREAM = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n"

TO_CHAT = ("translate", "--from", "anthropic-messages", "--to", "openai-chat")
FROM_CHAT = ("translate", "--from", "openai-chat", "--to", "anthropic-messages")


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST))
    return path


def test_a_request_comes_out_in_the_other_format(omniroute: Omniroute, request_file: Path) -> None:
    messages = json.loads(omniroute(*TO_CHAT, request_file).stdout)["messages"]
    assert [one["role"] for one in messages] == ["system", "user"]


def test_losses_are_told_beside_it(omniroute: Omniroute, request_file: Path) -> None:
    assert "top_k" in omniroute(*TO_CHAT, request_file).stderr


def test_stdin_is_read(omniroute: Omniroute) -> None:
    assert json.loads(omniroute(*TO_CHAT, "-", stdin=json.dumps(REQUEST)).stdout)["model"] == "claude-opus-4-6"


def test_the_model_can_be_named(omniroute: Omniroute, request_file: Path) -> None:
    assert json.loads(omniroute(*TO_CHAT, "--model", "glm-4.7", request_file).stdout)["model"] == "glm-4.7"


def test_everything_as_json(omniroute: Omniroute, request_file: Path) -> None:
    facts = json.loads(omniroute(*TO_CHAT, "--json", request_file).stdout)
    assert (facts["body"]["model"], bool(facts["losses"])) == ("claude-opus-4-6", True)


def test_geminis_model_goes_into_the_path(omniroute: Omniroute, request_file: Path) -> None:
    said = omniroute(
        "translate", "--from", "anthropic-messages", "--to", "gemini", "--model", "g-1", "--json", request_file
    )
    assert "g-1:generateContent" in json.loads(said.stdout)["path"]


def test_a_whole_answer(omniroute: Omniroute) -> None:
    answer = json.loads(omniroute(*FROM_CHAT, "--response", "-", stdin=json.dumps(ANSWER)).stdout)
    assert (answer["content"][0]["text"], answer["stop_reason"]) == ("Hi", "end_turn")


def test_a_streamed_answer(omniroute: Omniroute) -> None:
    said = omniroute(*FROM_CHAT, "--stream", "-", stdin=STREAM).stdout
    assert ("event: content_block_delta" in said, "event: message_stop" in said) == (True, True)


def test_a_stream_that_was_cut_ends_in_an_error_event(omniroute: Omniroute) -> None:
    said = omniroute(*FROM_CHAT, "--stream", "-", stdin=STREAM.partition("\n\n")[0] + "\n\n").stdout
    assert "event: error" in said


def test_an_error_answer(omniroute: Omniroute) -> None:
    body = json.dumps({"error": {"message": "no", "type": "invalid_request_error"}})
    assert json.loads(omniroute(*FROM_CHAT, "--response", "-", stdin=body).stdout)["type"] == "error"


def test_bytes_of_another_format_are_refused_in_one_line(omniroute: Omniroute) -> None:
    result = omniroute(*TO_CHAT, "-", stdin="not json")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)


def test_an_unknown_format_lists_the_known(omniroute: Omniroute, request_file: Path) -> None:
    result = omniroute("translate", "--from", "claude", "--to", "gemini", request_file)
    assert (result.returncode, "anthropic-messages" in result.stderr) == (2, True)


CUSTOM_TOOL = {"type": "custom", "name": "apply patch", "description": "Patches files"}
ASKED_BY_CODEX = {"model": "m", "input": [{"role": "user", "content": "go"}], "tools": [CUSTOM_TOOL]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "NAME", "arguments": '{"input": "*** Begin"}'}}


def test_an_answer_gets_back_the_tools_of_the_request_it_belongs_to(omniroute: Omniroute, tmp_path: Path) -> None:
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps(ASKED_BY_CODEX))
    lowered = json.loads(omniroute("translate", "--from", "openai-responses", "--to", "openai-chat", asked).stdout)
    name = lowered["tools"][0]["function"]["name"]
    body = json.dumps(ANSWER | {"choices": [{"message": {"role": "assistant", "tool_calls": [CALL]}}]})
    command = ("translate", "--from", "openai-chat", "--to", "openai-responses", "--response", "--request", asked)
    items = json.loads(omniroute(*command, "-", stdin=body.replace("NAME", name)).stdout)["output"]
    assert [(item["type"], item["name"], item["input"]) for item in items] == [
        ("custom_tool_call", "apply patch", "*** Begin")
    ]


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FROM_CLAUDE = ("translate", "--from", "anthropic-messages", "--to", "openai-chat")


def test_what_an_answer_loses_is_told(omniroute: Omniroute) -> None:
    body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [SEARCH], "usage": {}}
    said = omniroute(*FROM_CLAUDE, "--response", "-", stdin=json.dumps(body | {"stop_reason": "end_turn"}))
    assert "parts[0]" in said.stderr


def test_what_a_stream_loses_is_told(omniroute: Omniroute) -> None:
    events = [
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": SEARCH},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    assert "parts[0]" in omniroute(*FROM_CLAUDE, "--stream", "-", stdin=body).stderr


def test_a_streamed_answer_of_gemini_is_one_of_events(omniroute: Omniroute) -> None:
    said = omniroute("translate", "--from", "openai-chat", "--to", "gemini", "--stream", "-", stdin=STREAM).stdout
    assert said.startswith("data: {")
