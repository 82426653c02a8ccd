"""Other vendors' fields are reported, each kind once."""

from translators import hub
from translators.formats.openai_chat.foreign import foreign_losses

CACHED = {"anthropic-messages": {"cache_control": {"type": "ephemeral"}}}


def test_every_kind_is_reported_once_where_it_first_stands() -> None:
    text = hub.Text("x", extra=CACHED)
    message = hub.Message("user", (text, hub.ToolResult("c", (text,))))
    request = hub.Request("m", (message, message), extra={"gemini": {"safetySettings": []}})
    assert [loss.path for loss in foreign_losses(request)] == [
        "safetySettings",
        "messages[0].parts[0].cache_control",
    ]


def test_own_fields_are_none() -> None:
    assert foreign_losses(hub.Request("m", (), extra={"openai-chat": {"logit_bias": {}}})) == []
