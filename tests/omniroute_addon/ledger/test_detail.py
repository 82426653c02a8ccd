"""What reports say of audio, images, caches, searches and money; nonsense counts as nothing."""

import pytest

from omniroute_addon.ledger.detail import Detail, detail
from translators.hub import JSON, Usage


@pytest.mark.parametrize(
    "form, said, expected",
    [
        ("anthropic-messages", {"cache_creation": {"ephemeral_1h_input_tokens": 5}}, Detail(hour_writes=5)),
        ("anthropic-messages", {"server_tool_use": {"web_search_requests": 2}}, Detail(searches=2)),
        (
            "openai-chat",
            {"prompt_tokens_details": {"audio_tokens": 4}, "completion_tokens_details": {"audio_tokens": 2}},
            Detail(audio_in=4, audio_out=2),
        ),
        ("openai-chat", {"cost": 0.0014}, Detail(bill=0.0014)),
        (
            "gemini",
            {
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 40},
                    {"modality": "AUDIO", "tokenCount": 60},
                ],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 10}],
            },
            Detail(audio_in=60, audio_cached=20, image_out=10),
        ),
        ("openai-chat", {"cost": {"total_cost": 1}, "prompt_tokens_details": [], "x": 1}, Detail()),
        ("gemini", {"promptTokensDetails": [None, {"modality": "AUDIO", "tokenCount": "many"}]}, Detail()),
        ("anthropic-messages", {"cache_creation": {"ephemeral_1h_input_tokens": -5}}, Detail()),
    ],
)
def test_a_report_in_detail(form: str, said: dict[str, JSON], expected: Detail) -> None:
    assert detail(Usage(extra={form: said})) == expected


def test_most_reports_have_none() -> None:
    assert detail(Usage(input=5)) == Detail()
