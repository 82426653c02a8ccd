"""Hypothesis makes conversations and answers in hub words: every kind of part, in every order a client could send."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tests import hub_cases as cases
from translators import hub
from translators.fold import unfold

AWKWARD = [
    "",
    " ",
    "\n",
    "Grüße 🕰",
    '"',
    "\\",
    "</think>",
    "<think>",
    "data: [DONE]\n\n",
    "\x00",
    "\u2028",
    "{",
    "a" * 300,
]
texts = st.one_of(st.text(min_size=1, max_size=12), st.sampled_from(AWKWARD[1:]))
words = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
arguments = st.dictionaries(words, values, max_size=3).map(lambda value: json.dumps(value, separators=(",", ":")))

media = st.sampled_from(
    [
        hub.Media("image", "image/png", data=cases.PNG),
        hub.Media("image", "image/jpeg", data="/9j/4AAQ"),
        hub.Media("image", url="https://example.com/a.png"),
        hub.Media("document", "application/pdf", data="JVBERi0xLjQK", name="paper.pdf"),
        hub.Media("audio", "audio/wav", data="UklGRg=="),
        hub.Media("video", "video/mp4", data="AAAA"),
        hub.Media("document", "application/pdf", file_id="file-1"),
    ]
)
origins = st.sampled_from(["anthropic-messages", "openai-chat", "openai-responses", "gemini", "somewhere"])
signatures = st.builds(hub.Signature, st.sampled_from(["c2lnbmVk", "ZW5jcnlwdGVk"]), origins)
thoughts = st.builds(hub.Thinking, texts, st.none() | signatures)
opaque = st.builds(hub.Opaque, origins, st.fixed_dictionaries({"type": words, "x": values}))

_string = {"type": "string"}
schemas = st.sampled_from(
    [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"city": _string}, "required": ["city"]},
        {"type": "object", "properties": {"a": {"anyOf": [_string, {"type": "null"}]}}, "additionalProperties": False},
        {
            "type": "object",
            "properties": {"b": {"$ref": "#/$defs/b"}},
            "$defs": {"b": {"enum": ["x", "y"], "type": "string"}},
        },
    ]
)


@st.composite
def tools(draw: st.DrawFn) -> tuple[hub.Tool, ...]:
    names = draw(st.lists(words, unique=True, min_size=1, max_size=4))
    return tuple(
        hub.Tool(name, draw(st.none() | texts), custom=True, grammar=draw(st.none() | st.just(_GRAMMAR)))
        if draw(st.integers(0, 4)) == 0
        else hub.Tool(name, draw(st.none() | texts), draw(schemas), strict=draw(st.sampled_from([None, False])))
        for name in names
    )


_GRAMMAR: dict[str, hub.JSON] = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}


@st.composite
def _turn(draw: st.DrawFn, known: Sequence[hub.Tool], number: int) -> list[hub.Message]:
    """What the user, and perhaps the system, says; the assistant's answer; the results of its calls."""
    asked: list[hub.Part] = [hub.Text(draw(texts)), *draw(st.lists(st.one_of(texts.map(hub.Text), media), max_size=2))]
    messages = [hub.Message("user", tuple(asked))]
    if draw(st.integers(0, 4)) == 0:
        messages.append(hub.Message(draw(st.sampled_from(["system", "developer"])), (hub.Text(draw(texts)),)))
        messages.append(hub.Message("user", (hub.Text(draw(texts)),)))
    said: list[hub.Part] = [
        *draw(st.lists(thoughts, max_size=1)),
        hub.Text(draw(texts)),
        *draw(st.lists(opaque, max_size=1)),
    ]
    calls: list[hub.ToolCall] = []
    for place in range(draw(st.integers(0, 2)) if known else 0):
        tool = draw(st.sampled_from(known))
        text = draw(texts) if tool.custom else draw(arguments)
        identity = f"call_{number}_{place}_{'x' * 12}"
        calls.append(
            hub.ToolCall(identity, tool.name, text, custom=tool.custom, signature=draw(st.none() | signatures))
        )
    messages.append(hub.Message("assistant", (*said, *calls)))
    if calls:
        results = tuple(
            hub.ToolResult(call.id, (hub.Text(draw(texts)),), draw(st.booleans()), call.name, call.custom)
            for call in calls
        )
        messages.append(hub.Message("user", results))
    return messages


@st.composite
def requests(draw: st.DrawFn) -> hub.Request:
    known = draw(st.just(()) | tools())
    messages = [hub.Message("system", (hub.Text(word),)) for word in draw(st.lists(texts, max_size=2))]
    for number in range(draw(st.integers(0, 2))):
        messages += draw(_turn(known, number))
    messages.append(hub.Message("user", (hub.Text(draw(texts)), hub.Text("And?"))))
    choices = [None, hub.ToolChoice("auto"), hub.ToolChoice("none"), hub.ToolChoice("required")]
    choices += [hub.ToolChoice("tool", tool.name) for tool in known[:1]]
    return hub.Request(
        "a-model",
        tuple(messages),
        tools=known,
        tool_choice=draw(st.sampled_from(choices)) if known else None,
        parallel_tools=draw(st.sampled_from([None, True, False])) if known else None,
        max_tokens=draw(st.integers(16, 10_000)),
        temperature=draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
        top_p=draw(st.sampled_from([None, 0.9])),
        top_k=draw(st.sampled_from([None, 40])),
        stop=draw(st.sampled_from([(), ("END",), ("A", "B")])),
        seed=draw(st.sampled_from([None, 7])),
        presence_penalty=draw(st.sampled_from([None, 0.5])),
        frequency_penalty=draw(st.sampled_from([None, 0.5])),
        reasoning=draw(st.sampled_from([None, hub.Reasoning(effort="low"), hub.Reasoning(effort="high")])),
        output=draw(st.sampled_from([None, hub.OutputFormat(), hub.OutputFormat(cases.WEATHER.schema, "answer")])),
        verbosity=draw(st.sampled_from([None, "low"])),
        user=draw(st.sampled_from([None, "user-1"])),
        cache_key=draw(st.sampled_from([None, "key-1"])),
        stream=draw(st.booleans()),
    )


@st.composite
def answers(draw: st.DrawFn) -> hub.Response:
    parts: list[hub.AnswerPart] = draw(st.lists(st.one_of(thoughts, texts.map(hub.Text)), max_size=3))
    calls = [
        hub.ToolCall(f"call_{number}_{'x' * 14}", draw(words), draw(arguments))
        for number in range(draw(st.integers(0, 3)))
    ]
    reason: hub.StopReason = "tool_calls" if calls else draw(st.sampled_from(["end", "max_tokens"]))
    if not (parts or calls):
        parts = [hub.Text("Yes.")]
    usage = draw(st.builds(hub.Usage, st.integers(50, 999), st.integers(50, 999), st.integers(1, 49)))
    return hub.Response("answer_1", "a-model", (*parts, *calls), hub.Stop(reason), usage)


@st.composite
def events(draw: st.DrawFn, answer: hub.Response) -> list[hub.Event]:
    """The answer as a stream, its texts in pieces of any size."""
    made: list[hub.Event] = []
    for event in unfold(answer):
        match event:
            case hub.PartDelta(index, hub.TextDelta(text) | hub.ArgumentsDelta(text) as delta) if len(text) > 1:
                at = draw(st.integers(1, len(text) - 1))
                made += [hub.PartDelta(index, replace(delta, text=piece)) for piece in (text[:at], text[at:])]
            case _:
                made.append(event)
    return made
