"""``docs/translation.md`` says what the translators do."""

from itertools import permutations

import orjson
import pytest

from tests.translators import losses
from translators import FORMATS, Profile, WireRequest, bridge, hub

PAIRS = list(permutations(sorted(FORMATS), 2))


def test_the_table_of_losses_is_up_to_date() -> None:
    if losses.part_of(losses.PAGE.read_text(), "losses") != losses.losses_part():
        pytest.fail(f"docs/translation.md is out of date; regenerate it: {losses.COMMAND}", pytrace=False)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_loaded_call_loses_nothing_on_the_way_back_into_its_own_format(name: str) -> None:
    answer = losses.loaded_answer(name)
    assert answer is not None
    found: list[hub.Loss] = []
    format_ = FORMATS[name]
    for wire in losses.loaded_requests(name):
        asked = format_.parse_request(wire)
        format_.render_request(asked, Profile(), found)
        format_.render_response(format_.parse_response(answer), asked, found)
    assert found == []


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_every_loss_says_where_and_why(client: str, upstream: str) -> None:
    for loss in [*losses.request_losses(client, upstream), *losses.answer_losses(client, upstream)]:
        assert loss.path
        assert loss.reason
        assert len(loss.reason) < 200


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_what_a_loaded_request_becomes_is_of_the_upstream_s_format(client: str, upstream: str) -> None:
    for wire in losses.loaded_requests(client):
        there = FORMATS[upstream].parse_request(bridge(client, upstream).request(wire, "other-model"))
        assert there.model == "other-model"


@pytest.mark.parametrize("upstream", sorted(set(FORMATS) - {"anthropic-messages"}))
def test_what_a_text_of_the_past_cites_arrives_or_is_listed(upstream: str) -> None:
    cited = {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "Sunny"}
    text = {"type": "text", "text": "Sunny.", "citations": [{**cited, "encrypted_index": "c2ln"}]}
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [text]},
        {"role": "user", "content": "Why?"},
    ]
    joined = bridge("anthropic-messages", upstream)
    body = orjson.dumps({"model": "m", "max_tokens": 99, "messages": turns})
    sent = joined.request(WireRequest("POST", "/v1/messages", "", {}, body))
    listed = any(loss.path.endswith("citations") for loss in joined.losses)
    assert listed != (b"https://a.example" in sent.body)
