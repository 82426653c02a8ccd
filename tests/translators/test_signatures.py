"""Who gets whose signatures: the maker alone, on every way that a request can take."""

import orjson
import pytest

from translators import FORMATS, BoundedMemory, Memory, Passthrough, Profile, Translation, WireRequest, bridge, hub
from translators.memory import maker_of
from translators.signatures import Reader, is_ours, origin_of, signed_by, unwrap, wrap

CLAUDE = "anthropic-messages"
CALL = {"type": "tool_use", "id": "toolu_0123456789abcdef", "name": "read", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": CALL["id"], "content": "x"}]}


def answered(memory: Memory, maker: str, signature: str) -> None:
    """The maker gives a signed thought to a Claude client, byte by byte as it is."""
    block = {"type": "thinking", "thinking": "Hm.", "signature": signature}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [block, CALL]}
    body = orjson.dumps(message | {"stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}})
    joined = bridge(CLAUDE, CLAUDE, memory=memory, origin=maker, home="anthropic")
    joined.request(asked())
    assert joined.feed(body, "application/json") + joined.close() == body


def asked(*signatures: str) -> WireRequest:
    thoughts = [{"type": "thinking", "thinking": "Hm.", "signature": signature} for signature in signatures]
    turns = [{"role": "user", "content": "q"}]
    if thoughts:
        turns += [{"role": "assistant", "content": [*thoughts, CALL]}, RESULT]
    body = {"model": "m", "max_tokens": 100, "messages": turns}
    return WireRequest("POST", "/v1/messages", "", {}, orjson.dumps(body))


def sent(memory: Memory | None, maker: str | None, wire: WireRequest, profile: Profile | None = None) -> list[str]:
    """The signatures of the thoughts that the maker gets."""
    joined = bridge(CLAUDE, CLAUDE, profile=profile, memory=memory, wire=wire, origin=maker, home="anthropic")
    messages = orjson.loads(joined.request(wire).body)["messages"]
    blocks = messages[1]["content"] if len(messages) > 1 else []
    return [block["signature"] for block in blocks if block["type"] == "thinking"]


@pytest.mark.parametrize("profile", [Profile(), Profile(stream="always")], ids=["passed", "translated"])
def test_a_signature_goes_back_to_the_provider_that_made_it_alone(profile: Profile) -> None:
    memory = BoundedMemory()
    answered(memory, "glm", "glm-sig")
    answered(memory, "anthropic", "claude-sig")
    history = asked("glm-sig", "claude-sig")
    assert sent(memory, "glm", history, profile) == ["glm-sig"]
    assert sent(memory, "anthropic", history, profile) == ["claude-sig"]


def test_what_nobody_is_known_to_have_signed_goes_home_and_to_nobody_else() -> None:
    assert sent(BoundedMemory(), "anthropic", asked("old")) == ["old"]
    assert sent(BoundedMemory(), "glm", asked("old")) == []


def test_a_request_without_foreign_signatures_is_passed_on_as_it_is() -> None:
    memory = BoundedMemory()
    answered(memory, "anthropic", "claude-sig")
    wire = asked("claude-sig")
    assert bridge(CLAUDE, CLAUDE, memory=memory, origin="anthropic", home="anthropic").request(wire) is wire


def test_without_an_origin_the_format_alone_decides() -> None:
    assert sent(None, None, asked("any")) == ["any"]


def test_a_provider_that_takes_thinking_without_signatures_keeps_the_text() -> None:
    memory = BoundedMemory()
    answered(memory, "glm", "glm-sig")
    assert sent(memory, "minimax", asked("glm-sig"), Profile(unsigned_thinking=True)) == [""]


def test_a_wrapped_signature_is_unwrapped_where_it_goes_home_untranslated() -> None:
    wrapped = wrap(hub.Signature("glm-sig", origin_of(CLAUDE, "glm")), CLAUDE)
    assert is_ours(wrapped)
    assert sent(None, "glm", asked(wrapped)) == ["glm-sig"]
    assert sent(None, "anthropic", asked(wrapped)) == []


def test_an_answer_of_the_client_s_own_provider_is_never_wrapped() -> None:
    joined = bridge(CLAUDE, CLAUDE, profile=Profile(stream="always"), origin="anthropic", home="anthropic")
    assert isinstance(joined, Translation)
    joined.request(asked())
    answer = hub.Response("r", "m", (hub.Thinking("Hm.", hub.Signature("s", CLAUDE)),), hub.Stop("end"))
    out = joined.feed(FORMATS[CLAUDE].render_response(answer, hub.Request("m", ()), []), "application/json")
    assert orjson.loads(out + joined.close())["content"][0]["signature"] == "s"


def test_gemini_gets_its_word_for_a_call_that_another_provider_made() -> None:
    memory = BoundedMemory()
    contents = [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "read", "args": {}}}]},
    ]
    answer = hub.Response("r", "m", (hub.ToolCall("c1", "read", "{}"),), hub.Stop("tool_calls"))
    first = WireRequest("POST", "/v1beta/models/m:generateContent", "", {}, orjson.dumps({"contents": contents[:1]}))
    other = bridge("gemini", "openai-chat", memory=memory, origin="openai", home="google")
    other.request(first)
    other.feed(FORMATS["openai-chat"].render_response(answer, hub.Request("m", ()), []), "application/json")
    other.close()
    wire = WireRequest("POST", first.path, "", {}, orjson.dumps({"contents": contents}))
    own = bridge("gemini", "gemini", memory=memory, origin="google", home="google")
    assert isinstance(own, Passthrough)
    call = orjson.loads(own.request(wire).body)["contents"][1]["parts"][0]
    assert call["thoughtSignature"] == "skip_thought_signature_validator"


