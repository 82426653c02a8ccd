"""What must arrive on the other side, subject by subject, through the bridge as the program drives it.

Each test names the subject of the feature list or of the users' complaints that it holds; what belongs to one format alone
is tested with that format.
"""

import json
from typing import Any

import pytest

from translators.bridge import bridge
from translators.errors import Unsupported
from translators.format import WireRequest

CHAT, CLAUDE, RESPONSES, GEMINI = "openai-chat", "anthropic-messages", "openai-responses", "gemini"
PATHS = {GEMINI: "/v1beta/models/m:generateContent"}


def send(client: str, upstream: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The body for the upstream, and the paths of what was lost."""
    joined = bridge(client, upstream)
    wire = WireRequest(path=PATHS.get(client, ""), body=json.dumps(body).encode())
    return json.loads(joined.request(wire).body), [loss.path for loss in joined.losses]


def answer(client: str, upstream: str, asked: dict[str, Any], said: bytes) -> bytes:
    joined = bridge(client, upstream)
    joined.request(WireRequest(path=PATHS.get(client, ""), body=json.dumps(asked).encode()))
    return joined.feed(said) + joined.close()


def claude(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 4000, "messages": list(messages), **more}


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), **more}


USER = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def chat_answer(message: dict[str, Any], reason: str = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return json.dumps({"id": "r", "object": "chat.completion", "model": "m", "choices": [choice], **more}).encode()


# ── limits and sampling ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_thinking_budget_is_never_added_to_the_output_limit() -> None:
    """Max tokens: nothing is added that the client did not send."""
    body, _ = send(CLAUDE, CHAT, claude(USER, thinking={"type": "enabled", "budget_tokens": 3000}))
    assert body["max_tokens"] == 4000


@pytest.mark.parametrize("upstream, field", [(CLAUDE, "max_tokens"), (RESPONSES, "max_output_tokens")])
def test_an_output_limit_stays_where_effort_becomes_thinking(upstream: str, field: str) -> None:
    """Max tokens."""
    body, _ = send(CHAT, upstream, chat(USER, max_completion_tokens=2000, reasoning_effort="high"))
    assert body[field] == 2000


@pytest.mark.parametrize("upstream, field", [(CHAT, "stop"), (GEMINI, "stopSequences")])
def test_stop_sequences_arrive(upstream: str, field: str) -> None:
    """Stop sequences."""
    body, _ = send(CLAUDE, upstream, claude(USER, stop_sequences=["A", "B"]))
    assert body.get("generationConfig", body)[field] == ["A", "B"]


@pytest.mark.parametrize("upstream", [CLAUDE, RESPONSES])
@pytest.mark.parametrize("name, value", [("seed", 7), ("n", 2), ("frequency_penalty", 0.5), ("logit_bias", {"1": 1})])
def test_what_the_upstream_does_not_know_is_told(upstream: str, name: str, value: Any) -> None:
    """Seed, n, penalties and bias: a typed loss by name."""
    _, lost = send(CHAT, upstream, chat(USER, **{name: value}))
    assert any(path.rpartition(".")[2] == name for path in lost)


def test_one_answer_is_no_loss() -> None:
    assert "n" not in send(CHAT, CLAUDE, chat(USER, n=1, max_tokens=9))[1]


# ── system text ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("upstream", [CLAUDE, RESPONSES, GEMINI])
@pytest.mark.parametrize("role", ["system", "developer"])
def test_system_text_arrives_from_any_position(upstream: str, role: str) -> None:
    """System text in any position, ``developer`` and in the middle of the conversation."""
    said = {"role": role, "content": "MIDDLE-7"}
    body, _ = send(CHAT, upstream, chat({**said, "content": "FIRST-7"}, USER, said, {**USER, "content": "More"}))
    text = json.dumps(body)
    assert text.count("FIRST-7") == text.count("MIDDLE-7") == 1
    assert text.index("Hi") < text.index("MIDDLE-7") if upstream == RESPONSES else True


# ── media ───────────────────────────────────────────────────────────────────────────────────────────────────────────

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}


@pytest.mark.parametrize("upstream", [CHAT, RESPONSES, GEMINI])
@pytest.mark.parametrize("block", [{"type": "image", "source": PNG}, {"type": "document", "source": PDF}])
@pytest.mark.parametrize("inside", [False, True])
def test_images_and_documents_arrive_from_turns_and_results(upstream: str, block: dict[str, Any], inside: bool) -> None:
    """Images and PDFs in user turns and in tool results."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}
    messages = [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body, _ = send(CLAUDE, upstream, claude(*(messages if inside else [{"role": "user", "content": [block]}])))
    assert block["source"]["data"] in json.dumps(body)


SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


def test_sound_arrives() -> None:
    """Audio in user turns."""
    body, _ = send(CHAT, GEMINI, chat({"role": "user", "content": [SOUND]}))
    assert "UklGRg==" in json.dumps(body)


@pytest.mark.parametrize("upstream", [CLAUDE, RESPONSES])
def test_a_conversation_of_which_nothing_is_left_is_refused(upstream: str) -> None:
    """Audio alone, where the format has no place for it: an error of ours instead of an empty request."""
    with pytest.raises(Unsupported):
        send(CHAT, upstream, chat({"role": "user", "content": [SOUND]}, max_tokens=9))


def test_sound_for_a_model_that_takes_none_is_told() -> None:
    """Audio where the format has no place for it."""
    _, lost = send(
        CHAT, CLAUDE, chat({"role": "user", "content": [{"type": "text", "text": "Hi"}, SOUND]}, max_tokens=9)
    )
    assert "messages[0].parts[1]" in lost


# ── structured output ───────────────────────────────────────────────────────────────────────────────────────────────

FORMATS_OF_OUTPUT: dict[str, dict[str, Any]] = {
    CHAT: chat(USER, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}),
    CLAUDE: claude(USER, output_config={"format": {"type": "json_schema", "schema": SCHEMA}}),
    RESPONSES: {
        "model": "m",
        "input": "Hi",
        "text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}},
    },
    GEMINI: {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
    },
}


def schema_in(upstream: str, body: dict[str, Any]) -> dict[str, Any]:
    match upstream:
        case "openai-chat":
            return body["response_format"]["json_schema"]["schema"]
        case "anthropic-messages":
            return body["output_config"]["format"]["schema"]
        case "openai-responses":
            return body["text"]["format"]["schema"]
        case _:
            config = body["generationConfig"]
            assert config["responseMimeType"] == "application/json"
            return config.get("responseJsonSchema") or config["responseSchema"]


@pytest.mark.parametrize("upstream", FORMATS_OF_OUTPUT)
@pytest.mark.parametrize("client", FORMATS_OF_OUTPUT)
def test_structured_output_arrives_in_all_dialects(client: str, upstream: str) -> None:
    """Structured output."""
    if client == upstream:
        pytest.skip("passed through")
    schema = schema_in(upstream, send(client, upstream, FORMATS_OF_OUTPUT[client])[0])
    assert schema["required"] == ["a"]
    assert schema["properties"].keys() == {"a"}


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────

TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    "choice, expected",
    [
        ({"type": "any", "disable_parallel_tool_use": True}, ("required", False)),
        ({"type": "auto", "disable_parallel_tool_use": False}, ("auto", True)),
        ({"type": "none"}, ("none", None)),
        ({"type": "tool", "name": "f"}, ({"type": "function", "function": {"name": "f"}}, None)),
    ],
)
def test_choice_and_parallel_flag_arrive(choice: dict[str, Any], expected: tuple[Any, bool | None]) -> None:
    """tool_choice and parallel flags."""
    body, _ = send(CLAUDE, CHAT, claude(USER, tools=[TOOL], tool_choice=choice))
    assert (body["tool_choice"], body.get("parallel_tool_calls")) == expected


