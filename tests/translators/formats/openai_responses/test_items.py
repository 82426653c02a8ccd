"""Items that a model makes: how reasoning, messages and ids go there and back."""

import pytest

from translators import hub
from translators.formats.openai_responses.items import ItemIds, parse_item, render_reasoning
from translators.hub import JSON


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        },
        {"type": "reasoning", "id": "x", "summary": [], "content": [{"type": "reasoning_text", "text": "a"}]},
    ],
)
def test_reasoning_of_our_own_comes_back_as_it_was(item: dict[str, JSON]) -> None:
    (part,) = parse_item(item, answer=False)
    assert isinstance(part, hub.Thinking)
    assert render_reasoning(part, None, wrap=False) == item


def test_reasoning_that_nobody_signed_is_marked_as_ours() -> None:
    item = render_reasoning(hub.Thinking("a"), "rs_1", wrap=True)
    assert parse_item(item, answer=False) == [hub.Thinking("a")]


def test_a_message_becomes_one_part_for_each_content_part() -> None:
    content: JSON = [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    parts = parse_item({"type": "message", "id": "msg_1", "content": content}, answer=True)
    assert [type(part) for part in parts] == [hub.Text, hub.Refusal]


def test_ids_are_the_same_for_the_same_answer_and_never_used_twice() -> None:
    first, second = ItemIds("resp_1"), ItemIds("resp_1")
    made = [first.take("fc"), first.take("fc"), first.take("msg", "msg_own"), first.take("msg", "msg_own")]
    assert made == [second.take("fc"), second.take("fc"), "msg_own", made[3]]
    assert len(set(made)) == 4
