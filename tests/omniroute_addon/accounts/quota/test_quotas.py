"""What is known of all accounts' quotas together."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from omniroute_addon.accounts.quota import Quotas
from omniroute_addon.accounts.quota.grammar import LONGEST
from omniroute_addon.accounts.quota.quotas import MAX_ACCOUNTS, MAX_WINDOWS, STRAGGLERS
from omniroute_addon.config.governance import Quota, Window
from omniroute_addon.config.models import Account, Provider
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.state import QuotaLeft
from translators.hub import JSON, Failure

NOW = 1_767_225_600.0
PROVIDER = Provider("claude", "Claude", "http://127.0.0.1/v1/messages", "anthropic-messages")
MAIN = Candidate("claude/claude-sonnet-4-5", PROVIDER, "claude-sonnet-4-5", Account("main", "claude", SecretStr("k")))
OPUS = replace(MAIN, target="claude/claude-opus-4-6", model="claude-opus-4-6")
KEY = MAIN.account_key
UNIFIED = "anthropic-ratelimit-unified-"


def codex(used: float, resets: float) -> list[tuple[str, str]]:
    return [
        ("X-Codex-Primary-Used-Percent", str(used)),
        ("X-Codex-Primary-Window-Minutes", "300"),
        ("X-Codex-Primary-Reset-At", str(int(resets))),
    ]


def rejected(claim: str, resets: float) -> list[tuple[str, str]]:
    return [
        (f"{UNIFIED}status", "rejected"),
        (f"{UNIFIED}representative-claim", claim),
        (f"{UNIFIED}reset", str(int(resets))),
    ]


REFUSED = Failure("quota", "This request would exceed your account's rate limit.", 429, retry_after=600)


def test_nothing_is_known_of_an_account_that_was_not_used() -> None:
    assert Quotas().left(MAIN, NOW) is None


def test_the_tightest_window_counts() -> None:
    quotas = Quotas()
    headers = [
        *codex(40, NOW + 600),
        ("x-codex-secondary-used-percent", "75"),
        ("x-codex-secondary-window-minutes", "10080"),
        ("x-codex-secondary-reset-at", str(int(NOW) + 6000)),
    ]
    quotas.learn(KEY, "codex", 200, headers, None, NOW)
    assert quotas.left(MAIN, NOW) == QuotaLeft(0.25, "week", NOW + 6000)


def test_a_window_that_is_gone_is_gone_until_its_reset() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, rejected("five_hour", NOW + 600), REFUSED, NOW)
    assert quotas.left(MAIN, NOW + 599) == QuotaLeft(0.0, "5h", NOW + 600)
    assert quotas.left(MAIN, NOW + 600) is None


def test_a_reset_that_is_not_told_again_is_still_known() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "codex", 200, codex(40, NOW + 600), None, NOW)
    quotas.learn(KEY, "codex", 200, codex(50, NOW + 600)[:2], None, NOW + 1)
    assert quotas.left(MAIN, NOW + 1) == QuotaLeft(0.5, "5h", NOW + 600)


def test_of_several_that_are_gone_the_last_reset_counts() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, rejected("five_hour", NOW + 600), REFUSED, NOW)
    quotas.learn(KEY, "claude", 429, rejected("seven_day", NOW + 9000), REFUSED, NOW)
    assert quotas.left(MAIN, NOW) == QuotaLeft(0.0, "week", NOW + 9000)


def test_the_week_of_one_model_leaves_the_others_alone() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, rejected("seven_day_opus", NOW + 600), REFUSED, NOW, model=OPUS.model)
    left = quotas.left(OPUS, NOW)
    assert left is not None
    assert left.gone
    assert quotas.left(MAIN, NOW) is None
    assert quotas.only_some_models(KEY, OPUS.model, NOW)
    assert not quotas.only_some_models(KEY, MAIN.model, NOW)


def test_limits_in_headers_are_the_models_own() -> None:
    quotas = Quotas()
    headers = [("x-ratelimit-limit-requests-day", "100"), ("x-ratelimit-remaining-requests-day", "0")]
    headers += [("x-ratelimit-reset-requests-day", "3600")]
    quotas.learn(KEY, "cerebras", 200, headers, None, NOW, model=OPUS.model)
    left = quotas.left(OPUS, NOW)
    assert left is not None
    assert (left.gone, left.resets) == (True, NOW + 3600)
    assert quotas.left(MAIN, NOW) is None


def test_openrouters_free_calls_leave_its_paid_models_alone() -> None:
    quotas = Quotas()
    headers: dict[str, JSON] = {
        "X-RateLimit-Limit": "50",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(NOW + 7200) * 1000),
    }
    raw: JSON = {"error": {"message": "", "metadata": {"headers": headers}}}
    failure = Failure("quota", "Rate limit exceeded: free-models-per-day", 429, raw=raw)
    free = replace(MAIN, model="z-ai/glm-4.5-air:free")
    quotas.learn(KEY, "openrouter", 429, [], failure, NOW, model=free.model)
    assert quotas.left(free, NOW) == QuotaLeft(0.0, "requests :free", NOW + 7200)
    assert quotas.left(MAIN, NOW) is None
    assert quotas.only_some_models(KEY, free.model, NOW)


def test_another_account_is_another_quota() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, rejected("five_hour", NOW + 600), REFUSED, NOW)
    assert quotas.left(replace(MAIN, account=Account("spare", "claude", SecretStr("k2"))), NOW) is None


def test_an_error_without_headers_is_believed_by_its_words() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, [], REFUSED, NOW)
    assert quotas.left(MAIN, NOW) == QuotaLeft(0.0, "quota", NOW + 600)


def test_a_throttle_takes_no_quota() -> None:
    quotas = Quotas()
    headers = [(f"{UNIFIED}status", "allowed"), ("retry-after", "3")]
    quotas.learn(KEY, "claude", 429, headers, Failure("rate_limit", "slow down", 429, retry_after=3), NOW)
    assert quotas.left(MAIN, NOW) is None


def test_a_pace_of_seconds_is_no_quota() -> None:
    quotas = Quotas()
    headers = [("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "0")]
    quotas.learn(KEY, "openai", 200, [*headers, ("x-ratelimit-reset-requests", "60s")], None, NOW)
    assert quotas.left(MAIN, NOW) is None
    assert [one.window for one in quotas.windows(KEY, NOW)] == ["minute requests"]


def test_an_answer_from_before_the_end_does_not_open_a_window_again() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "codex", 429, codex(100, NOW + 600), REFUSED, NOW)
    quotas.learn(KEY, "codex", 200, codex(99, NOW + 600), None, NOW + 1)
    left = quotas.left(MAIN, NOW + 1)
    assert left is not None
    assert left.gone


def test_a_later_answer_does() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "codex", 429, codex(100, NOW + 600), REFUSED, NOW)
    quotas.learn(KEY, "codex", 200, codex(50, NOW + 600), None, NOW + STRAGGLERS)
    assert quotas.left(MAIN, NOW + STRAGGLERS) == QuotaLeft(0.5, "5h", NOW + 600)


def test_a_window_that_its_provider_calls_open_is_open() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, rejected("five_hour", NOW + 6000), REFUSED, NOW)
    quotas.learn(KEY, "claude", 200, [(f"{UNIFIED}5h-status", "allowed")], None, NOW + STRAGGLERS)
    assert quotas.left(MAIN, NOW + STRAGGLERS) is None


# ── counted ─────────────────────────────────────────────────────────────────────────────────────────────────────────

RULES = Quota(windows=(Window(window="day", requests=4),))
COUNTED = replace(MAIN, account=Account("main", "claude", SecretStr("k"), quota=RULES))


def test_calls_are_counted_by_the_accounts_rules() -> None:
    quotas = Quotas()
    quotas.count(KEY, RULES, NOW)
    assert quotas.left(COUNTED, NOW) == QuotaLeft(0.75, "day requests", NOW + 86400)


GUESS = Quota(windows=(Window(window="day", requests=1, firm=False),))


def test_a_published_figure_is_no_firm_end() -> None:
    quotas, account = Quotas(), Account("main", "claude", SecretStr("k"), quota=GUESS)
    quotas.count(KEY, GUESS, NOW)
    assert quotas.left(replace(MAIN, account=account), NOW) == QuotaLeft(0.0, "day requests", NOW + 86400, firm=False)


def test_a_firm_end_goes_before_a_published_figure() -> None:
    quotas, account = Quotas(), Account("main", "claude", SecretStr("k"), quota=GUESS)
    quotas.count(KEY, GUESS, NOW)
    quotas.learn(KEY, "claude", 429, rejected("five_hour", NOW + 600), REFUSED, NOW)
    assert quotas.left(replace(MAIN, account=account), NOW) == QuotaLeft(0.0, "5h", NOW + 600)


def test_a_reserve_that_is_firm_goes_before_a_published_figure() -> None:
    rules = Quota(windows=GUESS.windows, keep=0.5)
    quotas, account = Quotas(), Account("main", "claude", SecretStr("k"), quota=rules)
    quotas.count(KEY, rules, NOW)
    quotas.learn(KEY, "codex", 200, codex(60, NOW + 600), None, NOW)
    assert quotas.left(replace(MAIN, account=account), NOW) == QuotaLeft(0.4, "5h", NOW + 600)


def test_the_providers_rules_hold_for_the_clients_own_call() -> None:
    quotas = Quotas()
    own = replace(MAIN, account=None, origin=True, provider=replace(PROVIDER, quota=RULES))
    for _ in range(4):
        quotas.count(own.account_key, RULES, NOW)
    left = quotas.left(own, NOW)
    assert left is not None
    assert left.gone


def test_tokens_are_counted_when_they_are_known() -> None:
    rules, quotas = Quota(windows=(Window(window="day", tokens=1000),)), Quotas()
    quotas.count(KEY, rules, NOW)
    quotas.count(KEY, rules, NOW, requests=0, tokens=900)
    account = Account("main", "claude", SecretStr("k"), quota=rules)
    left = quotas.left(replace(MAIN, account=account), NOW)
    assert left is not None
    assert left.share == pytest.approx(0.1)


def test_without_rules_nothing_is_counted() -> None:
    quotas = Quotas()
    quotas.count(KEY, Quota(), NOW)
    assert quotas.accounts() == ()


def test_people_see_all_windows() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "codex", 200, codex(40, NOW + 600), None, NOW)
    quotas.count(KEY, RULES, NOW)
    assert [(one.window, one.share, one.source) for one in quotas.windows(KEY, NOW)] == [
        ("5h", 0.6, "headers"),
        ("day requests", 0.75, "counted"),
    ]
    assert quotas.accounts() == (KEY,)


# ── kept ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restart_keeps_everything() -> None:
    before, after = Quotas(), Quotas()
    before.learn(KEY, "codex", 200, codex(40, NOW + 600), None, NOW)
    before.count(KEY, RULES, NOW)
    after.load(orjson.loads(orjson.dumps(before.dump())))
    assert after.windows(KEY, NOW) == before.windows(KEY, NOW)
    assert after.left(COUNTED, NOW) == before.left(COUNTED, NOW)


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {"told": 1, "counted": {}},
        {"told": {"a": [{"share": "x"}, 3]}, "counted": {"b": {"rules": {"z": 1}, "counts": {}}}},
    ],
)
def test_a_state_that_cannot_be_read_is_left_out(state: object) -> None:
    quotas = Quotas()
    quotas.load(state)  # pyright: ignore[reportArgumentType]
    assert quotas.left(MAIN, NOW) is None


def test_a_reset_forgets_one_account_or_all() -> None:
    quotas = Quotas()
    for key in (KEY, "other"):
        quotas.learn(key, "codex", 200, codex(40, NOW + 600), None, NOW)
    quotas.reset(KEY)
    assert quotas.accounts() == ("other",)
    quotas.reset()
    assert quotas.accounts() == ()


def test_what_is_gone_is_not_forgotten_for_paces() -> None:
    quotas = Quotas()
    quotas.learn(KEY, "claude", 429, rejected("five_hour", NOW + 600), REFUSED, NOW)
    pace = [
        (f"x-ratelimit-{name}-requests", value)
        for name, value in (("limit", "9"), ("remaining", "5"), ("reset", "30s"))
    ]
    for number in range(MAX_WINDOWS * 2):
        quotas.learn(KEY, "x", 200, pace, None, NOW + 1, model=f"m{number}")
    assert quotas.left(MAIN, NOW + 1) == QuotaLeft(0.0, "5h", NOW + 600)


def test_memory_is_bounded() -> None:
    quotas = Quotas()
    many = [
        pair for n in range(99) for pair in ((f"x-ratelimit-limit-a{n}", "9"), (f"x-ratelimit-remaining-a{n}", "5"))
    ]
    quotas.learn(KEY, "x", 200, many, None, NOW)
    for number in range(MAX_ACCOUNTS + 10):
        quotas.learn(f"a{number}", "codex", 200, codex(40, NOW + 600), None, NOW + number)
    assert len(quotas.accounts()) <= MAX_ACCOUNTS
    quotas.learn("z", "x", 200, many, None, NOW + 9999)
    assert len(quotas.windows("z", NOW)) <= MAX_WINDOWS


HEADERS = st.tuples(
    st.sampled_from(
        (
            f"{UNIFIED}status",
            f"{UNIFIED}reset",
            f"{UNIFIED}5h-status",
            f"{UNIFIED}7d_opus-utilization",
            "x-codex-primary-used-percent",
            "X-RateLimit-Remaining",
            "x-ratelimit-limit",
            "x-ratelimit-reset",
            "x-ratelimit-limit-requests-day",
            "x-ratelimit-remaining-requests-day",
            "x-quota-snapshot-chat",
        )
    ),
    st.one_of(
        st.text(max_size=20), st.floats().map(str), st.sampled_from(("rejected", "allowed", "0", "1", "100", "6m0s"))
    ),
)
FAILURES = st.builds(
    Failure,
    st.sampled_from(("quota", "rate_limit", "overloaded")),
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(("free-models-per-day", "reset after 99999999h", "per day", "on this model")),
    ),
    retry_after=st.none() | st.floats(min_value=0, max_value=1e9) | st.sampled_from((0.0, LONGEST + 1, 1e300)),
    raw=st.none() | st.dictionaries(st.sampled_from(("error", "details", "metadata")), st.none() | st.text(max_size=5)),
)
ANSWERS = st.tuples(st.lists(HEADERS, max_size=8), st.none() | FAILURES, st.floats(min_value=0, max_value=1e6))


@given(st.lists(ANSWERS, max_size=6))
def test_whatever_providers_say_a_share_is_a_share_and_every_end_is_in_time(
    answers: list[tuple[list[tuple[str, str]], Failure | None, float]],
) -> None:
    quotas, now = Quotas(), NOW
    for headers, failure, seconds in answers:
        now += seconds
        quotas.learn(KEY, "gemini", 429 if failure else 200, headers, failure, now, model=OPUS.model)
        left = quotas.left(OPUS, now)
        assert left is None or 0 <= left.share <= 1
        if left is not None and left.gone:
            assert left.resets is not None
            assert now < left.resets <= now + LONGEST
    again = Quotas()
    again.load(orjson.loads(orjson.dumps(quotas.dump())))
    assert again.windows(KEY, now) == quotas.windows(KEY, now)
