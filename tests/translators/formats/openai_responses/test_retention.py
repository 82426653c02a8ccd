"""Reasoning of other providers never reaches a real Responses server."""

import json

from translators.format import WireRequest
from translators.formats.openai_responses import OpenAIResponses
from translators.hub import JSON, Signature
from translators.signatures import wrap

FORMAT = OpenAIResponses()
OURS: JSON = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "encrypted_content": wrap(Signature("s", "gemini"), "x"),
}
OWN: JSON = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"}


def test_an_item_that_we_made_is_taken_out_and_the_others_stay() -> None:
    wire = WireRequest(body=json.dumps({"model": "m", "input": [OURS, OWN], "x": 1.0e5}).encode())
    assert json.loads(FORMAT.disown(wire).body) == {"model": "m", "input": [OWN], "x": 1.0e5}


def test_a_request_without_any_is_the_very_same() -> None:
    wire = WireRequest(body=json.dumps({"model": "m", "input": [OWN]}).encode())
    assert FORMAT.disown(wire) is wire


def test_a_body_that_cannot_be_read_is_left_alone() -> None:
    wire = WireRequest(body=b"{oops " + wrap(None, "x").encode())
    assert FORMAT.disown(wire) is wire


def test_another_model_changes_only_its_bytes() -> None:
    wire = WireRequest(body=b'{ "model" : "a", "temperature": 1.0e0 }')
    assert FORMAT.retarget(wire, "b").body == b'{ "model" : "b", "temperature": 1.0e0 }'
