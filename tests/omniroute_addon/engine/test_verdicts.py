"""The words for a client when no target could answer."""

import orjson
import pytest

from omniroute_addon.accounts.health import Health
from omniroute_addon.config import Account, Provider
from omniroute_addon.engine.verdict import Outcome, Verdict
from omniroute_addon.engine.verdicts import estimate, exhausted, failure_of
from omniroute_addon.routing import Candidate, Excluded, NotFound, Plan
from translators import FORMATS, WireRequest
from translators.hub import Failure

NOW = 1000.0
GLM = Provider("glm", "GLM", "http://127.0.0.1:9/v1/messages", "anthropic-messages")


def candidate(number: int = 1) -> Candidate:
    return Candidate(f"glm/m{number}", GLM, f"m{number}", Account(f"account-{number}", "glm"))


def said(*failures: Failure, plan: Plan | None = None, health: Health | None = None) -> Failure:
    tried = [(candidate(number), failure) for number, failure in enumerate(failures, 1)]
    return exhausted(plan or Plan("routes[0]", "premium"), tried, health or Health(), NOW)


def test_everything_that_was_tried_is_listed_with_its_account() -> None:
    plan = Plan("routes[0]", "premium", excluded=(Excluded("local/q", None, "no key"),))
    answer = said(Failure("server", "boom", 500), plan=plan)
    assert answer.message == (
        "OmniRoute: no target of 'premium' could answer. Tried: glm/m1 (account-1): boom; local/q: no key"
    )


def test_a_long_list_is_cut() -> None:
    assert said(*[Failure("server", "boom", 500)] * 20).message.endswith("boom; and 8 more")


def test_a_rule_without_usable_targets_is_a_clear_400() -> None:
    answer = said()
    assert (answer.status, "names no usable target" in answer.message) == (400, True)


@pytest.mark.parametrize(
    "failures, kind, status",
    [
        ([Failure("quota", "q", 429), Failure("server", "s", 500)], "server", 503),
        ([Failure("cut", "c", 502)], "overloaded", 503),
        ([Failure("timeout", "t", 504)], "timeout", 503),
        ([Failure("quota", "q", 429), Failure("invalid_request", "i", 400)], "quota", 429),
        ([Failure("authentication", "a", 401)], "authentication", 401),
        ([Failure("context_overflow", "c", 400)], "context_overflow", 400),
    ],
)
def test_the_most_hopeful_failure_is_told(failures: list[Failure], kind: str, status: int) -> None:
    answer = said(*failures)
    assert (answer.kind, answer.status) == (kind, status)


def test_the_soonest_of_all_waits_is_told() -> None:
    plan = Plan("routes[0]", excluded=(Excluded("a", None, "cooling down", NOW + 500),))
    health = Health()
    health.note(Verdict("next-account", "account", 200, "quota", 200), candidate(), NOW)
    assert said(Failure("quota", "q", 429), plan=plan, health=health).retry_after == 200


def test_a_quota_that_is_back_within_a_minute_is_for_the_client_s_own_retries() -> None:
    """Told as a quota, it ends a task of Codex or Gemini CLI at once."""
    answer = said(Failure("quota", "q", 429, retry_after=5))
    assert (answer.kind, answer.status, answer.retry_after) == ("rate_limit", 429, 5)


def test_only_cooling_targets_are_a_quota_or_a_throttle_by_their_wait() -> None:
    answers = [
        said(plan=Plan("routes[0]", excluded=(Excluded("a", None, "cooling down", NOW + wait),))) for wait in (30, 3600)
    ]
    assert [(a.kind, a.status, a.retry_after) for a in answers] == [("rate_limit", 429, 30), ("quota", 429, 3600)]


def test_a_wait_is_at_least_a_second() -> None:
    plan = Plan("routes[0]", excluded=(Excluded("a", None, "cooling down", NOW + 0.01),))
    assert said(plan=plan).retry_after == 1


def test_what_has_come_back_since_the_plan_was_made_may_be_asked_again_soon() -> None:
    plan = Plan("routes[0]", excluded=(Excluded("a", None, "cooling down", NOW - 0.01),))
    answer = said(plan=plan)
    assert (answer.kind, answer.status, answer.retry_after) == ("rate_limit", 429, 1)


def test_a_refusal_is_not_to_be_tried_again() -> None:
    assert said(Failure("invalid_request", "no", 400, retry_after=5)).retry_after is None


def test_an_unknown_name_is_a_404() -> None:
    answer = said(plan=Plan("none", error=NotFound("glm/x", ("glm/glm-4.7",))))
    assert (answer.status, "did you mean glm/glm-4.7" in answer.message) == (404, True)


@pytest.mark.parametrize("kind", ["html", "empty", "not-format", "cut", "status", "tls"])
def test_every_outcome_has_words(kind: str) -> None:
    assert failure_of(Outcome(kind, 302)).message


@pytest.mark.parametrize("form, field", [("anthropic-messages", "input_tokens"), ("gemini", "totalTokens")])
def test_an_estimate_has_the_clients_shape_and_says_what_it_is(form: str, field: str) -> None:
    bodies = {
        "anthropic-messages": b'{"model":"m","messages":[{"role":"user","content":"hello there"}]}',
        "gemini": b'{"contents":[{"role":"user","parts":[{"text":"hello there"}]}]}',
    }
    path = {"gemini": "/v1beta/models/m:countTokens"}.get(form, "/v1/messages/count_tokens")
    answer = estimate(form, FORMATS[form].parse_request(WireRequest("POST", path, "", {}, bodies[form])))
    assert orjson.loads(answer.body)[field] > 0
    assert answer.headers["x-omniroute-estimated"] == "true"


def test_what_policies_forbid_is_a_403_that_says_what_to_do() -> None:
    out = Excluded("glm/m", None, "policy p denies it", policy="p")
    answer = said(plan=Plan("none", excluded=(out, out)))
    assert (answer.kind, answer.status) == ("permission", 403)
    assert answer.message == (
        "OmniRoute: the rules do not allow this call (glm/m: policy p denies it). "
        "Ask for another model, or have `policies` changed"
    )


def test_a_target_that_will_be_back_goes_before_one_that_is_forbidden() -> None:
    outs = (Excluded("a/m", None, "policy p denies it", policy="p"), Excluded("b/m", None, "cooling down", NOW + 9))
    assert said(plan=Plan("r", excluded=outs)).status == 429
