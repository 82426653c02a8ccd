"""Reasoning of other providers never reaches a real Responses server."""

import json

from translators.format import WireRequest
from translators.formats.openai_responses import OpenAIResponses
from translators.hub import JSON, Signature
from translators.signatures import Reader, wrap

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


def test_reasoning_in_clear_goes_to_its_maker_alone() -> None:
    theirs: JSON = {"type": "reasoning", "id": "76f8b89e", "summary": [{"type": "summary_text", "text": "Hm."}]}
    wire = WireRequest(body=json.dumps({"model": "m", "input": [theirs, OWN]}).encode())
    known = {"76f8b89e": "openai-responses@deepseek"}.get
    other = Reader("openai-responses", "openai", "openai", known)
    assert json.loads(FORMAT.disown(wire, other).body)["input"] == [OWN]
    assert other.refused == ["76f8b89e"]
    assert FORMAT.disown(wire, Reader("openai-responses", "deepseek", "openai", known)).body.count(b"76f8b89e") == 1


def test_an_item_of_another_server_keeps_its_words_and_not_its_id() -> None:
    said: JSON = {"type": "message", "id": "d7c69e03", "role": "assistant", "content": [], "status": "completed"}
    call: JSON = {"type": "function_call", "id": "8fc1af85", "call_id": "c", "name": "f", "arguments": "{}"}
    wire = WireRequest(body=json.dumps({"model": "m", "input": [said, call]}).encode())
    known = dict.fromkeys(("d7c69e03", "8fc1af85"), "openai-responses@deepseek").get
    first, second = json.loads(FORMAT.disown(wire, Reader("openai-responses", "openai", "openai", known)).body)["input"]
    assert first.pop("id").startswith("msg_")
    assert first == {"type": "message", "role": "assistant", "content": [], "status": "completed"}
    assert second == {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
