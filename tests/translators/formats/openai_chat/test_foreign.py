"""Other vendors' fields are reported, each kind once."""

from translators import hub
from translators.format import Profile
from translators.formats.openai_chat.foreign import foreign_losses

CACHED = {"anthropic-messages": {"cache_control": {"type": "ephemeral"}}}


def test_every_kind_is_reported_once_where_it_first_stands() -> None:
    text = hub.Text("x", extra=CACHED)
    message = hub.Message("user", (text, hub.ToolResult("c", (text,))))
    request = hub.Request("m", (message, message), extra={"gemini": {"safetySettings": [{}]}})
    assert [loss.path for loss in foreign_losses(request, Profile())] == [
        "safetySettings",
        "messages[0].parts[0].cache_control",
    ]


def test_own_fields_are_none() -> None:
    assert foreign_losses(hub.Request("m", (), extra={"openai-chat": {"logit_bias": {}}}), Profile()) == []


def test_breakpoints_of_the_prompt_cache_are_none_where_they_are_sent() -> None:
    request = hub.Request("m", (hub.Message("user", (hub.Text("x", extra=CACHED),)),))
    assert foreign_losses(request, Profile(cache_control=True)) == []


def test_members_that_the_responses_format_spells_alike_are_none() -> None:
    request = hub.Request("m", (), extra={"openai-responses": {"metadata": {"a": "b"}, "truncation": "auto"}})
    assert [loss.path for loss in foreign_losses(request, Profile())] == ["truncation"]
