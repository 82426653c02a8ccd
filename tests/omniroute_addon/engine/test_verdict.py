"""The verdict table."""

import pytest

from omniroute_addon.config.models import Limits
from omniroute_addon.engine.verdict import LONGEST, Outcome, Verdict, judge
from translators.hub import Failure, FailureKind

LIMITS = Limits(inline_wait=3.0)


def told(kind: FailureKind, message: str = "no", *, retry_after: float | None = None, **more: object) -> Verdict:
    return judge(Outcome("status", 400, Failure(kind, message, retry_after=retry_after), **more), LIMITS)


def test_a_good_answer_is_used() -> None:
    assert judge(Outcome("ok", 200), LIMITS).action == "use"


@pytest.mark.parametrize(
    "kind, action, scope, cooldown",
    [
        ("quota", "next-account", "account", 300),
        ("rate_limit", "next-account", "account", 5),
        ("authentication", "next-account", "account", 120),
        ("permission", "next-account", "account", 120),
        ("billing", "next-account", "account", 600),
        ("overloaded", "next-target", "target", 2),
        ("server", "next-target", "target", 2),
        ("timeout", "next-target", "target", 2),
        ("cut", "next-target", "target", 2),
        ("not_found", "next-target", "none", 0),
        ("too_large", "next-target", "none", 0),
        ("context_overflow", "next-target", "none", 0),
        ("invalid_request", "give-up", "none", 0),
    ],
)
def test_every_failure_has_its_row(kind: FailureKind, action: str, scope: str, cooldown: float) -> None:
    verdict = told(kind)
    assert (verdict.action, verdict.scope, verdict.cooldown) == (action, scope, cooldown)


@pytest.mark.parametrize(
    "status, action, scope",
    [
        (400, "give-up", "none"),
        (401, "next-account", "account"),
        (402, "next-account", "account"),
        (403, "next-account", "account"),
        (404, "next-target", "none"),
        (408, "next-target", "target"),
        (413, "next-target", "none"),
        (422, "give-up", "none"),
        (429, "next-account", "account"),
        (500, "next-target", "target"),
        (502, "next-target", "target"),
        (529, "next-target", "target"),
        (301, "next-target", "target"),
    ],
)
def test_a_bare_status_is_enough(status: int, action: str, scope: str) -> None:
    verdict = judge(Outcome("status", status), LIMITS)
    assert (verdict.action, verdict.scope) == (action, scope)


def test_an_error_in_a_200_is_the_same_error() -> None:
    failure = Failure("overloaded", "busy", 529)
    assert judge(Outcome("error-event", 200, failure), LIMITS).action == "next-target"


@pytest.mark.parametrize(
    "kind", ["connect", "tls", "dns", "timeout-connect", "timeout-first", "timeout-idle", "html", "not-format"]
)
def test_a_service_that_cannot_answer_rests(kind: str) -> None:
    verdict = judge(Outcome(kind), LIMITS)
    assert (verdict.action, verdict.scope) == ("next-target", "target")


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_quota_rests_until_its_reset() -> None:
    verdict = told("quota", retry_after=7200)
    assert (verdict.cooldown, verdict.retry_after) == (7200, 7200)


def test_a_quota_is_never_waited_out() -> None:
    assert told("quota", retry_after=1).action == "next-account"


def test_a_short_throttle_is_waited_out() -> None:
    verdict = told("rate_limit", retry_after=2)
    assert (verdict.action, verdict.retry_after, verdict.scope) == ("wait", 2, "none")


def test_a_throttle_is_waited_out_only_once() -> None:
    verdict = told("rate_limit", retry_after=2, attempts_on_candidate=2)
    assert (verdict.action, verdict.cooldown) == ("next-account", 2)


def test_a_longer_throttle_is_one_hop() -> None:
    assert told("rate_limit", retry_after=3.5).action == "next-account"


def test_the_outcomes_time_goes_before_the_failures() -> None:
    failure = Failure("quota", "gone", 429, retry_after=10)
    assert judge(Outcome("status", 429, failure, retry_after=99), LIMITS).cooldown == 99


def test_no_rest_is_longer_than_a_quota_window() -> None:
    assert told("quota", retry_after=1e12).cooldown == LONGEST


# ── whose 400 it is ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [
        "This model does not support image input",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "model gpt-5.1-codex is not accessible via the /chat/completions endpoint",
        "Unknown parameter: 'thinking'",
        "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens",
        "Missing `reasoning_content` field in the assistant message",
    ],
)
def test_a_refusal_of_this_target_only_goes_on(message: str) -> None:
    verdict = told("invalid_request", message)
    assert (verdict.action, verdict.scope) == ("next-target", "none")


@pytest.mark.parametrize(
    "message",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "Corrupted thought signature.",
        "The encrypted content gAAA...c90= could not be verified.",
    ],
)
def test_refused_reasoning_is_taken_out_once(message: str) -> None:
    assert told("invalid_request", message) == Verdict("retry-unsigned", reason=f"400 invalid_request: {message}")
    assert told("invalid_request", message, unsigned=True).action != "retry-unsigned"


@pytest.mark.parametrize(
    "message", ["messages: at least one message is required", "Invalid JSON", "tool_use ids must be unique"]
)
def test_a_refusal_that_everybody_would_give_goes_straight_back(message: str) -> None:
    assert told("invalid_request", message).action == "give-up"


def test_a_denied_model_does_not_rest_the_account() -> None:
    assert told("permission", "Your plan has no access to model x").scope == "none"


def test_what_cannot_be_translated_goes_to_the_next_target() -> None:
    assert judge(Outcome("unsupported"), LIMITS) == Verdict(
        "next-target", reason="cannot be translated for this target"
    )


# ── accidents ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["cut", "empty"])
def test_an_accident_is_tried_once_more_when_nobody_else_is_left(kind: str) -> None:
    assert judge(Outcome(kind), LIMITS).action == "retry"


@pytest.mark.parametrize("kind", ["cut", "empty"])
def test_an_accident_is_not_tried_a_third_time(kind: str) -> None:
    assert judge(Outcome(kind, attempts_on_candidate=2), LIMITS).action == "next-target"


@pytest.mark.parametrize("kind", ["cut", "empty"])
def test_an_accident_goes_on_when_there_is_another(kind: str) -> None:
    assert judge(Outcome(kind, more_candidates=True), LIMITS).action == "next-target"


def test_the_reason_has_the_upstreams_words_in_short() -> None:
    verdict = judge(Outcome("status", 429, Failure("quota", "gone\n" + "x" * 999, 429)), LIMITS)
    assert verdict.reason.startswith("429 quota: gone xxx")
    assert len(verdict.reason) < 240
