"""What other gateways get wrong, each mistake once: issue 3, section 8."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.matrix import vendors, wire
from tests.matrix.clients import Client, clients
from tests.matrix.recordings import Recording
from tests.matrix.said import Call, Said
from tests.matrix.score import translated
from translators.formats import FORMATS

GEMINIS = ("gemini", "gemini-cli", "antigravity")
every_client = pytest.mark.parametrize("client", sorted(FORMATS))


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[str, Client]]:
    made = clients()
    yield made
    for reader in made.values():
        reader.close()


class Translate:
    """From a provider's JSON to what the client's SDK understands."""

    def __init__(self, readers: dict[str, Client]) -> None:
        self._readers = readers

    def whole(self, source: str, document: object, client: str) -> Said:
        out = self.bytes(source, json.dumps(document), client, stream=False)
        return self._readers[client].whole(out)

    def stream(self, source: str, chunks: list[dict[str, Any]], client: str, *, done: bool = True) -> Said:
        out = self.bytes(source, vendors.sse(chunks, done=done and source == "openai-chat"), client, stream=True)
        return self._readers[client].stream(out)

    @staticmethod
    def bytes(source: str, body: str, client: str, *, stream: bool) -> bytes:
        kind = "application/json" if body.startswith("{") else "text/event-stream"
        recording = Recording("made", source, stream=not body.startswith("{"), status=200, content_type=kind, body=body)
        out, failure = translated(recording, client, stream=stream)
        assert failure is None
        return out


@pytest.fixture
def translate(readers: dict[str, Client]) -> Translate:
    return Translate(readers)


def chat_answer(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def anthropic_answer(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [*blocks],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


def responses_answer(*items: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [*items],
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    }


@every_client
@pytest.mark.parametrize("with_done", [True, False])
def test_usage_that_follows_the_finish_reason_arrives(client: str, with_done: bool, translate: Translate) -> None:
    said = translate.stream("openai-chat", vendors.chat_stream(), client, done=with_done)
    assert (said.input, said.output, said.cached, said.reasoning) == (30, 20, 4, 6)


SERVER_BLOCKS = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "ask", "server_name": "s", "input": {}},
    {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False, "content": []},
]
SERVER_ITEMS = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1", "container_id": "c"},
    {"type": "mcp_call", "id": "mcp_1", "name": "ask", "server_label": "s", "arguments": "{}", "output": "x"},
]
SERVER_PARTS = [
    {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
]


@every_client
@pytest.mark.parametrize(
    "source, document",
    [
        ("anthropic-messages", anthropic_answer(*SERVER_BLOCKS, {"type": "text", "text": "Found."})),
        (
            "openai-responses",
            responses_answer(
                *SERVER_ITEMS,
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "Found.", "annotations": []}],
                },
            ),
        ),
        ("gemini", vendors.gemini(*SERVER_PARTS, {"text": "Found."}, finish="STOP")),
    ],
    ids=["anthropic-messages", "openai-responses", "gemini"],
)
def test_a_tool_that_the_provider_has_run_is_no_call_for_the_client(
    client: str, source: str, document: dict[str, Any], translate: Translate
) -> None:
    if client != source:
        said = translate.whole(source, document, client)
        assert (said.calls, said.stop, said.text) == ((), "end", "Found.")


@every_client
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_arrives_under_either_name(client: str, name: str, translate: Translate) -> None:
    if client != "openai-chat":
        said = translate.whole("openai-chat", chat_answer({"content": "4", name: "2 + 2"}), client)
        assert (said.thinking, said.text) == ("2 + 2", "4")


@every_client
def test_reasoning_in_the_content_of_an_item_without_a_summary_arrives(client: str, translate: Translate) -> None:
    if client != "openai-responses":
        item = {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "2 + 2"}],
        }
        assert translate.whole("openai-responses", responses_answer(item), client).thinking == "2 + 2"


@every_client
@pytest.mark.parametrize(
    "source, document",
    [
        ("openai-chat", chat_answer({"content": None})),
        ("openai-chat", chat_answer({"content": ""})),
        ("anthropic-messages", anthropic_answer()),
        ("openai-responses", responses_answer()),
        ("gemini", {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}], "responseId": "r"}),
    ],
    ids=["null content", "empty content", "no blocks", "no items", "no parts"],
)
def test_an_answer_without_text_gets_none(
    client: str, source: str, document: dict[str, Any], translate: Translate
) -> None:
    if client != source:
        said = translate.whole(source, document, client)
        assert (said.text, said.thinking, said.refusal, said.stop) == ("", "", "", "end")


CALLED = vendors.gemini({"functionCall": {"name": "f", "args": {"x": 1}}}, finish="STOP")


@every_client
def test_a_gemini_call_stops_for_tools(client: str, translate: Translate) -> None:
    if client not in GEMINIS:
        assert translate.whole("gemini", CALLED, client).stop == "tools"
        assert translate.stream("gemini", [CALLED], client).stop == "tools"


@every_client
@pytest.mark.parametrize(
    "source, document",
    [
        ("openai-chat", chat_answer({"content": "4"}, "length")),
        ("anthropic-messages", anthropic_answer({"type": "text", "text": "4"}, stop="max_tokens")),
        ("gemini", vendors.gemini({"text": "4"}, finish="MAX_TOKENS")),
    ],
    ids=["openai-chat", "anthropic-messages", "gemini"],
)
def test_a_limit_has_the_clients_own_word(
    client: str, source: str, document: dict[str, Any], translate: Translate
) -> None:
    if client != source:
        assert translate.whole(source, document, client).stop == "length"


@every_client
def test_tokens_of_tool_prompts_are_input_and_thoughts_are_output(client: str, translate: Translate) -> None:
    if client not in GEMINIS:
        said = translate.whole("gemini", vendors.gemini({"text": "4"}, finish="STOP"), client)
        assert (said.input, said.output, said.reasoning, said.cached) == (30, 20, 6, 4)


@pytest.mark.parametrize("stream", [True, False])
def test_a_message_item_has_all_that_a_responses_client_reads(stream: bool, translate: Translate) -> None:
    body = json.dumps(chat_answer({"content": "4"}))
    out = translate.bytes("openai-chat", body, "openai-responses", stream=stream)
    answers = [json.loads(data) for data in wire.sse(out.decode())] if stream else []
    response = answers[-1]["response"] if stream else json.loads(out)
    (message,) = response["output"]
    (part,) = message["content"]
    assert message["id"].startswith("msg_")
    assert (message["status"], message["role"]) == ("completed", "assistant")
    assert part == {"type": "output_text", "text": "4", "annotations": [], "logprobs": []}


@every_client
def test_a_call_with_a_refusal_of_the_plain_kind_keeps_both(client: str, translate: Translate) -> None:
    if client != "openai-chat":
        said = translate.whole("openai-chat", chat_answer({"content": None, "refusal": "I will not."}), client)
        assert said.text + said.refusal == "I will not."
        assert said.stop == "refusal"


@every_client
def test_parallel_calls_whose_pieces_interleave_stay_apart(client: str, translate: Translate) -> None:
    if client == "openai-chat":
        return
    chunks = [
        vendors.chat(vendors.chat_call(0, '{"x"', id="call_a", type="function", name="f")),
        vendors.chat(vendors.chat_call(1, '{"y"', id="call_b", type="function", name="g")),
        vendors.chat(vendors.chat_call(0, ": 1}")),
        vendors.chat(vendors.chat_call(1, ": 2}")),
        vendors.chat({}, "tool_calls"),
    ]
    said = translate.stream("openai-chat", chunks, client)
    assert said.calls == (Call("call_a", "f", {"x": 1}), Call("call_b", "g", {"y": 2}))
