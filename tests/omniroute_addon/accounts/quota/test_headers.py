"""Quota windows in headers, as each provider writes them."""

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.accounts.quota.allowance import Allowance
from omniroute_addon.accounts.quota.headers import Told, is_marked, told

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
UNIFIED = "anthropic-ratelimit-unified-"


def of(headers: dict[str, str], *, refused: bool = False) -> dict[str, Allowance]:
    return {one.window: one for one in told(headers, NOW, refused=refused).allowances}


def test_headers_about_other_things_tell_nothing() -> None:
    assert [name for name in ("content-type", "request-id", "retry-after", "x-codex", "date") if is_marked(name)] == []
    assert told({}, NOW, refused=False) == Told()


# ── Claude ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ALLOWED = {
    f"{UNIFIED}status": "allowed_warning",
    f"{UNIFIED}5h-status": "allowed",
    f"{UNIFIED}5h-reset": str(int(NOW) + 7200),
    f"{UNIFIED}5h-utilization": "0.25",
    f"{UNIFIED}7d-status": "allowed_warning",
    f"{UNIFIED}7d-reset": str(int(NOW) + 200_000),
    f"{UNIFIED}7d-utilization": "0.91",
    f"{UNIFIED}7d-surpassed-threshold": "0.9",
    f"{UNIFIED}7d_opus-status": "rejected",
    f"{UNIFIED}7d_opus-reset": str(int(NOW) + 100_000),
    f"{UNIFIED}representative-claim": "seven_day",
    f"{UNIFIED}reset": str(int(NOW) + 200_000),
    f"{UNIFIED}overage-status": "rejected",
    f"{UNIFIED}overage-disabled-reason": "org_level_disabled",
    f"{UNIFIED}fallback-percentage": "0.5",
}


def test_claude_tells_each_window_of_a_subscription() -> None:
    found = of(ALLOWED)
    assert set(found) == {"5h", "week", "week opus"}
    assert (found["5h"].share, found["5h"].resets) == (0.75, NOW + 7200)
    assert found["week"].share == pytest.approx(0.09)


def test_claudes_window_of_one_model_is_about_that_model() -> None:
    opus = of(ALLOWED)["week opus"]
    assert (opus.share, opus.models, opus.resets) == (0.0, "opus", NOW + 100_000)


def test_claudes_rejection_names_its_window_by_the_claim() -> None:
    headers = {
        f"{UNIFIED}status": "rejected",
        f"{UNIFIED}reset": str(int(NOW) + 600),
        f"{UNIFIED}representative-claim": "seven_day_opus",
    }
    assert of(headers, refused=True) == {"week opus": Allowance("week opus", 0.0, NOW, NOW + 600, models="opus")}


def test_claudes_week_with_extra_usage_is_a_window_of_its_own() -> None:
    assert list(of({f"{UNIFIED}7d_oi-utilization": "0.5"})) == ["week with overage"]


def test_a_rejection_without_a_claim_is_a_quota() -> None:
    found = of({f"{UNIFIED}status": "rejected", f"{UNIFIED}reset": str(int(NOW) + 600)}, refused=True)
    assert (found["quota"].share, found["quota"].resets) == (0.0, NOW + 600)


def test_an_open_window_is_never_quite_gone() -> None:
    headers = {f"{UNIFIED}5h-status": "allowed_warning", f"{UNIFIED}5h-utilization": "1.02"}
    assert 0 < of(headers)["5h"].share < 0.01


def test_an_open_window_without_an_amount_is_only_open() -> None:
    assert told({f"{UNIFIED}5h-status": "allowed"}, NOW, refused=False) == Told((), frozenset({"5h"}))


@pytest.mark.parametrize("overage", [f"{UNIFIED}overage-in-use", f"{UNIFIED}overage-status"])
def test_what_extra_usage_pays_does_not_close_the_account(overage: str) -> None:
    value = "true" if overage.endswith("in-use") else "allowed"
    headers = {f"{UNIFIED}5h-status": "rejected", f"{UNIFIED}5h-reset": str(int(NOW) + 60), overage: value}
    assert of(headers)["5h"].gates is False
    assert of(headers, refused=True)["5h"].gates is True


