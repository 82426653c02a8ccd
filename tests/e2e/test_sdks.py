"""The official SDKs, unmodified, with upstreams of every format: an agent's turn goes there and back unharmed."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.e2e.sdks import ARGUMENTS, QUESTION, RESULTS, SDKS, SYSTEM, Heard, through
from tests.e2e.targets import targets
from tests.servers.answers import FORMATS, Answer, Call
from tests.servers.provider import Provider, Received, serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import Say

TALK = Answer(pieces=("The files say ", "héllo", " and wörld 🌍."), thinking="Both were read.")
WORK = Answer(
    pieces=("I read ", "two more."),
    thinking="More is needed.",
    calls=(Call("call_a", "read_file", '{"path": "c.txt"}'), Call("call_b", "read_file", '{"path": "d \\"q\\".txt"}')),
)
type Manner = str


@pytest.fixture(scope="module")
def upstream() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def module_proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    rules = "".join(f"  - {{match: {{model: to-{form}}}, to: up-{form}/model-1}}\n" for form in FORMATS)
    with running(tmp_path_factory.mktemp("sdks"), f"{targets(up=upstream)}routes:\n{rules}") as proxy:
        yield proxy


@pytest.fixture
def sdk_proxy(module_proxy: Proxy, upstream: Provider, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    upstream.forget()
    through(module_proxy, monkeypatch)
    return module_proxy


def heard(client: str, upstream: str, manner: Manner) -> Heard:
    with SDKS[client]() as sdk:
        return getattr(sdk, manner)(f"to-{upstream}")


pairs = pytest.mark.parametrize("client", SDKS)
upstreams = pytest.mark.parametrize("form", FORMATS)
manners = pytest.mark.parametrize("manner", ["whole", "stream"])


@pairs
@upstreams
@manners
@pytest.mark.usefixtures("sdk_proxy")
def test_an_answer_with_thinking_and_text_arrives(client: str, form: str, manner: Manner, upstream: Provider) -> None:
    upstream.script(Say(TALK))
    assert heard(client, form, manner) == Heard(TALK.text, TALK.thinking, [], "end", 11, 7)


@pairs
@upstreams
@manners
@pytest.mark.usefixtures("sdk_proxy")
def test_two_parallel_tool_calls_arrive(client: str, form: str, manner: Manner, upstream: Provider) -> None:
    upstream.script(Say(WORK))
    calls = [("read_file", {"path": "c.txt"}), ("read_file", {"path": 'd "q".txt'})]
    assert heard(client, form, manner) == Heard(WORK.text, WORK.thinking, calls, "tools", 11, 7)


@pairs
@upstreams
@manners
@pytest.mark.usefixtures("sdk_proxy")
def test_the_conversation_with_its_tool_results_reaches_the_upstream(
    client: str, form: str, manner: Manner, upstream: Provider
) -> None:
    upstream.script(Say(TALK))
    heard(client, form, manner)
    call = upstream.call
    assert (call.format, call.model, call.stream) == (form, "model-1", manner == "stream")
    assert _conversation(call) == [SYSTEM, QUESTION, *ARGUMENTS, *RESULTS]


@pairs
@upstreams
@pytest.mark.usefixtures("sdk_proxy")
def test_the_clients_own_key_does_not_reach_another_provider(client: str, form: str, upstream: Provider) -> None:
    heard(client, form, "whole")
    assert not [value for _, value in upstream.call.headers if "client" in value]


def _conversation(call: Received) -> list[Any]:
    """System text, question, arguments of the two earlier calls and their results, as the upstream was told."""
    body = call.json
    match call.format:
        case "anthropic-messages":
            return _of_anthropic(body)
        case "openai-chat":
            return _of_chat(body)
        case "openai-responses":
            return _of_responses(body)
        case "gemini-cli":
            return _of_gemini(body["request"])
        case _:
            return _of_gemini(body)


def _text(content: Any) -> str:
    """Text given as a string or as typed parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _of_anthropic(body: Any) -> list[Any]:
    question, calls, results = (message["content"] for message in body["messages"])
    ids = [block["id"] for block in calls if block["type"] == "tool_use"]
    assert [block["tool_use_id"] for block in results] == ids
    arguments = [block["input"] for block in calls if block["type"] == "tool_use"]
    return [_text(body["system"]), _text(question), *arguments, *(_text(block["content"]) for block in results)]


def _of_chat(body: Any) -> list[Any]:
    system, question, calls, *results = body["messages"]
    ids = [call["id"] for call in calls["tool_calls"]]
    assert [message["tool_call_id"] for message in results] == ids
    arguments = [_json(call["function"]["arguments"]) for call in calls["tool_calls"]]
    texts = (_text(message["content"]) for message in results)
    return [_text(system["content"]), _text(question["content"]), *arguments, *texts]


def _of_responses(body: Any) -> list[Any]:
    items = body["input"]
    said = [_text(item["content"]) for item in items if item.get("role")]
    calls = [item for item in items if item.get("type") == "function_call"]
    results = [item for item in items if item.get("type") == "function_call_output"]
    assert [item["call_id"] for item in results] == [item["call_id"] for item in calls]
    system = [body["instructions"]] if body.get("instructions") else []
    return [*system, *said, *(_json(item["arguments"]) for item in calls), *(_text(item["output"]) for item in results)]


def _of_gemini(body: Any) -> list[Any]:
    question, calls, results = (content["parts"] for content in body["contents"])
    arguments = [part["functionCall"]["args"] for part in calls]
    outputs = [part["functionResponse"]["response"] for part in results]
    texts = [next(iter(output.values())) for output in outputs]
    return [_text(body["systemInstruction"]["parts"]), _text(question), *arguments, *texts]


def _json(text: str) -> Any:
    return json.loads(text)
