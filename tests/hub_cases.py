"""Conversations and answers that every format must carry, as hub values."""

from dataclasses import replace
from typing import Final

from translators import hub

WEATHER: Final = hub.Tool(
    "get_weather",
    "Weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK: Final = hub.Tool("get_time", "Time in a zone", {"type": "object", "properties": {"zone": {"type": "string"}}})

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

PLAIN: Final = hub.Request("a-model", (hub.Message("user", (hub.Text("Grüße, wie spät ist es? 🕰"),)),), max_tokens=100)

SYSTEM: Final = replace(PLAIN, messages=(hub.Message("system", (hub.Text("Be brief."),)), *PLAIN.messages))

TOOLS: Final = hub.Request(
    "a-model",
    (
        hub.Message("system", (hub.Text("Use the tools."),)),
        hub.Message("user", (hub.Text("Weather and time in Bonn?"),)),
        hub.Message(
            "assistant",
            (
                hub.Text("I look."),
                hub.ToolCall("call_weather_000001", "get_weather", '{"city":"Bonn"}'),
                hub.ToolCall("call_time_00000002", "get_time", '{"zone":"Europe/Berlin"}'),
            ),
        ),
        hub.Message(
            "user",
            (
                hub.ToolResult("call_weather_000001", (hub.Text("rain"),)),
                hub.ToolResult("call_time_00000002", (hub.Text("12:00"),)),
            ),
        ),
        hub.Message("assistant", (hub.Text("Rain, noon."),)),
        hub.Message("user", (hub.Text("And tomorrow?"),)),
    ),
    tools=(WEATHER, CLOCK),
    max_tokens=200,
    stream=True,
)

IMAGE: Final = hub.Request(
    "a-model",
    (hub.Message("user", (hub.Text("What is this?"), hub.Media("image", "image/png", data=PNG))),),
    max_tokens=50,
)

REQUESTS: Final = {"plain": PLAIN, "system": SYSTEM, "tools": TOOLS, "image": IMAGE}

USAGE: Final = hub.Usage(input=120, output=30, cache_read=20)

TEXT_ANSWER: Final = hub.Response(
    "answer_1", "a-model", (hub.Text("Grüße! Es ist zwölf. 🕰"),), hub.Stop("end"), hub.Usage(input=10, output=5)
)

CALLS_ANSWER: Final = hub.Response(
    "answer_2",
    "a-model",
    (
        hub.Text("I look both up."),
        hub.ToolCall("call_bonn_00000011", "get_weather", '{"city":"Bonn \\"am Rhein\\""}'),
        hub.ToolCall("call_time_00000012", "get_time", '{"zone":"Europe/Berlin"}'),
    ),
    hub.Stop("tool_calls"),
    USAGE,
)

THINKING_ANSWER: Final = replace(
    CALLS_ANSWER, id="answer_3", parts=(hub.Thinking("Two lookups, in parallel."), *CALLS_ANSWER.parts)
)

CUT_SHORT_ANSWER: Final = replace(TEXT_ANSWER, id="answer_4", stop=hub.Stop("max_tokens"))

ANSWERS: Final = {
    "text": TEXT_ANSWER,
    "calls": CALLS_ANSWER,
    "thinking": THINKING_ANSWER,
    "cut short": CUT_SHORT_ANSWER,
}

FAILURES: Final = {
    "rate limit": hub.Failure("rate_limit", "slow down", 429, retry_after=7.0),
    "overloaded": hub.Failure("overloaded", "too busy", 529),
    "invalid": hub.Failure("invalid_request", "no such field", 400),
    "login": hub.Failure("authentication", "who are you", 401),
    "server": hub.Failure("server", "it broke", 500),
}


def said(parts: tuple[hub.Part, ...]) -> list[tuple[str, ...]]:
    """What a user would miss if it were gone: text, calls and results, without ids and vendor extras."""
    lines: list[tuple[str, ...]] = []
    for part in parts:
        match part:
            case hub.Text(text) if text:
                lines.append(("text", text))
            case hub.ToolCall(name=name, arguments=arguments):
                lines.append(("call", name, arguments))
            case hub.ToolResult(parts=inner):
                lines.append(("result", *(p.text for p in inner if isinstance(p, hub.Text))))
            case hub.Media(kind=kind, data=data):
                lines.append(("media", kind, data or ""))
            case _:
                pass
    return lines


def conversation(request: hub.Request) -> list[tuple[str, ...]]:
    """All that was said, in order; system text apart because formats place it differently."""
    return [line for message in request.messages if message.role != "system" for line in said(message.parts)]
