"""Whose a signature is, on the values of the hub."""

from translators import hub
from translators.ownership import admitted, signed_event
from translators.signatures import Reader

OWN = hub.Signature("v", "gemini")


def test_every_event_that_brings_a_signature_names_the_maker() -> None:
    signed = hub.Signature("v", "gemini@google")
    assert signed_event(hub.PartDelta(0, hub.SignatureDelta(OWN)), "google") == hub.PartDelta(
        0, hub.SignatureDelta(signed)
    )
    assert signed_event(hub.PartStarted(0, hub.Thinking("", OWN)), "google") == hub.PartStarted(
        0, hub.Thinking("", signed)
    )
    assert signed_event(hub.PartStarted(0, hub.ToolCall("c", "f", signature=OWN)), "google") == hub.PartStarted(
        0, hub.ToolCall("c", "f", signature=signed)
    )


def test_without_a_maker_an_event_stays_as_it_is() -> None:
    event = hub.PartStarted(0, hub.Thinking("", OWN))
    assert signed_event(event, None) is event


def test_reasoning_of_another_maker_loses_the_marks_of_the_upstream_s_format() -> None:
    thinking = hub.Thinking(
        "Hm.", hub.Signature("v", "openai-responses@azure"), extra={"openai-responses": {"item": {}}}
    )
    request = hub.Request("m", (hub.Message("assistant", (thinking,)),))
    (part,) = admitted(request, Reader("openai-responses", "openai"), "openai-responses", []).messages[0].parts
    assert part == hub.Thinking("Hm.", hub.Signature("v", "openai-responses@azure"))


def test_a_text_keeps_what_nobody_else_is_known_to_have_put_on_it() -> None:
    text = hub.Text("x", extra={"gemini": {"thoughtSignature": "theirs", "other": "mine"}})
    reader = Reader("gemini", "google", known={"theirs": "gemini@b"}.get)
    losses: list[hub.Loss] = []
    request = hub.Request("m", (hub.Message("assistant", (text,)),))
    (part,) = admitted(request, reader, "gemini", losses).messages[0].parts
    assert part == hub.Text("x", extra={"gemini": {"other": "mine"}})
    assert [loss.path for loss in losses] == ["messages[0].parts[0].signature"]


def test_a_part_that_only_its_format_understands_keeps_the_signature_of_the_upstream_alone() -> None:
    parts = tuple(hub.Opaque("gemini", {"toolCall": {}, "thoughtSignature": value}) for value in ("theirs", "mine"))
    known = {"theirs": "gemini@b", "mine": "gemini@google"}.get
    request = hub.Request("m", (hub.Message("assistant", parts),))
    first, second = admitted(request, Reader("gemini", "google", known=known), "gemini", []).messages[0].parts
    assert first == hub.Opaque("gemini", {"toolCall": {}})
    assert second == parts[1]


def test_an_item_of_another_server_leaves_its_id_behind() -> None:
    extra = {"openai-responses": {"item": {"id": "76f8b89e"}, "channel": "content"}}
    parts = (hub.Thinking("Hm.", extra=extra), hub.Text("Yes.", extra=extra), hub.ToolCall("c", "f", extra=extra))
    known = {"76f8b89e": "openai-responses@deepseek"}.get
    request = hub.Request("m", (hub.Message("assistant", parts),))
    for maker, left in (("deepseek", {"item", "channel"}), ("openai", {"channel"})):
        reader = Reader("openai-responses", maker, "openai", known)
        thinking, *others = admitted(request, reader, "openai-responses", []).messages[0].parts
        assert thinking == (parts[0] if maker == "deepseek" else hub.Thinking("Hm."))
        assert [
            set(part.extra["openai-responses"]) for part in others if isinstance(part, hub.Text | hub.ToolCall)
        ] == [left] * 2
