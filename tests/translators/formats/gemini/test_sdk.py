"""What Google's own SDK sends is read without a loss, and what is rendered it can read."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
from google import genai
from google.genai import errors, types

from tests import hub_cases as cases
from translators import FORMATS, hub
from translators.fold import unfold
from translators.format import Profile, WireRequest

OK = {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "STOP"}]}
PNG = b"\x89PNG\xff\xfe"
ASKED = hub.Request("m", ())

CONVERSATION = [
    types.Content(
        role="user",
        parts=[
            types.Part.from_text(text="look"),
            types.Part.from_bytes(data=PNG, mime_type="image/png"),
            types.Part.from_uri(file_uri="gs://bucket/a.pdf", mime_type="application/pdf"),
        ],
    ),
    types.Content(
        role="model",
        parts=[
            types.Part(text="hm", thought=True, thought_signature=b"\xff\xfe\x00"),
            types.Part(text="I look", thought_signature=b"text"),
            types.Part(function_call=types.FunctionCall(id="1", name="f", args={"a": 1}), thought_signature=b"call"),
            types.Part(function_call=types.FunctionCall(id="2", name="f", args={"snake_case": {"b_c": None}})),
        ],
    ),
    types.Content(
        role="user",
        parts=[
            types.Part(function_response=types.FunctionResponse(id="1", name="f", response={"output": "one"})),
            types.Part(function_response=types.FunctionResponse(id="2", name="f", response={"result": [1, {"x": 2}]})),
        ],
    ),
    types.Content(
        role="model",
        parts=[
            types.Part(executable_code=types.ExecutableCode(code="1+1", language=types.Language.PYTHON)),
            types.Part(code_execution_result=types.CodeExecutionResult(outcome=types.Outcome.OUTCOME_OK, output="2")),
            types.Part(text="", thought_signature=b"last"),
        ],
    ),
    types.Content(role="user", parts=[types.Part(text="go on")]),
]

CONFIGS: dict[str, dict[str, Any]] = {
    "numbers": {
        "system_instruction": "Be brief.", "temperature": 0.5, "top_p": 0.9, "top_k": 40, "candidate_count": 2,
        "max_output_tokens": 100, "stop_sequences": ["a", "b"], "response_logprobs": True, "logprobs": 3,
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "seed": 7,
    },
    "media": {
        "media_resolution": "MEDIA_RESOLUTION_LOW", "response_modalities": ["AUDIO"],
        "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
    },
    "image": {"image_config": {"aspect_ratio": "1:1"}, "response_modalities": ["TEXT", "IMAGE"]},
    "service": {
        "cached_content": "cachedContents/x", "service_tier": "standard",
        "safety_settings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}],
    },
    "tools": {
        "tools": [
            {"function_declarations": [
                {"name": "g", "description": "d", "parameters_json_schema": {"type": "object", "$comment": "c"}},
                {"name": "h", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "INTEGER"}}}},
            ]},
        ],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["g", "h"]}},
    },
    "server tools": {"tools": [{"google_search": {}}, {"code_execution": {}}, {"url_context": {}}]},
    "budget": {"thinking_config": {"include_thoughts": True, "thinking_budget": 1000}},
    "level": {"thinking_config": {"thinking_level": "LOW"}},
    "schema": {
        "response_mime_type": "application/json",
        "response_schema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
    },
    "json schema": {"response_mime_type": "application/json", "response_json_schema": {"type": "object"}},
    "enum": {"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": ["a", "b"]}},
}  # fmt: skip


@pytest.fixture
def client() -> Iterator[Callable[..., genai.Client]]:
    opened: list[httpx.Client] = []

    def make(handler: Callable[[httpx.Request], httpx.Response]) -> genai.Client:
        http = httpx.Client(transport=httpx.MockTransport(handler))
        opened.append(http)
        return genai.Client(api_key="k", http_options=types.HttpOptions(httpx_client=http))

    yield make
    for http in opened:
        http.close()


def plain(value: Any) -> Any:
    """Without what is the same in two spellings."""
    match value:
        case dict():
            camel = {key if "_" not in key else _camel(key): plain(item) for key, item in value.items()}
            return {key: item for key, item in camel.items() if item != {} or key in {"args", "response"}}
        case list():
            return [plain(item) for item in value]
        case str():
            return value.lower() if value.isupper() else value.replace("-", "+").replace("_", "/")
        case _:
            return value


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.title() for word in tail)


@pytest.mark.parametrize("name", CONFIGS)
def test_requests_of_the_sdk_survive_the_round_trip(client: Callable[..., genai.Client], name: str) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=OK)

    config = types.GenerateContentConfig(**CONFIGS[name])
    client(answer).models.generate_content(model="gemini-3-pro-preview", contents=CONVERSATION, config=config)
    (request,) = sent
    wire = WireRequest("POST", request.url.path, request.url.query.decode(), {}, request.content)
    losses: list[hub.Loss] = []

    rendered = FORMATS["gemini"].render_request(FORMATS["gemini"].parse_request(wire), Profile(), losses)

    assert losses == []
    expected = orjson.loads(request.content)
    expected.get("systemInstruction", {}).pop("role", None)
    assert plain(orjson.loads(rendered.body)) == plain(expected)


@pytest.mark.parametrize("answer", cases.ANSWERS.values(), ids=cases.ANSWERS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_reads_every_answer(client: Callable[..., genai.Client], answer: hub.Response, stream: bool) -> None:
    def serve(_: httpx.Request) -> httpx.Response:
        if not stream:
            body = FORMATS["gemini"].render_response(answer, ASKED, [])
            return httpx.Response(200, content=body, headers={"content-type": "application/json"})
        renderer = FORMATS["gemini"].stream_renderer(ASKED, [])
        body = b"".join(renderer.render(event) for event in unfold(answer)) + renderer.close()
        return httpx.Response(200, content=body, headers={"content-type": "text/event-stream"})

    models = client(serve).models
    if stream:
        chunks = list(models.generate_content_stream(model="m", contents="x"))
    else:
        chunks = [models.generate_content(model="m", contents="x")]

    parts = [part for chunk in chunks for c in chunk.candidates or () for part in (c.content and c.content.parts) or ()]
    text = "".join(part.text or "" for part in parts if not part.thought)
    calls = [(call.id, call.name, call.args) for part in parts if (call := part.function_call)]
    assert text == "".join(part.text for part in answer.parts if isinstance(part, hub.Text | hub.Refusal))
    assert calls == [
        (part.id, part.name, orjson.loads(part.arguments)) for part in answer.parts if isinstance(part, hub.ToolCall)
    ]
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert usage.prompt_token_count == answer.usage.input
    assert (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0) == answer.usage.output
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is not None


def test_the_sdk_reads_an_error_and_its_details(client: Callable[..., genai.Client]) -> None:
    failure = hub.Failure("rate_limit", "slow down", 429, retry_after=7)
    rendered = FORMATS["gemini"].render_error(failure)

    with pytest.raises(errors.ClientError) as caught:
        client(lambda _: httpx.Response(rendered.status, content=rendered.body)).models.generate_content(
            model="m", contents="x"
        )

    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert "'retryDelay': '7s'" in str(caught.value.details)


def test_the_sdk_raises_for_an_error_inside_of_a_stream(client: Callable[..., genai.Client]) -> None:
    renderer = FORMATS["gemini"].stream_renderer(ASKED, [])
    start = (hub.Started("r", "m"), hub.PartStarted(0, hub.Text("")), hub.PartDelta(0, hub.TextDelta("half")))
    body = b"".join(map(renderer.render, start)) + renderer.render(hub.Failed(hub.Failure("overloaded", "busy", 503)))
    stream = client(lambda _: httpx.Response(200, content=body)).models.generate_content_stream(model="m", contents="x")

    with pytest.raises(errors.ServerError, match="busy"):
        list(stream)
