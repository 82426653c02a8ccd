"""Past reasoning in the attempt loop: whose it is, and what is done when a target refuses it as not its own."""

from typing import Any

import orjson
import pytest

from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT_WHOLE, CLAUDE, CLAUDE_WHOLE, Stage, called, claude, failure, scene
from tests.omniroute_addon.loopback import Answer, Provider
from tests.servers import answers, faults
from translators import hub
from translators.memory import maker_of
from translators.signatures import origin_of, wrap

CALL = {"type": "tool_use", "id": "toolu_0123456789abcdef", "name": "read", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": CALL["id"], "content": "x"}
SAID = answers.Answer(pieces=("Hello",))
GOOD = loopback.json(200, CLAUDE_WHOLE)
TEXTS = {
    "anthropic": "messages.1.content.0: Invalid `signature` in `thinking` block",
    "redacted": "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
    "modified": "messages.3.content.8: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
    "modified. These blocks must remain as they were in the original response.",
}


def refusal(message: str) -> Answer:
    return failure(faults.failure("anthropic-messages", 400, "invalid_request_error", message))


def asked(*signatures: str) -> bytes:
    thoughts = [{"type": "thinking", "thinking": "Hm.", "signature": signature} for signature in signatures]
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [*thoughts, CALL]},
        {"role": "user", "content": [RESULT]},
    ]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    return orjson.dumps({"model": "claude-opus-4-6", "max_tokens": 2000, "thinking": thinking, "messages": turns})


def signed(*signatures: str) -> Answer:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": signature} for signature in signatures]
    return loopback.json(200, orjson.dumps(orjson.loads(CLAUDE_WHOLE) | {"content": [*blocks, CALL]}))


def signatures(body: bytes) -> list[str]:
    messages: list[dict[str, Any]] = orjson.loads(body)["messages"]
    blocks = [block for message in messages if message["role"] == "assistant" for block in message["content"]]
    return [block["signature"] for block in blocks if block["type"] == "thinking"]


# ── whose it is ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signature_goes_to_the_target_that_made_it_alone() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask(claude(asked("of-before")))
        assert maker_of(on.memory, "of-c") == "anthropic-messages@c"
        await on.ask(claude(asked("of-before", "of-c")))
        assert [signatures(sent.body) for sent in one.received] == [[], ["of-c"]]

    scene(main, [signed("of-c"), GOOD], [], "c/m")


def test_what_nobody_is_known_to_have_made_goes_to_the_tools_own_provider() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask(claude(asked("of-before")))
        assert signatures(one.last.body) == ["of-before"]

    scene(main, [GOOD], [], "origin")


# ── refused ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", TEXTS)
def test_a_refused_signature_is_taken_out_and_the_same_target_asked_before_any_other(text: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask(claude(asked("foreign")))
        assert (got.status, on.targets, two.received) == (200, ["origin", "origin"], [])
        assert [signatures(sent.body) for sent in one.received] == [["foreign"], []]
        assert orjson.loads(one.last.body)["thinking"] == {"type": "disabled"}
        assert on.record.attempts[0].outcome.endswith("→ retry unsigned")

    scene(main, [refusal(TEXTS[text]), GOOD], [loopback.json(200, CHAT_WHOLE)], "origin, b/m")


def test_the_record_says_what_was_taken_out() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        await on.ask(claude(asked("foreign", "another")))
        first, second = on.record.attempts
        assert first.losses == ()
        assert [loss.path for loss in second.losses] == ["reasoning"]
        assert second.losses[0].reason.startswith("2 signed")

    scene(main, [refusal(TEXTS["anthropic"]), GOOD], [], "origin")


def test_what_is_known_to_be_the_targets_own_is_asked_with_again() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask(claude(asked()))
        await on.ask(claude(asked("foreign", "own")))
        assert [signatures(sent.body) for sent in one.received] == [[], ["foreign", "own"], ["own"]]

    scene(main, [signed("own"), refusal(TEXTS["anthropic"]), GOOD], [], "origin")


def test_of_nothing_but_own_reasoning_nothing_is_asked_with_again() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask(claude(asked()))
        got = await on.ask(claude(asked("own")))
        assert got.status == 200
        assert [signatures(sent.body) for sent in one.received] == [[], ["own"], []]

    scene(main, [signed("own"), refusal(TEXTS["anthropic"]), GOOD], [], "origin")


def test_what_was_refused_once_is_left_out_of_the_next_request() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask(claude(asked("foreign")))
        await on.ask(claude(asked("foreign")))
        assert [signatures(sent.body) for sent in one.received] == [["foreign"], [], []]

    scene(main, [refusal(TEXTS["anthropic"]), GOOD, GOOD], [], "origin")


def test_a_target_that_refuses_again_is_followed_by_the_next() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask(claude(asked("foreign")))
        assert (got.status, on.targets) == (200, ["origin", "origin", "b/m"])
        assert (len(one.received), len(two.received)) == (2, 1)

    refused = refusal(TEXTS["anthropic"])
    scene(main, [refused, refused], [loopback.json(200, CHAT_WHOLE)], "origin, b/m")


def test_the_last_refusal_comes_back_as_it_was() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask(claude(asked("foreign")))
        assert (got.status, orjson.loads(got.body)["error"]["message"]) == (400, TEXTS["anthropic"])

    refused = refusal(TEXTS["anthropic"])
    scene(main, [refused, refused], [], "origin")


def test_a_refusal_at_the_start_of_a_stream_is_one_too_and_the_client_sees_nothing_of_it() -> None:
    body = orjson.dumps(orjson.loads(asked("foreign")) | {"stream": True})
    error = orjson.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": TEXTS["anthropic"]}})

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask(claude(body))
        assert (on.targets, two.received) == (["origin", "origin"], [])
        assert (got.starts, got.body) == (1, b"".join(CLAUDE))
        assert [signatures(sent.body) for sent in one.received] == [["foreign"], []]

    refused = loopback.stream(b"event: error\ndata: " + error + b"\n\n")
    scene(main, [refused, loopback.stream(*CLAUDE)], [loopback.json(200, CHAT_WHOLE)], "origin, b/m")


def test_both_attempts_are_told_of_one_after_the_other() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        await on.ask(claude(asked("foreign")))
        assert on.observer.told == ["started origin", "ended origin"] * 2 + ["exchange ended"]
        first, second = on.record.attempts
        assert (first.status, first.used, second.status, second.used) == (400, False, 200, True)
        assert first.id != second.id

    scene(main, [refusal(TEXTS["anthropic"]), GOOD], [], "origin")


def gemini_asked(signature: str | None) -> bytes:
    proof = {} if signature is None else {"thoughtSignature": signature}
    call = {"functionCall": {"name": "read", "args": {}}, **proof}
    said = {"functionResponse": {"name": "read", "response": {"output": "x"}}}
    contents = [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [said]},
    ]
    return orjson.dumps({"contents": contents})


