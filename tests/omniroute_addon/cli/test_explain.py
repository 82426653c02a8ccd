"""``omniroute explain``: the plan of a call that is never sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.omniroute_addon.cli.conftest import Omniroute


def facts(omniroute: Omniroute, *arguments: str | Path, **env: str) -> dict[str, object]:
    result = omniroute("explain", "--json", *arguments, **env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def targets(found: dict[str, object]) -> list[object]:
    candidates = found["candidates"]
    assert isinstance(candidates, list)
    return [one["target"] for one in candidates]


def test_the_candidates_stand_in_order(omniroute: Omniroute, rules: Path) -> None:
    found = facts(omniroute, "--config", rules, "--client", "claude-code", "--model", "claude-opus-4-6", GLM_KEY="k")
    assert (found["route"], found["combo"], targets(found)) == ("routes[0]", "premium", ["origin", "glm/glm-4.7"])


def test_what_is_out_says_why(omniroute: Omniroute, rules: Path) -> None:
    found = facts(omniroute, "--config", rules, "--client", "claude-code", "--model", "claude-opus-4-6")
    assert "GLM_KEY" in str(found["excluded"])


def test_the_model_is_read_from_a_body(omniroute: Omniroute, rules: Path, tmp_path: Path) -> None:
    body = tmp_path / "request.json"
    body.write_text('{"model": "claude-haiku-4-5", "max_tokens": 1, "messages": []}')
    found = facts(omniroute, "--config", rules, "--client", "claude-code", "--body", body)
    assert found["route"] == "routes[0]"


def test_a_call_without_rule_is_untouched(omniroute: Omniroute, rules: Path) -> None:
    assert facts(omniroute, "--config", rules, "--client", "codex", "--model", "gpt-5.5")["untouched"] is True


@pytest.mark.parametrize(
    "client,wire_format",
    [
        ("codex", "openai-responses"),
        ("gemini-cli", "gemini"),
        ("qwen-code", "openai-chat"),
        ("anthropic-sdk", "anthropic-messages"),
    ],
)
def test_a_client_speaks_its_own_format(omniroute: Omniroute, client: str, wire_format: str) -> None:
    ask = facts(omniroute, "--client", client, "--model", "m")["ask"]
    assert isinstance(ask, dict)
    assert ask["format"] == wire_format


def test_host_and_path_name_the_surface(omniroute: Omniroute) -> None:
    ask = facts(omniroute, "--host", "api.openai.com", "--path", "/v1/chat/completions", "--model", "m")["ask"]
    assert isinstance(ask, dict)
    assert ask["format"] == "openai-chat"


def test_a_host_that_is_no_surface_is_said(omniroute: Omniroute) -> None:
    result = omniroute("explain", "--host", "example.com", "--model", "m")
    assert (result.returncode, "not even decrypted" in result.stderr) == (1, True)


def test_an_unknown_client_lists_the_known(omniroute: Omniroute) -> None:
    result = omniroute("explain", "--client", "claud", "--model", "m")
    assert (result.returncode, "claude-code" in result.stderr) == (2, True)


def test_the_gateway_does_not_know_a_strange_model(omniroute: Omniroute) -> None:
    result = omniroute("explain", "--gateway", "--model", "no-such-model")
    assert (result.returncode, "unknown model 'no-such-model'" in result.stdout) == (1, True)


def test_the_gateway_takes_prefix_and_model(omniroute: Omniroute, rules: Path) -> None:
    found = facts(omniroute, "--config", rules, "--gateway", "--model", "glm/glm-4.7", GLM_KEY="k")
    assert targets(found) == ["glm/glm-4.7"]


def test_no_key_is_ever_shown(omniroute: Omniroute, rules: Path) -> None:
    arguments = ("explain", "--config", rules, "--client", "claude-code", "--model", "claude-opus-4-6")
    said = [omniroute(*arguments, *more, GLM_KEY="sk-canary").stdout for more in ([], ["--json"])]
    assert "sk-canary" not in "".join(said)


def test_people_read_a_table(omniroute: Omniroute, rules: Path) -> None:
    said = omniroute("explain", "--config", rules, "--client", "claude-code", "--model", "claude-x", GLM_KEY="k").stdout
    assert [line.split()[:2] for line in said.splitlines() if line[:1] in "12"] == [
        ["1", "origin"],
        ["2", "glm/glm-4.7"],
    ]


CONDITIONS = """\
version: 1
accounts: [{name: a, provider: glm, key: k}]
keys: [{name: team-a, key: a-secret-of-some-length}]
routes:
  - {match: {hours: "22:00-06:00"}, to: glm/night}
  - {match: {source: 10.0.0.0/8}, to: glm/office}
  - {match: {key: "team-*"}, to: glm/team}
  - {match: {headers: {x-ticket: "urgent*"}}, to: glm/urgent}
  - {match: {session: s-1}, to: glm/mine}
  - {match: {has: [tools]}, to: glm/tools}
  - {match: {tokens_over: 50}, to: glm/long}
  - {to: origin}
