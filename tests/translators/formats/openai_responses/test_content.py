"""Content parts, there and back."""

import pytest

from translators import hub
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.openai_responses.content import parse_input_part, render_input_part
from translators.hub import JSON


@pytest.mark.parametrize(
    "content",
    [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": True},
        {"type": "input_image", "image_url": "https://a.example/x.png", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high"},
        {"type": "input_image", "file_id": "file-1", "detail": "auto"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://a.example/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ],
)
def test_a_part_comes_back_as_it_was(content: JSON) -> None:
    part = parse_input_part(content, "input[0]")
    assert not isinstance(part, hub.Opaque)
    assert render_input_part(part, "input[0]", Profile(), []) == content


def test_an_unknown_kind_stays_opaque() -> None:
    content: JSON = {"type": "input_hologram", "x": 1}
    assert parse_input_part(content, "input[0]") == hub.Opaque("openai-responses", content)


@pytest.mark.parametrize("kind", ["input_image", "input_file"])
def test_a_medium_without_a_source_is_refused_with_its_place(kind: str) -> None:
    with pytest.raises(FormatError, match=r"input\[3\]"):
        parse_input_part({"type": kind}, "input[3]")


@pytest.mark.parametrize(
    "part, profile",
    [
        (hub.Media("image", url="https://a.example"), Profile(images=False)),
        (hub.Media("document", url="https://a.example"), Profile(documents=False)),
        (hub.Media("video", url="https://a.example"), Profile()),
    ],
)
def test_what_the_model_does_not_take_is_a_loss(part: hub.Media, profile: Profile) -> None:
    losses: list[hub.Loss] = []
    assert (render_input_part(part, "p", profile, losses), len(losses)) == (None, 1)