@pytest.mark.parametrize("value", [True, False])
def test_the_parallel_flag_arrives_without_a_choice(value: bool) -> None:
    """tool_choice and parallel flags."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    body, _ = send(CHAT, CLAUDE, chat(USER, tools=[tool], parallel_tool_calls=value, max_tokens=9))
    told = body.get("tool_choice", {}).get("disable_parallel_tool_use", False)
    assert told is not value


@pytest.mark.parametrize("upstream", [CHAT, RESPONSES])
def test_strictness_arrives(upstream: str) -> None:
    """Strict schemas."""
    body, _ = send(CLAUDE, upstream, claude(USER, tools=[{**TOOL, "input_schema": SCHEMA, "strict": True}]))
    assert body["tools"][0].get("function", body["tools"][0])["strict"] is True


def test_arguments_that_come_as_an_object_are_read_as_text() -> None:
    """Arguments as an object instead of a string."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    said = answer(CLAUDE, CHAT, claude(USER), chat_answer({"content": None, "tool_calls": [call]}, "tool_calls"))
    (block,) = json.loads(said)["content"]
    assert block["input"] == {"a": 1}


def test_arguments_that_are_no_json_reach_the_client_as_text() -> None:
    """Invalid JSON arguments."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
    said = answer(CLAUDE, CHAT, claude(USER), chat_answer({"content": None, "tool_calls": [call]}, "tool_calls"))
    (block,) = json.loads(said)["content"]
    assert block["input"] == {"input": '{"a": '}


def test_two_calls_with_one_id_are_told_apart() -> None:
    """Duplicate tool_use ids with parallel calls."""
    call = {"id": "same", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = answer(CLAUDE, CHAT, claude(USER), chat_answer({"content": None, "tool_calls": [call, call]}, "tool_calls"))
    ids = [block["id"] for block in json.loads(said)["content"]]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("upstream, longest", [(CHAT, 40), (RESPONSES, 64)])
def test_long_ids_are_shortened_alike_on_both_sides(upstream: str, longest: int) -> None:
    """Tool ids: OpenAI's limits, by a map that call and result share."""
    call = {"type": "tool_use", "id": "toolu_" + "x" * 90, "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "1"}
    turns = [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body, _ = send(CLAUDE, upstream, claude(*turns))
    if upstream == CHAT:
        ids = [body["messages"][1]["tool_calls"][0]["id"], body["messages"][2]["tool_call_id"]]
    else:
        ids = [item["call_id"] for item in body["input"] if "call_id" in item]
    assert len(set(ids)) == 1
    assert len(ids) == 2
    assert len(ids[0]) <= longest


# ── the end of an answer ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "reason, stop", [("length", "max_tokens"), ("content_filter", "refusal"), ("stop", "end_turn"), ("eos", "end_turn")]
)
def test_a_chat_answer_ends_for_claude_code_as_it_ended(reason: str, stop: str) -> None:
    """Refusals and safety stops."""
    assert json.loads(answer(CLAUDE, CHAT, claude(USER), chat_answer({"content": "a"}, reason)))["stop_reason"] == stop


def test_a_refusal_is_text_for_those_who_have_no_word_for_it() -> None:
    """Refusals."""
    said = json.loads(answer(CLAUDE, CHAT, claude(USER), chat_answer({"content": None, "refusal": "No."})))
    assert said["content"] == [{"type": "text", "text": "No."}]


@pytest.mark.parametrize("client", [CHAT, RESPONSES])
def test_which_stop_sequence_was_met_is_not_mistaken_for_a_limit(client: str) -> None:
    """Stop sequences: which one was hit."""
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": {}, "stop_sequence": "END"}
    body |= {"stop_reason": "stop_sequence", "content": [{"type": "text", "text": "a"}]}
    asked = chat(USER, stop=["END"]) if client == CHAT else {"model": "m", "input": "Hi"}
    said = json.loads(answer(client, CLAUDE, asked, json.dumps(body).encode()))
    if client == CHAT:
        assert (said["choices"][0]["finish_reason"], said["choices"][0]["stop_reason"]) == ("stop", "END")
    else:
        assert said["status"] == "completed"


# ── usage ───────────────────────────────────────────────────────────────────────────────────────────────────────────

CHUNKS = [
    {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"content": "a"}}]},
    {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {
        "id": "r",
        "model": "m",
        "choices": [],
        "usage": {"prompt_tokens": 90, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 80}},
    },
]


