"""Which window an error tells to be gone, and until when."""

from math import isfinite
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.accounts.quota.allowance import Allowance
from omniroute_addon.accounts.quota.errors import gone, headers_inside
from translators import FORMATS
from translators.hub import Failure

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z, 16:00 the day before in California, 08:00 in China
GOOGLE = "type.googleapis.com/google.rpc."


def told(form: str, body: Any, provider: str, *, status: int = 429, model: str | None = None) -> Allowance | None:
    failure = FORMATS[form].parse_error(status, {}, orjson.dumps(body))
    assert failure is not None
    return gone(failure, provider, model, NOW)


def google(message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": list(details)}}


def violation(quota: str, **more: Any) -> dict[str, Any]:
    return {"@type": GOOGLE + "QuotaFailure", "violations": [{"quotaId": quota, **more}]}


def retry(delay: str) -> dict[str, Any]:
    return {"@type": GOOGLE + "RetryInfo", "retryDelay": delay}


def test_googles_day_ends_at_midnight_in_california() -> None:
    quota = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", quotaDimensions={"model": "gemini-2.5-pro"})
    found = told("gemini", google("You exceeded your current quota", quota, retry("24s")), "gemini")
    assert found is not None
    assert (found.window, found.models) == ("day gemini-2.5-pro", "=gemini-2.5-pro")
    assert found.resets == NOW + 8 * 3600


def test_the_day_and_the_zone_do_not_depend_on_what_the_rules_call_a_provider() -> None:
    quota = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
    found = told("gemini", google("You exceeded your current quota", quota, retry("24s")), "my-own-name")
    assert found is not None
    assert found.resets == NOW + 8 * 3600
    text = "Usage limit reached for 5 hour. Your limit will reset at 2026-01-01 10:30:00"
    found = told("anthropic-messages", {"error": {"code": "1308", "message": text}}, "my-own-name")
    assert found is not None
    assert found.resets == NOW + 2.5 * 3600


def test_googles_minute_is_no_quota() -> None:
    quota = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
    assert told("gemini", google("You exceeded your current quota", quota, retry("24s")), "gemini") is None


@pytest.mark.parametrize("form", ["gemini-cli", "antigravity"])
def test_code_assist_says_for_how_long(form: str) -> None:
    text = "You have exhausted your capacity on this model. Your quota will reset after 3h12m8s."
    found = told(form, google(text), "gemini-cli", model="gemini-3-pro")
    assert found is not None
    assert (found.resets, found.models) == (NOW + 11_528, "=gemini-3-pro")


@pytest.mark.parametrize(
    "form, status, body, provider, window, resets",
    [
        (
            "openai-chat",
            429,
            {"error": {"code": "1308", "message": "Usage limit reached for 5 hour. Your limit will reset at 2026-01-01 10:30:00"}},
            "glm",
            "5h",
            NOW + 2.5 * 3600,
        ),
        (
            "anthropic-messages",
            429,
            {
                "type": "error",
                "error": {
                    "type": "1310",
                    "message": "Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-01-03 08:00:00",
                },
            },
            "glm",
            "week",
            NOW + 2 * 86400,
        ),
        (
            "openai-chat",
            429,
            {"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded.", "type": "insufficient_quota"}},
            "qwen",
            "day",
            NOW + 16 * 3600,
        ),
        (
            "openai-chat",
            429,
            {"error": {"code": "user_weekly_rate_limited", "message": "Sorry, you have exceeded your weekly rate limit."}},
            "github",
            "week",
            None,
        ),
        (
            "openai-chat",
            402,
            {"error": {"code": "quota_exceeded", "message": "You have exceeded your monthly quota"}},
            "github",
            "month",
            None,
        ),
        (
            "openai-chat",
            429,
            {"error": {"code": "1308", "message": "已达到 5 小时的使用上限。您的限额将在 2026-01-01 10:30:00 重置。"}},
            "glm-cn",
            "5h",
            NOW + 2.5 * 3600,
        ),
        (
            "anthropic-messages",
            403,
            {"error": {"type": "access_terminated_error", "message": "You've reached your weekly (7-day) usage limit."}},
            "kimi-coding",
            "week",
            None,
        ),
        (
            "openai-chat",
            429,
            {"error": {"message": "Rate limit reached for model `x` on tokens per day (TPD): Limit 500000, Used 499000. "
                       "Please try again in 7m12s.", "type": "tokens", "code": "rate_limit_exceeded"}},
            "groq",
            "day",
            NOW + 432,
        ),
        (
            "openai-responses",
            429,
            {"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached", "resets_in_seconds": 7200}},
            "codex",
            "quota",
            NOW + 7200,
        ),
        (
            "anthropic-messages",
            429,
            {"type": "error", "error": {"type": "rate_limit_error", "message": "usage limit exceeded, 5-hour usage limit "
                                        "reached for Token Plan Starter (0/0 used), resets at 2026-01-01T03:00:00Z (2056)"}},
            "minimax",
            "5h",
            NOW + 3 * 3600,
        ),
    ],
)  # fmt: skip
def test_the_words_of_a_provider_name_the_window(
    form: str, status: int, body: Any, provider: str, window: str, resets: float | None
) -> None:
    found = told(form, body, provider, status=status)
    assert found is not None
    assert (found.window, found.share, found.resets, found.models) == (window, 0.0, resets, "")


def test_kiros_month_ends_with_the_month() -> None:
    found = gone(Failure("quota", "You have reached the limit. (MONTHLY_REQUEST_COUNT)", 402), "kiro", None, NOW)
    assert found is not None
    assert (found.window, found.resets) == ("month", NOW + 31 * 86400)


def test_openrouter_puts_its_headers_into_the_body() -> None:
    headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767312000000"}
    error = {"message": "Rate limit exceeded: free-models-per-day", "code": 429, "metadata": {"headers": headers}}
    failure = FORMATS["openai-chat"].parse_error(429, {}, orjson.dumps({"error": error}))
    assert failure is not None
    assert failure.kind == "quota"
    assert headers_inside(failure)["x-ratelimit-reset"] == "1767312000000"


def test_a_throttle_is_no_quota() -> None:
    assert gone(Failure("rate_limit", "slow down", 429, retry_after=3), "openai", None, NOW) is None


@given(st.text(max_size=80), st.none() | st.floats(min_value=0, max_value=1e7), st.sampled_from(("glm", "x", "kiro")))
def test_no_words_break_it(message: str, wait: float | None, provider: str) -> None:
    found = gone(Failure("quota", message, 429, retry_after=wait, raw={"error": message}), provider, "m", NOW)
    assert found is not None
    assert found.share == 0
    assert found.resets is None or (isfinite(found.resets) and found.resets >= NOW)