@pytest.mark.parametrize(
    "signature, text",
    [
        ("Zm9yZWlnbg==", "Corrupted thought signature."),
        ("Zm9yZWlnbg==", "Unable to submit request because Thought signature is not valid.. Learn more: x"),
        ("Zm9yZWlnbg==", "Invalid thought signature."),
        (None, "Function call is missing a thought_signature in functionCall parts."),
    ],
)
def test_google_is_asked_again_with_its_own_word_for_a_call_without_a_signature(
    signature: str | None, text: str
) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask(called("gemini", "/v1beta/models/m:generateContent", gemini_asked(signature)))
        assert (got.status, on.targets) == (200, ["g/m", "g/m"])
        part = orjson.loads(two.last.body)["contents"][1]["parts"][0]
        assert part["thoughtSignature"] == "skip_thought_signature_validator"

    error = {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}
    good = loopback.json(200, answers.whole("gemini", SAID, "m"))
    scene(main, [], [loopback.json(400, orjson.dumps(error)), good], "g/m")


@pytest.mark.parametrize(
    "text",
    [
        "The encrypted content gAAA...c90= could not be verified.",
        "The encrypted content gAAA...5pIq could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
        "Encrypted content organization_id did not match the target organization.",
    ],
)
def test_sealed_reasoning_that_cannot_be_opened_is_taken_out(text: str) -> None:
    body = {
        "model": "m",
        "store": False,
        "input": [
            {"role": "user", "content": "q"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "x"},
        ],
    }

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(called("openai-responses", "/v1/responses", orjson.dumps(body)))
        assert (got.status, on.targets) == (200, ["origin", "origin"])
        items = orjson.loads(one.last.body)["input"]
        assert [(item.get("type"), item.get("id")) for item in items[1:]] == [
            ("function_call", None),
            ("function_call_output", None),
        ]

    error = {"error": {"message": text, "type": "invalid_request_error", "code": "invalid_encrypted_content"}}
    good = loopback.json(200, answers.whole("openai-responses", SAID, "m"))
    scene(main, [loopback.json(400, orjson.dumps(error)), good], [], "origin")


def test_a_translated_request_is_asked_again_without_them_too() -> None:
    own = wrap(hub.Signature("of-c", origin_of("anthropic-messages", "c")), "gemini")
    contents = [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"text": "Hm.", "thought": True, "thoughtSignature": own}, {"text": "Yes."}]},
        {"role": "user", "parts": [{"text": "Why?"}]},
    ]
    body = orjson.dumps({"contents": contents})

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(called("gemini", "/v1beta/models/m:generateContent", body))
        assert (got.status, on.targets) == (200, ["c/m", "c/m"])
        assert [signatures(sent.body) for sent in one.received] == [["of-c"], []]
        assert any("reasoning" in loss.reason or "thinking" in loss.reason for loss in on.record.attempts[1].losses)

    scene(main, [refusal(TEXTS["anthropic"]), GOOD], [], "c/m")