def test_gemini_gets_its_word_for_a_call_without_an_id_whose_signature_is_another_s() -> None:
    known = {"c2ln": "gemini@google"}.get
    call = {"functionCall": {"name": "read", "args": {}}, "thoughtSignature": "c2ln"}
    body = orjson.dumps({"contents": [{"role": "model", "parts": [call]}]})
    wire = WireRequest("POST", "/v1beta/models/m:generateContent", "", {}, body)
    owned = FORMATS["gemini"].disown(wire, Reader("gemini", "vertex", "google", known))
    part = orjson.loads(owned.body)["contents"][0]["parts"][0]
    assert part["thoughtSignature"] == "skip_thought_signature_validator"


def test_reasoning_that_nobody_signed_is_counted_when_it_is_taken_out() -> None:
    reader = Reader(CLAUDE, "anthropic", "anthropic")
    FORMATS[CLAUDE].disown(asked(wrap(None, CLAUDE)), reader)
    assert len(reader.refused) == 1


def test_the_ids_that_a_responses_server_gave_are_known_for_its_own() -> None:
    memory = BoundedMemory()
    reasoning = {"type": "reasoning", "id": "76f8b89e", "summary": [{"type": "summary_text", "text": "Hm."}]}
    text = {"type": "output_text", "text": "Yes.", "annotations": []}
    said = {"type": "message", "id": "d7c69e03", "role": "assistant", "status": "completed", "content": [text]}
    call = {"type": "function_call", "id": "8fc1af85", "call_id": "c", "name": "f", "arguments": "{}"}
    answer = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": [reasoning, said, call]}
    joined = bridge("openai-responses", "openai-responses", memory=memory, origin="deepseek", home="openai")
    joined.request(WireRequest(body=b'{"model": "m", "input": "q"}'))
    joined.feed(orjson.dumps(answer), "application/json")
    joined.close()
    assert {maker_of(memory, name) for name in ("76f8b89e", "d7c69e03", "8fc1af85")} == {"openai-responses@deepseek"}


def test_a_wrapping_carries_the_maker() -> None:
    signature = signed_by(hub.Signature("v", "gemini"), "google")
    assert unwrap(wrap(signature, CLAUDE), CLAUDE) == hub.Signature("v", "gemini@google")


def test_a_tag_without_a_maker_reaches_everybody_of_its_format() -> None:
    assert Reader("openai-chat", "google").admit(hub.Signature("v", "gemini")).origin == "gemini"


def test_a_chat_upstream_that_refuses_calls_without_reasoning_gets_a_word_and_the_loss_is_said() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    body = orjson.dumps({"model": "m", "messages": [*turns, {"role": "tool", "tool_call_id": "c1", "content": "x"}]})
    wire = WireRequest("POST", "/v1/chat/completions", "", {}, body)
    joined = bridge("openai-chat", "openai-chat", profile=Profile(reasoning_lost="."), wire=wire)
    assert orjson.loads(joined.request(wire).body)["messages"][1]["reasoning_content"] == "."
    assert [loss.reason.split(":")[0] for loss in joined.losses] == ["Invented because required"]


def test_a_signature_in_the_other_alphabet_of_base64_is_the_same_signature() -> None:
    """Google's Python SDK reads the field as bytes and writes it back with ``-`` and ``_``."""
    signature = hub.Signature("v~~~???", origin_of(CLAUDE, "glm"))
    wrapped = wrap(signature, "gemini")
    assert set(wrapped) & set("+/")
    assert unwrap(wrapped.replace("+", "-").replace("/", "_"), "gemini") == signature
    memory = BoundedMemory()
    answered(memory, "glm", "a+b/c==")
    assert sent(memory, "glm", asked("a-b_c==")) == ["a-b_c=="]
