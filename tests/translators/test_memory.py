"""Reasoning kept between an answer and the next request."""

from collections.abc import Iterable

from translators import hub
from translators.fold import unfold
from translators.memory import BoundedMemory, Keeper, Remembered, recall

SIGNATURE = hub.Signature("c2ln", "gemini")
LONG_ID = "call_0123456789abcdef"


def remembered(*parts: hub.AnswerPart) -> BoundedMemory:
    memory = BoundedMemory()
    keeper = Keeper(memory)
    for event in unfold(hub.Response("r", "m", parts, hub.Stop("tool_calls"))):
        keeper.note(event)
    return memory


def recalled(memory: BoundedMemory, parts: Iterable[hub.Part], upstream: str = "gemini") -> tuple[hub.Part, ...]:
    request = hub.Request("m", (hub.Message("assistant", tuple(parts)),))
    return recall(request, memory, upstream).messages[0].parts


def test_signature_of_a_call_comes_back_to_its_format() -> None:
    memory = remembered(hub.ToolCall(LONG_ID, "get", '{"a":1}', signature=SIGNATURE))
    assert recalled(memory, [hub.ToolCall(LONG_ID, "get", "{}")]) == (
        hub.ToolCall(LONG_ID, "get", "{}", signature=SIGNATURE),
    )


def test_signature_never_goes_to_another_format() -> None:
    call = hub.ToolCall(LONG_ID, "get", "{}")
    memory = remembered(hub.Thinking("Hm.", SIGNATURE), hub.ToolCall(LONG_ID, "get", "{}", signature=SIGNATURE))
    assert recalled(memory, [call], "anthropic-messages") == (call,)


def test_reasoning_text_stands_before_everything_the_message_says() -> None:
    call = hub.ToolCall(LONG_ID, "get", "{}")
    memory = remembered(hub.Thinking("Hm."), hub.Text("I look."), call)
    assert recalled(memory, [hub.Text("I look."), call]) == (hub.Thinking("Hm."), hub.Text("I look."), call)


def test_reasoning_between_calls_stands_between_them() -> None:
    one, two = hub.ToolCall(LONG_ID, "get", "{}"), hub.ToolCall(LONG_ID + "2", "get", "{}")
    memory = remembered(hub.Thinking("A"), one, hub.Thinking("B"), two)
    assert recalled(memory, [one, two]) == (hub.Thinking("A"), one, hub.Thinking("B"), two)


def test_reasoning_that_the_client_kept_is_not_doubled() -> None:
    call = hub.ToolCall(LONG_ID, "get", "{}")
    memory = remembered(hub.Thinking("Hm."), call)
    parts = (hub.Thinking("Hm."), call)
    assert recalled(memory, parts) == parts


def test_a_short_id_counts_only_with_the_same_arguments() -> None:
    memory = remembered(hub.ToolCall("call_0", "get", '{"a": 1, "b": 2}', signature=SIGNATURE))
    same = hub.ToolCall("call_0", "get", '{"b":2,"a":1}')
    other = hub.ToolCall("call_0", "get", '{"a":9}')
    assert recalled(memory, [same]) == (hub.ToolCall("call_0", "get", '{"b":2,"a":1}', signature=SIGNATURE),)
    assert recalled(memory, [other]) == (other,)


def test_another_tool_under_the_same_id_is_another_call() -> None:
    memory = remembered(hub.ToolCall(LONG_ID, "get", "{}", signature=SIGNATURE))
    other = hub.ToolCall(LONG_ID, "put", "{}")
    assert recalled(memory, [other]) == (other,)


def test_a_request_that_lacks_nothing_is_handed_back_as_it_is() -> None:
    request = hub.Request("m", (hub.Message("user", (hub.Text("hi"),)),))
    assert recall(request, BoundedMemory(), "gemini") is request


def test_calls_without_reasoning_are_not_kept() -> None:
    assert remembered(hub.ToolCall(LONG_ID, "get", "{}")).get("call:" + LONG_ID) is None


def test_memory_forgets_what_was_not_used_for_longest() -> None:
    memory = BoundedMemory(max_items=2)
    values = {key: Remembered(hub.ToolCall(key, "get")) for key in "abc"}
    memory.put("a", values["a"])
    memory.put("b", values["b"])
    memory.get("a")
    memory.put("c", values["c"])
    assert [memory.get(key) for key in "abc"] == [values["a"], None, values["c"]]


def test_memory_is_bounded_in_bytes() -> None:
    memory = BoundedMemory(max_bytes=5000)
    for number in range(10):
        memory.put(str(number), Remembered(hub.ToolCall(str(number), "get", "x" * 2000)))
    kept = [number for number in range(10) if memory.get(str(number))]
    assert kept == [8, 9]


def test_putting_again_replaces() -> None:
    memory = BoundedMemory(max_bytes=5000)
    for _ in range(10):
        memory.put("a", Remembered(hub.ToolCall("a", "get", "x" * 2000)))
    memory.put("b", Remembered(hub.ToolCall("b", "get")))
    assert memory.get("a") is not None


QUESTION = hub.Message("user", (hub.Text("Why?"),))


def turn_of(first: hub.Message, said: str, upstream: str) -> tuple[hub.Part, ...]:
    """What is sent of an assistant's turn of this text, after one that Google has answered with a signed text."""
    memory = BoundedMemory()
    keeper = Keeper(memory, "gemini@google", hub.Request("m", (QUESTION,)))
    extra = {"gemini": {"thoughtSignature": "c2ln"}}
    parts = (hub.Thinking("Hm."), hub.Text("Because  of that.", extra=extra))
    for event in unfold(hub.Response("r", "m", parts, hub.Stop("end"))):
        keeper.note(event)
    request = hub.Request("m", (first, hub.Message("assistant", (hub.Text(said),))))
    return recall(request, memory, upstream).messages[1].parts


def test_a_turn_without_calls_gets_its_reasoning_and_signature_back() -> None:
    kept = hub.Text("Because of that.\n", extra={"gemini": {"thoughtSignature": "c2ln"}})
    assert turn_of(QUESTION, "Because of that.\n", "gemini@google") == (hub.Thinking("Hm."), kept)


def test_another_maker_gets_the_readable_reasoning_of_a_turn_only() -> None:
    assert turn_of(QUESTION, "Because of that.", "gemini@b") == (hub.Thinking("Hm."), hub.Text("Because of that."))


def test_the_same_words_in_another_conversation_are_another_turn() -> None:
    other = hub.Message("user", (hub.Text("How?"),))
    assert turn_of(other, "Because of that.", "gemini@google") == (hub.Text("Because of that."),)
