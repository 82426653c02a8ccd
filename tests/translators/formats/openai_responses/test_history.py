"""The input list: how items become messages, and messages of other formats items."""

from translators import hub
from translators.format import Profile
from translators.formats.openai_responses.history import InputWriter, parse_input
from translators.hub import JSON


def write(*parts: hub.Part, role: str = "assistant", losses: list[hub.Loss] | None = None) -> list[JSON]:
    writer = InputWriter(Profile(), [] if losses is None else losses)
    writer.write(hub.Message(role, parts), "messages[0]")  # type: ignore[arg-type]  # one of the literals
    return writer.items


CALL: JSON = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: JSON = {"type": "function_call_output", "call_id": "c1", "output": "done"}


def test_neighbouring_items_of_the_model_are_one_message() -> None:
    message: JSON = {"type": "message", "role": "assistant", "id": "msg_1", "content": []}
    reasoning: JSON = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    said = parse_input([reasoning, message, CALL, OUTPUT, OUTPUT])
    assert [(one.role, len(one.parts)) for one in said.messages] == [("assistant", 2), ("user", 2)]


def test_two_messages_of_the_assistant_without_ids_do_not_melt() -> None:
    said = parse_input([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])
    assert len(said.messages) == 2


def test_a_reply_of_another_format_is_valid_for_the_official_sdk() -> None:
    item = write(hub.Text("hello"))[0]
    assert isinstance(item, dict)
    assert (item["type"], item["role"], item["status"], str(item["id"])[:4]) == (
        "message",
        "assistant",
        "completed",
        "msg_",
    )
    assert item["content"] == [{"type": "output_text", "text": "hello", "annotations": []}]


def test_reasoning_of_another_provider_is_left_out_as_a_loss() -> None:
    losses: list[hub.Loss] = []
    items = write(hub.Thinking("hm", hub.Signature("s", "anthropic-messages")), losses=losses)
    assert (items, [loss.path for loss in losses]) == ([], ["messages[0].parts[0]"])


def test_reasoning_of_our_own_goes_with_its_ciphertext() -> None:
    item = write(hub.Thinking("hm", hub.Signature("gAAA", "openai-responses")))[0]
    assert isinstance(item, dict)
    assert (item["type"], item["encrypted_content"]) == ("reasoning", "gAAA")


def test_calls_and_results_keep_the_id_and_their_kind() -> None:
    call = hub.ToolCall("c1", "exec", "ls", custom=True, namespace="functions")
    result = hub.ToolResult("c1", (hub.Text("ok"),), custom=True)
    assert write(call, result) == [
        {
            "type": "custom_tool_call",
            "call_id": "c1",
            "name": "exec",
            "input": "ls",
            "namespace": "functions",
        },
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
    ]


def test_a_result_with_a_picture_is_a_list() -> None:
    picture = hub.Media("image", media_type="image/png", data="AAAA")
    item = write(hub.ToolResult("c1", (hub.Text("see"), picture)), role="user")[0]
    assert isinstance(item, dict)
    assert item["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
    ]


def test_a_failed_result_keeps_its_text_and_loses_the_mark() -> None:
    losses: list[hub.Loss] = []
    items = write(hub.ToolResult("c1", (hub.Text("no"),), error=True), role="user", losses=losses)
    assert (items, len(losses)) == ([{"type": "function_call_output", "call_id": "c1", "output": "no"}], 1)


def test_results_stand_apart_from_the_text_around_them() -> None:
    items = write(hub.ToolResult("c1", ()), hub.Text("go on"), role="user")
    assert [item["type"] for item in items if isinstance(item, dict)] == ["function_call_output", "message"]
