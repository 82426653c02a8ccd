"""The LLM contentview on flows as our addon leaves them: every format, whole and stream, errors, and what is not ours."""

import json
from collections.abc import Generator

import pytest
from mitmproxy import contentviews, http
from mitmproxy.test import taddons, tflow

from omniroute_addon.addons.contentview import LLM
from omniroute_addon.addons.inspect import KEY
from tests.servers import answers
from tests.servers.answers import Answer, Call
from translators import FORMATS, hub

ANSWER = Answer(
    pieces=("Let me", " look."),
    thinking="The user wants it.",
    calls=(Call("call_1", "read_file", '{"path":"README.md"}'),),
)
WRITTEN = {name: name if name in answers.FORMATS else "gemini-cli" for name in FORMATS}
"""Whose answers a format's are: Antigravity's envelope is Code Assist's."""
SAID = ("Let me look.", "💭 The user wants it.", "→ read_file", '"path": "README.md"', "usage: input 11", "output 7")


@pytest.fixture(autouse=True)
def _registered() -> Generator[None]:
    with taddons.context():
        contentviews.add(LLM())
        yield


def _flow(form: str, body: bytes, content_type: str, status: int = 200) -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.request = http.Request.make("POST", "https://api.test/any", b"{}")
    flow.response = http.Response.make(status, body, {"content-type": content_type})
    flow.metadata[KEY] = {"format": form}
    return flow


def _shown(flow: http.HTTPFlow) -> contentviews.ContentviewResult:
    assert flow.response is not None
    return contentviews.prettify_message(flow.response, flow)


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_answer_is_what_the_model_said(form: str) -> None:
    shown = _shown(_flow(form, answers.whole(WRITTEN[form], ANSWER, "m"), "application/json"))
    assert (shown.view_name, [words for words in SAID if words not in shown.text]) == ("LLM", [])


@pytest.mark.parametrize("form", FORMATS)
def test_a_stream_is_the_assembled_answer(form: str) -> None:
    shown = _shown(_flow(form, b"".join(answers.events(WRITTEN[form], ANSWER, "m")), "text/event-stream"))
    assert (shown.view_name, [words for words in SAID if words not in shown.text]) == ("LLM", [])


def test_a_gemini_stream_as_json_array_is_the_assembled_answer() -> None:
    body = json.dumps(answers.gemini_chunks(ANSWER, "m")).encode()
    shown = _shown(_flow("gemini", body, "application/json"))
    assert (shown.view_name, [words for words in SAID if words not in shown.text]) == ("LLM", [])


@pytest.mark.parametrize("form", FORMATS)
def test_a_cut_stream_shows_what_came(form: str) -> None:
    events = answers.events(WRITTEN[form], ANSWER, "m")
    shown = _shown(_flow(form, b"".join(events[: len(events) // 2]), "text/event-stream"))
    assert shown.view_name == "LLM"


def test_a_page_in_place_of_an_answer_is_shown_as_it_is() -> None:
    shown = _shown(_flow("openai-chat", b"<html>log in</html>", "text/html"))
    assert "<html>log in</html>" in shown.text


def test_what_the_translation_lost_stands_under_both_messages() -> None:
    flow = _flow("openai-chat", answers.whole("openai-chat", ANSWER, "m"), "application/json")
    flow.request.content = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    flow.metadata[KEY]["losses"] = [("top_k", "the format has no such setting")]
    shown = [_shown(flow).text, contentviews.prettify_message(flow.request, flow).text]
    assert ["top_k: the format has no such setting" in text for text in shown] == [True, True]


def test_a_request_begins_with_what_was_decided() -> None:
    flow = _flow("anthropic-messages", b"{}", "application/json")
    flow.request.content = b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}'
    flow.metadata[KEY]["decision"] = {
        "route": "routes[0]",
        "candidates": [{"target": "origin", "account": None, "why": ""}],
        "excluded": [{"target": "glm/x", "account": "a", "reason": "no key", "until": None}],
    }
    shown = contentviews.prettify_message(flow.request, flow).text.splitlines()
    assert shown[1:6] == ["routes[0]", "1. origin", "out: glm/x (a): no key", "", "model: m"]


QUESTIONS: dict[str, dict[str, object]] = {
    "anthropic-messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "My question"}]},
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "My question"}]},
    "openai-responses": {"model": "m", "input": "My question"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "My question"}]}]},
    "gemini-cli": {"model": "m", "request": {"contents": [{"role": "user", "parts": [{"text": "My question"}]}]}},
    "antigravity": {"model": "m", "request": {"contents": [{"role": "user", "parts": [{"text": "My question"}]}]}},
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_request_of_every_format_is_a_conversation(form: str) -> None:
    flow = _flow(form, b"", "application/json")
    path = "/v1beta/models/m:generateContent" if form == "gemini" else "/any"
    flow.request = http.Request.make("POST", f"https://api.test{path}", json.dumps(QUESTIONS[form]))
    shown = contentviews.prettify_message(flow.request, flow)
    assert (shown.view_name, shown.text.partition("\n")[0], "My question" in shown.text) == ("LLM", "model: m", True)


@pytest.mark.parametrize("form", FORMATS)
def test_an_error_of_every_format_is_a_line_of_kind_and_message(form: str) -> None:
    failure = hub.Failure("rate_limit", "slow down", 429)
    body = FORMATS[form].render_error(failure).body
    shown = _shown(_flow(form, body, "application/json", 429))
    assert (shown.view_name, shown.text) == ("LLM", "error 429: rate_limit\nslow down")
