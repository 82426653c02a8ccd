"""A subscription's 5-hour limit is hit in the middle of a task of the real Claude Code, and the task goes on.

The rules are the recipe that people write: the tool's own login first, another provider when its quota is gone.
"""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute_addon.config.paths import data_file
from tests.clients import launch
from tests.clients.agent import READ_NOTE, call, reply, results, url
from tests.clients.launch import PROVIDER_KEY, TOKEN, Tool
from tests.clients.test_claude_code import claude as claude  # noqa: PLC0414 -- a fixture
from tests.servers import faults
from tests.servers.answers import Answer
from tests.servers.provider import Provider, Received
from tests.servers.steps import Say, Step, Whole

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

LOGIN = "sk-ant-oat01-dummy-of-the-client"
COMMANDS = (READ_NOTE, *(f"echo step {number} of $((3 * 3))" for number in range(1, 5)))
OUTPUTS = (TOKEN, *(f"step {number} of 9" for number in range(1, 5)))
LIMIT = 2
"""Turns that the subscription pays for; the third is refused."""
UNIFIED = "anthropic-ratelimit-unified-"


@pytest.fixture
def subscription(claude: Tool) -> Tool:
    """Claude Code with a subscription's login instead of a key."""
    return replace(
        claude,
        env={**claude.env, "ANTHROPIC_API_KEY": ""},
        keys=(LOGIN,),
        files={
            ".claude/.credentials.json": f'{{"claudeAiOauth":{{"accessToken":"{LOGIN}","refreshToken":"sk-ant-ort01-x",'
            '"expiresAt":4102444800000,"scopes":["user:inference","user:profile"],"subscriptionType":"max"}}'
        },
    )


def turn_of(request: Received) -> int:
    assert request.format is not None
    return len(results(request.format, request.json))


def worker(request: Received) -> Step:
    """Asks for one command after the other, then says what they put out."""
    form, body, turn = request.format, request.json, turn_of(request)
    assert form is not None
    asked = call(form, body, COMMANDS[turn] if turn < len(COMMANDS) else "", f"call_{turn:02}_0a1b2c3d4e5f")
    if asked is None:
        return Say(reply(form, body))
    if turn == len(COMMANDS):
        return Say(Answer(tuple(f"{result.text}\n" for result in results(form, body)), number=turn))
    return Say(Answer(("Next ", "step."), (asked,), number=turn))


def told(status: str, used: float) -> dict[str, str]:
    reset = str(int(time.time()) + 3600)
    return {
        f"{UNIFIED}status": status,
        f"{UNIFIED}reset": reset,
        f"{UNIFIED}representative-claim": "five_hour",
        f"{UNIFIED}fallback-percentage": "0.5",
        f"{UNIFIED}5h-status": status,
        f"{UNIFIED}5h-utilization": f"{used:g}",
        f"{UNIFIED}5h-reset": reset,
        f"{UNIFIED}7d-status": "allowed",
        f"{UNIFIED}7d-utilization": "0.4",
        f"{UNIFIED}7d-reset": str(int(time.time()) + 200_000),
        f"{UNIFIED}overage-status": "rejected",
        f"{UNIFIED}overage-disabled-reason": "org_level_disabled",
    }


def metered(request: Received) -> Step:
    """Works for ``LIMIT`` turns, then refuses as api.anthropic.com does."""
    turn = turn_of(request)
    if turn < LIMIT:
        step = worker(request)
        assert isinstance(step, Say)
        return replace(step, headers=told("allowed_warning", 0.9 + turn / 20))
    message = "This request would exceed your account's rate limit. Please try again later."
    refusal = faults.failure("anthropic-messages", 429, "rate_limit_error", message, retry_after="3600")
    return Whole(429, {**refusal.headers, **told("rejected", 1)}, refusal.body)


def in_other_words(second: Provider, form: str) -> str:
    """The same rules with a target of another format."""
    return f"""  other: {{format: {form}, base_url: "{url(second, form)}", auth: bearer}}
accounts:
  - {{name: other, provider: other, key: {PROVIDER_KEY}}}
combos:
  maximize-claude: {{strategy: priority, targets: [origin, other/some-model]}}
routes:
  - {{match: {{client: claude-code}}, to: maximize-claude}}
"""


def shipped(second: Provider) -> str:
    """The recipe as it is shipped, with GLM on loopback."""
    recipe = data_file("recipes/maximize-subscription.yaml").read_text()
    return f"""  glm: {{base_url: "{url(second, "anthropic-messages")}", auth: bearer}}
accounts:
  - {{name: glm, provider: glm, key: {PROVIDER_KEY}}}
{recipe.partition("version: 1")[2]}"""


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat"])
def test_the_task_goes_on_when_the_subscription_is_used_up(
    subscription: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str
) -> None:
    provider.otherwise, second.otherwise = metered, worker
    rules = shipped(second) if form == "anthropic-messages" else in_other_words(second, form)
    outcome = launch.run(subscription, tmp_path, provider, rules)
    assert outcome.code == 0, str(outcome)
    assert [output for output in OUTPUTS if output not in outcome.stdout] == [], str(outcome)
    assert "limit" not in (outcome.stdout + outcome.stderr).lower()
    working = [one for one in provider.calls if call("anthropic-messages", one.json, "")]
    assert [turn_of(one) for one in working] == [*range(LIMIT), LIMIT]  # refused once, and not asked again
    assert all(LOGIN in (one.header("authorization") or "") for one in working)
    taken_over = [one for one in second.calls if call(form, one.json, "")]
    assert [turn_of(one) for one in taken_over] == [*range(LIMIT, len(COMMANDS) + 1)]
    heard = [result.text for result in results(form, taken_over[-1].json)]
    assert [output for output, text in zip(OUTPUTS, heard, strict=True) if output not in text] == []
    for one in second.received:
        assert one.header("authorization") == f"Bearer {PROVIDER_KEY}"
        assert LOGIN not in f"{one.headers}{one.raw!r}"
