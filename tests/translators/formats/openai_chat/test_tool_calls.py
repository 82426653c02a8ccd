"""Tool calls of whole messages."""

from translators import hub
from translators.formats.openai_chat.tool_calls import parse_tool_calls, render_call, unique_id


def test_the_same_id_twice_is_made_two() -> None:
    items: list[hub.JSON] = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}] * 2
    assert [call.id for call in parse_tool_calls({"tool_calls": items}, "")] == ["a", "a_2"]


def test_unique_ids_do_not_collide_with_what_comes_later() -> None:
    taken: dict[str, int] = {}
    assert [unique_id(wanted, taken) for wanted in ("a", "a", "a_2")] == ["a", "a_2", "a_2_2"]


def test_a_foreign_signature_of_a_call_stays_away_from_upstreams() -> None:
    call = hub.ToolCall("a", "f", "{}", signature=hub.Signature("s", "gemini"))
    assert "extra_content" not in render_call(call, client=False)


def test_a_foreign_signature_of_a_call_comes_back_from_the_client() -> None:
    call = hub.ToolCall("a", "f", "{}", signature=hub.Signature("s", "gemini"))
    assert parse_tool_calls({"tool_calls": [render_call(call, client=True)]}, "") == [call]


def test_an_unknown_field_of_a_call_is_kept() -> None:
    item: dict[str, hub.JSON] = {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "cache_control": {"type": "ephemeral"},
    }
    (call,) = parse_tool_calls({"tool_calls": [item]}, "")
    assert render_call(call, client=False) == item