def test_the_limits_of_an_anthropic_key_are_a_pace() -> None:
    found = of(
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:01Z",
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "30000",
            "anthropic-ratelimit-input-tokens-reset": "2026-01-01T00:00:15Z",
        }
    )
    assert {name: (one.share, one.gates) for name, one in found.items()} == {
        "minute requests": (0.0, False),
        "minute input-tokens": (0.75, False),
    }
    assert found["minute input-tokens"].resets == NOW + 15


# ── Codex and Copilot ───────────────────────────────────────────────────────────────────────────────────────────────

CODEX = {
    "x-codex-plan-type": "plus",
    "x-codex-active-limit": "codex",
    "x-codex-primary-used-percent": "37.5",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-after-seconds": "3600",
    "x-codex-primary-reset-at": "1767229300",
    "x-codex-secondary-used-percent": "100",
    "x-codex-secondary-window-minutes": "10080",
    "x-codex-secondary-reset-at": "1767312000",
    "x-codex-primary-over-secondary-limit-percent": "20",
}


def test_codex_tells_its_two_windows() -> None:
    found = of(CODEX)
    assert {name: (one.share, one.resets) for name, one in found.items()} == {
        "5h": (0.625, NOW + 3600),
        "week": (0.0, NOW + 86400),
    }


def test_codex_windows_of_a_family_are_about_its_model() -> None:
    found = of(
        {
            "x-codex-bengalfox-primary-used-percent": "100",
            "x-codex-bengalfox-primary-window-minutes": "300",
            "x-codex-bengalfox-limit-name": "GPT-5.3-Codex-Spark",
        }
    )
    assert found["5h bengalfox"].models == "gpt-5.3-codex-spark"


def test_a_family_without_a_name_closes_nothing() -> None:
    assert of({"x-codex-bengalfox-primary-used-percent": "100"})["primary bengalfox"].gates is False


def test_a_codex_window_that_does_not_exist_is_left_out() -> None:
    assert of({"x-codex-secondary-used-percent": "0", "x-codex-secondary-window-minutes": "0"}) == {}


@pytest.mark.parametrize("minutes, window", [("120", "2h"), ("30", "30m"), ("43200", "month"), ("", "primary")])
def test_a_codex_window_is_named_by_its_length(minutes: str, window: str) -> None:
    assert list(of({"x-codex-primary-used-percent": "5", "x-codex-primary-window-minutes": minutes})) == [window]


def test_codex_credits_keep_an_account_open() -> None:
    headers = CODEX | {"x-codex-credits-has-credits": "True", "x-codex-credits-balance": "12.5"}
    assert of(headers)["week"].gates is False
    assert of(headers, refused=True)["week"].gates is True


def test_copilot_tells_what_is_left_of_a_month() -> None:
    found = of(
        {
            "x-quota-snapshot-chat": "ent=-1&ov=0.0&ovPerm=false&rem=100.0&rst=2026-02-01T00%3A00%3A00Z",
            "x-quota-snapshot-premium_interactions": "ent=300&ov=0.0&ovPerm=false&rem=12.5&rst=2026-02-01T00:00:00Z",
        }
    )
    premium = found.pop("month premium_interactions")
    assert found == {}
    assert (premium.share, premium.limit, premium.resets, premium.gates) == (0.125, 300, NOW + 31 * 86400, False)


# ── x-ratelimit ─────────────────────────────────────────────────────────────────────────────────────────────────────


def limits(limit: str, remaining: str, reset: str, behind: str = "", prefix: str = "x-ratelimit") -> dict[str, str]:
    return {
        f"{prefix}-limit{behind}": limit,
        f"{prefix}-remaining{behind}": remaining,
        f"{prefix}-reset{behind}": reset,
    }


