"""Parts of a message's content, there and back."""

from typing import Any

import pytest

from translators import hub
from translators.format import Profile
from translators.formats.openai_chat.content import parse_content, render_media

ITEMS: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": "https://a.example/a.png", "detail": "high"}},
    {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA"}, "cache_control": {"type": "ephemeral"}},
    {"type": "video_url", "video_url": {"url": "https://a.example/a.mp4"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "input_audio", "input_audio": {"data": "https://a.example/a.mp3", "format": "mp3"}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    {"type": "document_url", "document_url": "https://a.example/a.pdf"},
]


@pytest.mark.parametrize("item", ITEMS)
def test_media_come_back_as_they_were(item: dict[str, Any]) -> None:
    (media,) = parse_content([item])
    assert isinstance(media, hub.Media)
    losses: list[hub.Loss] = []
    assert render_media(media, Profile(), "p", losses) == item
    assert losses == []


@pytest.mark.parametrize("value", [None, "", [], [None], [{"type": "text", "text": None}], [{"type": "image_url"}]])
def test_nothing_said_is_no_part(value: Any) -> None:
    assert parse_content(value) == ()


@pytest.mark.parametrize(
    "media, profile",
    [
        (hub.Media("image", data="AA"), Profile(images=False)),
        (hub.Media("document", "application/pdf", data="AA"), Profile(documents=False)),
        (hub.Media("image", file_id="f"), Profile()),
        (hub.Media("audio", file_id="f"), Profile()),
    ],
)
def test_media_without_a_place_are_a_loss(media: hub.Media, profile: Profile) -> None:
    losses: list[hub.Loss] = []
    assert render_media(media, profile, "p", losses) is None
    assert [loss.path for loss in losses] == ["p"]