def test_the_start_has_an_estimate_and_the_end_the_true_figure() -> None:
    """Usage: an estimate in message_start, the true number in message_delta."""
    stream = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in CHUNKS) + b"data: [DONE]\n\n"
    said = answer(CLAUDE, CHAT, claude({**USER, "content": "word " * 400}, stream=True), stream)
    events = [json.loads(line[6:]) for line in said.decode().splitlines() if line.startswith("data: ")]
    assert events[0]["message"]["usage"]["input_tokens"] > 100
    (last,) = [event for event in events if event["type"] == "message_delta"]
    assert last["usage"]["input_tokens"] == 10
    assert last["usage"]["cache_read_input_tokens"] == 80
    assert last["usage"]["output_tokens"] == 9


def test_cache_and_reasoning_detail_reach_a_chat_client() -> None:
    """Usage with cache and reasoning details; Anthropic's input excludes the cache, OpenAI's includes it."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 5, "output_tokens": 9}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    body |= {"content": [{"type": "text", "text": "a"}], "usage": usage}
    said = json.loads(answer(CHAT, CLAUDE, chat(USER), json.dumps(body).encode()))["usage"]
    assert (said["prompt_tokens"], said["completion_tokens"], said["total_tokens"]) == (95, 9, 104)
    assert said["prompt_tokens_details"]["cached_tokens"] == 80


# ── citations ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("client", [CLAUDE, RESPONSES])
def test_annotations_reach_the_client(client: str) -> None:
    """Citations and annotations."""
    link = {
        "type": "url_citation",
        "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1},
    }
    asked = claude(USER) if client == CLAUDE else {"model": "m", "input": "Hi"}
    said = answer(client, CHAT, asked, chat_answer({"content": "a", "annotations": [link]}))
    assert b"https://a.example" in said


def test_perplexitys_results_reach_the_client() -> None:
    """Citations of Perplexity stand beside the choices."""
    said = answer(CLAUDE, CHAT, claude(USER), chat_answer({"content": "a"}, citations=["https://a.example"]))
    assert b"https://a.example" in said
