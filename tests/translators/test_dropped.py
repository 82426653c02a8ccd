"""Of an extra only what is said nowhere else is reported, member by member."""

from translators import hub
from translators.dropped import dropped, extras, word_of

CHAT = "openai-chat"


def test_members_of_the_target_itself_are_none() -> None:
    assert list(dropped({CHAT: {"logit_bias": {"1": 1}}}, CHAT)) == []


def test_a_member_that_says_nothing_is_none() -> None:
    assert list(dropped({"gemini": {"labels": {}, "safetySettings": [], "x": None}}, CHAT)) == []


def test_what_only_repeats_the_hub_is_none() -> None:
    extra: hub.Extra = {"openai-responses": {"plain": True, "item": {"id": "msg_1", "status": "completed"}}}
    assert list(dropped(extra, CHAT)) == []


def test_members_of_an_object_that_only_holds_others_have_their_own_path() -> None:
    extra: hub.Extra = {"gemini": {"generationConfig": {"audioTimestamp": True, "speechConfig": {"a": 1}}}}
    assert [path for _, path in dropped(extra, CHAT)] == [
        "generationConfig.audioTimestamp",
        "generationConfig.speechConfig",
    ]


def test_an_effort_is_reported_where_the_hub_has_no_such_word() -> None:
    assert list(dropped({CHAT: {"reasoning_effort": "high"}}, "gemini")) == []
    assert list(dropped({CHAT: {"reasoning_effort": "default"}}, "gemini")) == [(CHAT, "reasoning_effort")]


def test_every_extra_of_a_request_is_found_with_its_place() -> None:
    mark: hub.Extra = {"anthropic-messages": {"cache_control": {"type": "ephemeral"}}}
    result = hub.ToolResult("c", (hub.Text("x", extra=mark),))
    request = hub.Request(
        "m",
        (hub.Message("user", (hub.Text("x", extra=mark), result)),),
        tools=(hub.Tool("look", extra=mark),),
        reasoning=hub.Reasoning(extra=mark),
        extra=mark,
    )
    assert [path for path, extra, _ in extras(request) if extra] == [
        "",
        "reasoning",
        "tools[0]",
        "messages[0].parts[0]",
        "messages[0].parts[1]",
    ]


def test_an_opaque_part_is_called_what_its_format_calls_it() -> None:
    assert word_of(hub.Opaque("anthropic-messages", {"type": "server_tool_use"})) == "server_tool_use"
    assert word_of(hub.Opaque("gemini", {"thoughtSignature": "x", "executableCode": {}})) == "executableCode"
