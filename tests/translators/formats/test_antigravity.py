"""Antigravity: Code Assist's envelope with words and rules of its own."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests import hub_cases as cases
from translators import bridge, hub
from translators.format import Profile, WireRequest
from translators.formats.antigravity import Antigravity

ENVELOPE: dict[str, Any] = {
    "project": "p",
    "model": "claude-sonnet-4-5",
    "requestId": "agent-1",
    "requestType": "agent",
    "userAgent": "antigravity",
    "request": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "sessionId": "-375",
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}]}],
    },
}


def wire(body: Any = ENVELOPE) -> WireRequest:
    return WireRequest(path="/v1internal:streamGenerateContent", query="alt=sse", body=orjson.dumps(body))


def render(request: hub.Request, profile: Profile | None = None) -> dict[str, Any]:
    return orjson.loads(Antigravity().render_request(request, profile or Profile(), []).body)


def test_the_envelope_survives_the_round_trip() -> None:
    rendered = Antigravity().render_request(Antigravity().parse_request(wire()), Profile(), [])

    assert (rendered.path, rendered.query) == ("/v1internal:streamGenerateContent", "alt=sse")
    assert orjson.loads(rendered.body) == ENVELOPE


@pytest.mark.parametrize(
    "choice, mode",
    [(None, "VALIDATED"), (hub.ToolChoice("auto"), "VALIDATED"), (hub.ToolChoice("required"), "ANY"),
     (hub.ToolChoice("none"), "NONE")],
)  # fmt: skip
def test_a_free_choice_of_tools_is_validated(choice: hub.ToolChoice | None, mode: str) -> None:
    body = render(replace(cases.TOOLS, tool_choice=choice))

    assert body["request"]["toolConfig"]["functionCallingConfig"]["mode"] == mode


def test_no_mode_is_named_without_tools() -> None:
    assert "toolConfig" not in render(cases.PLAIN)["request"]


def test_only_thoughts_with_its_own_signature_go_back() -> None:
    own = hub.Thinking("own", hub.Signature("c2ln", "antigravity"))
    others = (hub.Thinking("bare"), hub.Thinking("foreign", hub.Signature("c2ln", "gemini")))
    said = hub.Message("assistant", (*others, own, hub.Text("a")))

    body = render(hub.Request("claude-opus-4-6", (*cases.PLAIN.messages, said)))

    assert body["request"]["contents"][1]["parts"] == [
        {"text": "own", "thought": True, "thoughtSignature": "c2ln"}, {"text": "a"},
    ]  # fmt: skip


def test_the_caller_names_the_project_of_the_login() -> None:
    body = render(cases.PLAIN, Profile(envelope={"project": "mine", "requestType": "agent"}))

    assert body.keys() == {"model", "project", "requestType", "request"}
    assert body["project"] == "mine"


def test_another_logins_project_replaces_the_clients_and_nothing_else() -> None:
    joined = bridge("antigravity", "antigravity", profile=Profile(envelope={"project": "other"}), wire=wire())

    assert orjson.loads(joined.request(wire()).body) == {**ENVELOPE, "project": "other"}


def test_gemini_clis_project_and_session_go_with_a_rerouted_call() -> None:
    body = {"model": "m", "project": "p", "user_prompt_id": "u", "request": {"contents": [], "session_id": "s"}}
    joined = bridge("gemini-cli", "antigravity")

    sent = orjson.loads(joined.request(wire(body)).body)

    assert sent == {"model": "m", "project": "p", "request": {"contents": [], "sessionId": "s"}}
    assert [loss.path for loss in joined.losses] == ["user_prompt_id"]
