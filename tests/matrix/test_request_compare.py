"""The judge of requests notices what goes missing and what is put in."""

from collections.abc import Callable

import pytest

from tests.matrix.request_compare import Comparison
from tests.matrix.request_facts import JSON
from tests.matrix.request_readers import read
from translators import hub

CHAT = "openai-chat"


def _body() -> dict[str, JSON]:
    return {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}},
            ]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":"a.png"}'}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "A cat"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "look", "description": "Looks", "strict": True,
            "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
        }}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "temperature": 0.3,
        "stop": ["END"],
        "reasoning_effort": "high",
        "response_format": {"type": "json_object"},
        "logit_bias": {"1": 1},
    }  # fmt: skip


DAMAGES: dict[str, Callable[[dict[str, JSON]], object]] = {
    "system text lost": lambda body: body["messages"].pop(0),
    "user text lost": lambda body: body["messages"][1]["content"].pop(0),
    "image lost": lambda body: body["messages"][1]["content"].pop(1),
    "assistant text lost": lambda body: body["messages"][2].update(content=None),
    "tool call lost": lambda body: body["messages"][2]["tool_calls"][0]["function"].update(arguments="{}"),
    "tool text lost": lambda body: body["messages"][3].update(content="A dog"),
    "invented user text": lambda body: body["messages"].append({"role": "user", "content": "Go on"}),
    "media was invented": lambda body: body["messages"][1]["content"].append(
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    ),
    "tool lost": lambda body: body.pop("tools"),
    "description of look lost": lambda body: body["tools"][0]["function"].pop("description"),
    "schema of look differs": lambda body: body["tools"][0]["function"]["parameters"].pop("required"),
    "look is no longer strict": lambda body: body["tools"][0]["function"].pop("strict"),
    "tool choice": lambda body: body.update(tool_choice="auto"),
    "parallel calls are no longer off": lambda body: body.pop("parallel_tool_calls"),
    "temperature": lambda body: body.update(temperature=0.4),
    "stop": lambda body: body.pop("stop"),
    "effort high became low": lambda body: body.update(reasoning_effort="low"),
    "structured output lost": lambda body: body.pop("response_format"),
    "seed 7 was invented": lambda body: body.update(seed=7),
    "logit_bias is nowhere mentioned": lambda body: body.pop("logit_bias"),
}


@pytest.mark.parametrize("said", DAMAGES)
def test_damage_is_noticed(said: str) -> None:
    damaged = _body()
    DAMAGES[said](damaged)
    found = Comparison(read(CHAT, _body(), ""), read(CHAT, damaged, ""), []).problems()
    assert any(problem.startswith(said) for problem in found), found


def test_the_same_request_has_no_problem() -> None:
    assert Comparison(read(CHAT, _body(), ""), read(CHAT, _body(), ""), []).problems() == []


def test_a_loss_that_names_the_place_explains_what_is_missing() -> None:
    damaged = _body()
    del damaged["stop"]
    losses = [hub.Loss("stop", "no stop sequences")]
    assert Comparison(read(CHAT, _body(), ""), read(CHAT, damaged, ""), losses).problems() == []
