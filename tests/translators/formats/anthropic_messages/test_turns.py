"""Conversations of other formats as messages that Anthropic accepts."""

import base64
from typing import Any

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire, assistant, system, user
from translators import hub
from translators.errors import Unsupported
from translators.format import Profile
from translators.signatures import wrap

NAME = "anthropic-messages"
CALL = hub.ToolCall("a", "f", '{"x":1}')
RESULT = hub.ToolResult("a", (hub.Text("done"),))
PNG = hub.Media("image", "image/png", data="aGk=")


def shape(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Role and block types; a text block as its text."""
    return [
        (
            message["role"],
            [block["text"] if block["type"] == "text" else block["type"] for block in message["content"]],
        )
        for message in body["messages"]
    ]


def test_roles_alternate_and_results_come_first() -> None:
    other = hub.ToolCall("b", "g")
    body = Wire().send(
        user("go"),
        assistant("ok", CALL),
        assistant(other),
        user("look"),
        user(RESULT),
        user(hub.ToolResult("b")),
        user("and now?"),
    )
    assert shape(body) == [
        ("user", ["go"]),
        ("assistant", ["ok", "tool_use", "tool_use"]),
        ("user", ["tool_result", "tool_result", "look", "and now?"]),
    ]


def test_calls_come_last_in_an_assistant_turn() -> None:
    body = Wire().send(user("go"), assistant(CALL, "calling"), user(RESULT))
    assert shape(body)[1] == ("assistant", ["calling", "tool_use"])


def test_empty_blocks_are_left_out() -> None:
    body = Wire().send(user("", "hi"), assistant(""), user(" "), user("there"))
    assert shape(body) == [("user", ["hi", "there"])]


def test_the_last_assistant_turn_does_not_end_in_white_space() -> None:
    assert shape(Wire().send(user("go"), assistant("so \n")))[-1] == ("assistant", ["so"])


def test_a_last_message_that_cannot_be_sent_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="last user message"):
        Wire().send(user("a"), assistant("b"), user(hub.Media("audio", "audio/wav", data="aGk=")))


def test_system_text_further_down_follows_the_user_turn() -> None:
    body = Wire().send(system("a"), user("x"), assistant(CALL), system("b"), user(RESULT), assistant("y"), user("z"))
    assert body["system"] == [{"type": "text", "text": "a"}]
    assert shape(body) == [
        ("user", ["x"]),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result"]),
        ("system", ["b"]),
        ("assistant", ["y"]),
        ("user", ["z"]),
    ]


def test_system_text_further_down_becomes_user_text_where_the_model_wants_it_first() -> None:
    wire = Wire()
    body = wire.send(system("a"), user("x"), system("b"), profile=Profile(system_position="leading"))
    assert shape(body) == [("user", ["x", "b"])]
    assert "user text" in wire.reasons


def test_system_text_opens_the_first_user_turn_where_there_is_no_system_role() -> None:
    body = Wire().send(system("a"), user("x"), profile=Profile(system_position="none"))
    assert "system" not in body
    assert shape(body) == [("user", ["a", "x"])]


def test_system_text_alone_is_sent_as_a_user_message() -> None:
    wire = Wire()
    body = wire.send(hub.Message("developer", (hub.Text("a"),)))
    assert shape(body) == [("user", ["a"])]
    assert wire.losses


def test_only_reasoning_of_anthropics_own_is_sent() -> None:
    wire = Wire()
    own = hub.Thinking("mine", hub.Signature("sig", NAME))
    foreign = hub.Thinking("theirs", hub.Signature("x", "gemini"))
    body = wire.send(user("a"), assistant(own, foreign, hub.Thinking("bare"), "b"), user("c"))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "sig"},
        {"type": "text", "text": "b"},
    ]
    assert wire.losses


def test_a_wrapped_signature_is_known_as_foreign_when_it_comes_back() -> None:
    signature = hub.Signature("cipher", "openai-responses")
    content = [{"type": "thinking", "thinking": "t", "signature": wrap(signature, NAME)}]
    request = Wire().parse({"messages": [{"role": "assistant", "content": content}]})
    assert request.messages[0].parts == (hub.Thinking("t", signature),)


def test_a_thinking_budget_gives_way_in_a_loop_that_began_without_thinking() -> None:
    wire = Wire()
    body = wire.send(user("go"), assistant(CALL), user(RESULT), reasoning=hub.Reasoning(budget=2000))
    assert body["thinking"] == {"type": "disabled"}
    assert "tool loop" in wire.reasons


def test_a_tool_result_keeps_its_error_images_and_references() -> None:
    result = hub.ToolResult("a", (hub.Text("t"), PNG, hub.ToolReference("WebSearch")), error=True)
    body = Wire().send(user("go"), assistant(CALL), user(result))
    assert body["messages"][2]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "content": [
                {"type": "text", "text": "t"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "tool_reference", "tool_name": "WebSearch"},
            ],
            "is_error": True,
        }
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "url", "url": "https://x.invalid/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            "title": "T",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hä"}, "citations": {}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {}}]}},
        {"type": "search_result", "source": "s", "title": "t", "content": []},
        {"type": "container_upload", "file_id": "file_1"},
    ],
)
def test_blocks_of_a_user_turn_come_back_as_they_were(block: dict[str, Any]) -> None:
    request = Wire().parse({"messages": [{"role": "user", "content": [block]}]})
    assert Wire().render(request)["messages"][0]["content"] == [block]


def test_a_text_document_is_readable_for_other_formats() -> None:
    block = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hä"}}
    [part] = Wire().parse({"messages": [{"role": "user", "content": [block]}]}).messages[0].parts
    assert part == hub.Media("document", "text/plain", data=base64.b64encode("hä".encode()).decode())


def test_a_data_uri_becomes_a_base64_source() -> None:
    body = Wire().send(user(hub.Media("image", url="data:image/png;base64,aGk=")))
    assert body["messages"][0]["content"][0]["source"] == {"type": "base64", "media_type": "image/png", "data": "aGk="}


@pytest.mark.parametrize(
    "media, profile",
    [
        (hub.Media("audio", "audio/wav", data="aGk="), Profile()),
        (hub.Media("image", "image/tiff", data="aGk="), Profile()),
        (hub.Media("document", "application/zip", data="aGk="), Profile()),
        (hub.Media("image", file_id="file-abc"), Profile()),
        (hub.Media("image", url="data:,x"), Profile()),
        (PNG, Profile(images=False)),
        (hub.Media("document", "application/pdf", data="aGk="), Profile(documents=False)),
    ],
)
def test_media_that_the_model_cannot_read_is_a_loss(media: hub.Media, profile: Profile) -> None:
    wire = Wire()
    assert shape(wire.send(user("see", media), profile=profile)) == [("user", ["see"])]
    assert len(wire.losses) == 1


def test_a_text_document_is_sent_as_text_where_documents_are_refused() -> None:
    media = hub.Media("document", "text/plain", data=base64.b64encode(b"read me").decode())
    assert shape(Wire().send(user(media), profile=Profile(documents=False))) == [("user", ["read me"])]


def test_arguments_that_are_no_object_travel_as_text() -> None:
    wire = Wire()
    broken = hub.ToolCall("a", "f", '{"x":')
    body = wire.send(user("go"), assistant(broken), user(RESULT))
    assert body["messages"][1]["content"][0]["input"] == {"input": '{"x":'}
    assert wire.losses


def test_parts_of_other_formats_alone_are_a_loss() -> None:
    wire = Wire()
    wire.send(user("go"), assistant("a", hub.Opaque("openai-responses", {"type": "web_search_call"})), user("b"))
    assert "web_search_call" in wire.reasons
