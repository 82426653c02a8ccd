"""``omniroute explain``: the plan of a call that is never sent."""

import json
from pathlib import Path

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
