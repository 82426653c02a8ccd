"""Media travel whole, and addresses that only Google can read are not taken for public ones."""

import pytest

from translators.formats.gemini.media import parse_media, render_media
from translators.formats.gemini.wire import Object
from translators.hub import Media


@pytest.mark.parametrize(
    "part, media",
    [
        (
            {"inlineData": {"mimeType": "image/png", "data": "_-A="}},
            Media("image", "image/png", data="/+A="),
        ),
        (
            {"fileData": {"fileUri": "https://x/a.pdf", "mimeType": "application/pdf"}},
            Media("document", "application/pdf", url="https://x/a.pdf"),
        ),
        ({"fileData": {"fileUri": "gs://b/a.mp4"}}, Media("video", file_id="gs://b/a.mp4")),
        (
            {
                "fileData": {
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
                    "mimeType": "audio/mpeg",
                }
            },
            Media("audio", "audio/mpeg", file_id="https://generativelanguage.googleapis.com/v1beta/files/x"),
        ),
        (
            {"fileData": {"fileUri": "https://y/v"}, "videoMetadata": {"fps": 1}},
            Media("document", url="https://y/v", extra={"gemini": {"videoMetadata": {"fps": 1}}}),
        ),
    ],
)
def test_media_are_read_and_written(part: Object, media: Media) -> None:
    assert parse_media(part, "p") == media
    rendered = render_media(media)
    assert rendered is not None
    assert parse_media(rendered, "p") == media


@pytest.mark.parametrize("url", ["data:image/png;base64,AAA=", "data:,hello"])
def test_data_urls_become_inline_data(url: str) -> None:
    rendered = render_media(Media("image", "image/png", url=url))

    assert rendered is not None
    assert rendered["inlineData"] == {"mimeType": "image/png", "data": "AAA=" if "base64" in url else "aGVsbG8="}


def test_a_file_id_of_another_vendor_cannot_be_sent() -> None:
    assert render_media(Media("document", file_id="file-abc")) is None