@pytest.mark.parametrize(
    "headers, window, share, gates",
    [
        (limits("500", "499", "120ms", "-requests"), "minute requests", 0.998, False),  # OpenAI
        (limits("200", "150", "6h0m0s", "-requests"), "day requests", 0.75, True),  # OpenAI, free tier
        (limits("14400", "14370", "2m59.56s", "-requests"), "day requests", 14370 / 14400, True),  # Groq
        (limits("18000", "17997", "7.66ms", "-tokens"), "tokens", 17997 / 18000, False),  # Groq
        (limits("14400", "7200", "33011.382867", "-requests-day"), "day requests", 0.5, True),  # Cerebras
        (limits("60000", "0", "11.38", "-tokens-minute"), "minute tokens", 0.0, False),  # Cerebras
        (limits("2000000", "500000", "12", "-tokens-5-minute"), "5m tokens", 0.25, False),  # Mistral
        (limits("50", "0", "1767312000000"), "requests", 0.0, True),  # OpenRouter, free models
        (limits("600", "30", "1"), "requests", 0.05, False),  # Together
        (limits("5000", "4000", "1767229200", "-requests-1h"), "hour requests", 0.8, True),
        (limits("100, 100;w=60", "99", "50", prefix="ratelimit"), "requests", 0.99, False),  # the IETF's draft
        (limits("1000", "10", "3600", prefix="x-ratelimit-requests-day"), "", 0, False),
    ],
)
def test_a_limit_is_read_in_every_spelling(headers: dict[str, str], window: str, share: float, gates: bool) -> None:
    found = of(headers)
    if not window:
        assert found == {} or all(one.share > 0 for one in found.values())
        return
    assert list(found) == [window]
    assert (found[window].share, found[window].gates) == (pytest.approx(share), gates)


def test_mistral_counts_by_size() -> None:
    found = of({"x-ratelimitbysize-limit-month": "1000", "x-ratelimitbysize-remaining-month": "100"})
    assert (found["month tokens"].share, found["month tokens"].gates) == (0.1, True)


def test_the_name_may_stand_before_the_word() -> None:
    found = of(
        {"x-ratelimit-requests-limit": "10", "x-ratelimit-requests-remaining": "5", "x-ratelimit-requests-reset": "60"}
    )
    assert found["requests"].share == 0.5


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-limit-requests": "500"},
        {"x-ratelimit-remaining-requests": "12"},
        {"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "12"},
        {"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "few"},
        {"x-ratelimit-reset-requests": "1s"},
        {f"{UNIFIED}5h-utilization": "nan"},
        {"x-codex-primary-used-percent": "?"},
        {"x-quota-snapshot-chat": "rem=0"},
    ],
)
def test_unknown_values_invent_no_quota(headers: dict[str, str]) -> None:
    assert told(headers, NOW, refused=False) == Told()


NAMES = st.one_of(
    st.builds(
        "{}{}-{}".format,
        st.sampled_from(
            (UNIFIED, "x-codex-", "x-ratelimit-", "anthropic-ratelimit-", "x-ratelimitbysize-", "ratelimit-")
        ),
        st.sampled_from(
            ("5h", "7d_opus", "primary", "secondary", "limit", "remaining", "reset", "requests", "a-primary")
        ),
        st.sampled_from(
            (
                "status",
                "utilization",
                "reset",
                "used-percent",
                "window-minutes",
                "reset-at",
                "requests-day",
                "limit",
                "month",
            )
        ),
    ),
    st.sampled_from(("x-quota-snapshot-chat", f"{UNIFIED}status", f"{UNIFIED}reset", "x-ratelimit-limit")),
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(("rejected", "allowed", "6m0s", "1e308", "ent=1&rem=nan", "ent=1e308&rem=5", "0", "1", "100")),
)


@given(st.dictionaries(NAMES, VALUES, max_size=12), st.booleans())
def test_whatever_headers_say_a_share_is_a_share(headers: dict[str, str], refused: bool) -> None:
    for one in told(headers, NOW, refused=refused).allowances:
        assert 0 <= one.share <= 1
        assert isfinite(one.believed_until)
        assert one.believed_until >= 0
        assert one.resets is None or (isfinite(one.resets) and one.resets >= 0)