"""
TOOLS = (
    '{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}],'
    ' "tools": [{"name": "t", "input_schema": {"type": "object"}}]}'
)
LONG = '{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "%s"}]}' % ("word " * 400)


@pytest.mark.parametrize(
    "options,body,target",
    [
        (["--at", "23:30"], None, "glm/night"),
        (["--at", "2026-11-01T05:59"], None, "glm/night"),
        (["--source", "10.1.2.3"], None, "glm/office"),
        (["--key", "team-a"], None, "glm/team"),
        (["--header", "X-Ticket: urgent 7"], None, "glm/urgent"),
        (["--header", "x-claude-code-session-id: s-1"], None, "glm/mine"),
        ([], TOOLS, "glm/tools"),
        ([], LONG, "glm/long"),
        ([], None, "origin"),
    ],
)
def test_every_condition_of_a_route_can_be_tried(
    omniroute: Omniroute, tmp_path: Path, options: list[str], body: str | None, target: str
) -> None:
    rules, request = tmp_path / "conditions.yaml", tmp_path / "request.json"
    rules.write_text(CONDITIONS)
    request.write_text(body or '{"model": "m", "messages": []}')
    at = [] if "--at" in options else ["--at", "12:00"]
    call = ("--config", rules, "--client", "claude-code", "--body", request)
    assert targets(facts(omniroute, *call, *at, *options)) == [target]


@pytest.mark.parametrize("option", [["--at", "soon"], ["--header", "no-colon"]])
def test_an_option_that_cannot_be_read_is_said(omniroute: Omniroute, option: list[str]) -> None:
    result = omniroute("explain", "--client", "claude-code", "--model", "m", *option)
    assert (result.returncode, option[1] in result.stderr) == (2, True)


def test_the_routes_that_do_not_apply_are_told(omniroute: Omniroute, rules: Path) -> None:
    rules.write_text(rules.read_text() + "  - {match: {client: codex}, to: glm/glm-4.7}\n")
    said = omniroute("explain", "--config", rules, "--client", "codex", "--model", "gpt", GLM_KEY="k").stdout
    assert "routes[0]: not this one, client is codex, not claude-code" in said


def test_the_budgets_that_cover_the_call_are_told(omniroute: Omniroute, rules: Path) -> None:
    rules.write_text(rules.read_text() + "budgets:\n  - {name: cheap, match: {tier: cheap}, monthly: 20}\n")
    found = facts(omniroute, "--config", rules, "--client", "claude-code", "--model", "claude-x", GLM_KEY="k")
    assert [(one["budget"], one["period"], one["limit"]) for one in found["budgets"]] == [("cheap", "monthly", 20.0)]  # type: ignore[union-attr]


CAPTURED = b"""POST /v1/messages?beta=true HTTP/1.1\r
host: api.anthropic.com\r
user-agent: claude-cli/2.1 (external, cli)\r
x-claude-code-session-id: s-1\r
content-type: application/json\r
\r
{"model": "claude-opus-4-6", "max_tokens": 1, "messages": [{"role": "user", "content": "hi\\r\\n"}]}"""


@pytest.mark.parametrize("text", [CAPTURED, CAPTURED.replace(b"\r\n", b"\n")], ids=["wire", "editor"])
def test_a_captured_request_says_it_all(omniroute: Omniroute, tmp_path: Path, text: bytes) -> None:
    captured = tmp_path / "request.txt"
    captured.write_bytes(text)
    ask: dict[str, Any] = facts(omniroute, "--request", captured)["ask"]  # type: ignore[assignment]
    assert (ask["client"], ask["model"], ask["format"], ask["session"]) == (
        "claude-code",
        "claude-opus-4-6",
        "anthropic-messages",
        "s-1",
    )


def test_a_captured_request_may_be_one_to_the_gateway(omniroute: Omniroute, rules: Path, tmp_path: Path) -> None:
    captured = tmp_path / "request.txt"
    captured.write_bytes(CAPTURED.replace(b"claude-opus-4-6", b"premium").replace(b"api.anthropic.com", b"127.0.0.1:1"))
    found = facts(omniroute, "--config", rules, "--gateway", "--request", captured, GLM_KEY="k")
    assert targets(found) == ["glm/glm-4.7"]


def test_what_is_no_request_is_said(omniroute: Omniroute, rules: Path) -> None:
    result = omniroute("explain", "--request", rules)
    assert (result.returncode, "is no HTTP request" in result.stderr) == (2, True)


SPENT = """\
version: 1
routes: [{to: origin}]
budgets: [{name: by use, match: {tier: api-key}, daily: 0}]
"""


@pytest.mark.parametrize("header,left", [((), ["origin"]), (("--header", "x-api-key: k"), [])])
def test_claude_code_is_taken_to_have_a_login(
    omniroute: Omniroute, tmp_path: Path, header: tuple[str, ...], left: list[str]
) -> None:
    rules = tmp_path / "spent.yaml"
    rules.write_text(SPENT)
    call = ("--config", rules, "--client", "claude-code", "--model", "claude-opus-4-6")
    assert targets(facts(omniroute, *call, *header)) == left
