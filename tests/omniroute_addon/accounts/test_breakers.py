"""Circuit breakers: closed, open, half-open with exactly one probe."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from omniroute_addon.accounts.breakers import LONGEST, MAX_ENTRIES, PATIENT, QUIET, Breakers, limits_for
from omniroute_addon.accounts.health import SET_BACK
from omniroute_addon.config.governance import Breaker, Resilience
from omniroute_addon.config.models import Provider
from translators.hub import JSON

LIMITS = Breaker(failures=3, reset=30)
KEY = "glm"


def opened(now: float = 0.0, times: int = 1) -> Breakers:
    """A breaker that has opened at ``now`` for the first time, then as often as its probe failed."""
    breakers = Breakers()
    for _ in range(LIMITS.failures):
        breakers.failed(KEY, None, LIMITS, "500 server", now)
    for _ in range(times - 1):
        fail_probe(breakers)
    return breakers


def fail_probe(breakers: Breakers) -> float:
    """The probe goes out as soon as it may, and fails; for how many seconds it is open then."""
    until = float(breakers.dump()[0]["until"])  # type: ignore[index, arg-type, call-overload]
    call = object()
    breakers.enter([KEY], call, until)
    breakers.failed(KEY, call, LIMITS, "500 server", until)
    breakers.leave(call)
    return breakers.opened(until)[0].until - until


def test_it_is_closed_at_first() -> None:
    breakers = Breakers()
    assert (breakers.state(KEY, 0), breakers.open([KEY], 0), breakers.probed([KEY], 0)) == ("closed", None, None)


def test_it_opens_at_the_threshold() -> None:
    breakers, seen = Breakers(), []
    for now in range(LIMITS.failures):
        breakers.failed(KEY, None, LIMITS, "why", now)
        seen.append(breakers.state(KEY, now))
    assert seen == ["closed", "closed", "open"]


def test_a_success_begins_the_row_again() -> None:
    breakers = Breakers()
    for _ in range(LIMITS.failures - 1):
        breakers.failed(KEY, None, LIMITS, "why", 0)
    breakers.succeeded([KEY])
    breakers.failed(KEY, None, LIMITS, "why", 0)
    assert breakers.state(KEY, 0) == "closed"


def test_old_failures_are_no_row() -> None:
    breakers = Breakers()
    for _ in range(LIMITS.failures - 1):
        breakers.failed(KEY, None, LIMITS, "why", 0)
    breakers.failed(KEY, None, LIMITS, "why", QUIET + 1)
    assert breakers.state(KEY, QUIET + 1) == "closed"


def test_it_is_half_open_after_its_time() -> None:
    breakers = opened()
    assert (breakers.state(KEY, 29.9), breakers.state(KEY, 30)) == ("open", "half-open")


def test_the_reason_says_how_often_since_when_and_what_comes() -> None:
    breakers = Breakers()
    for now in (0, 30, 60):
        breakers.failed(KEY, None, LIMITS, "500 server", now)
    found = breakers.open([KEY], 60)
    assert found is not None
    assert found.reason.startswith("the breaker of glm is open: 3 failures in 60 s (500 server); one probe at ")


def test_one_probe_is_let_through() -> None:
    breakers = opened()
    before = breakers.probed([KEY], 30)
    breakers.enter([KEY], object(), 30)
    assert (before, breakers.probed([KEY], 30)) == (None, KEY)


def test_the_probes_success_closes() -> None:
    breakers, call = opened(), object()
    breakers.enter([KEY], call, 30)
    breakers.succeeded([KEY])
    breakers.leave(call)
    assert breakers.state(KEY, 30) == "closed"


def test_the_probes_failure_opens_again() -> None:
    breakers = opened()
    fail_probe(breakers)
    assert (breakers.state(KEY, 59), breakers.state(KEY, 60)) == ("open", "half-open")


def test_a_probe_that_the_client_leaves_makes_room_for_the_next() -> None:
    breakers, call = opened(), object()
    breakers.enter([KEY], call, 30)
    breakers.leave(call)
    assert (breakers.state(KEY, 30), breakers.probed([KEY], 30)) == ("half-open", None)


def test_a_call_from_before_cannot_fail_the_probe() -> None:
    breakers = opened()
    breakers.enter([KEY], object(), 30)
    breakers.failed(KEY, object(), LIMITS, "late", 31)
    assert (breakers.state(KEY, 31), breakers.probed([KEY], 31)) == ("half-open", KEY)


def test_failures_while_it_is_open_do_not_make_it_longer() -> None:
    breakers = opened()
    breakers.failed(KEY, object(), LIMITS, "late", 29)
    assert breakers.state(KEY, 30) == "half-open"


def test_a_probe_that_fails_again_and_again_is_sent_less_often() -> None:
    breakers = opened()
    lengths = [fail_probe(breakers) / LIMITS.reset for _ in range(8)]
    assert lengths == [1, 1, 2, 4, 8, 16, 16, 16]
    assert (PATIENT, LONGEST) == (3, 16)


def test_an_opening_that_nobody_tests_is_forgotten() -> None:
    assert opened().state(KEY, 30 + QUIET + 1) == "closed"


def test_a_provider_and_its_targets_are_independent() -> None:
    breakers = Breakers()
    for _ in range(LIMITS.failures):
        breakers.failed("glm/x", None, LIMITS, "why", 0)
    assert (breakers.open(["glm", "glm/y"], 0), breakers.open(["glm", "glm/x"], 0) is None) == (None, False)


def test_a_reset_closes() -> None:
    breakers = opened()
    breakers.reset(KEY)
    assert breakers.opened(0) == ()


def test_a_restart_keeps_what_is_open() -> None:
    before, after = opened(times=4), Breakers()
    after.load(before.dump(), 100, 3600)
    assert after.opened(100) == before.opened(100)


def test_a_restart_forgets_the_probe_that_was_under_way() -> None:
    before, after = opened(), Breakers()
    before.enter([KEY], object(), 30)
    after.load(before.dump(), 31, 3600)
    assert (after.state(KEY, 31), after.probed([KEY], 31)) == ("half-open", None)


NONSENSE: list[JSON] = [
    None,
    "x",
    [{}],
    [{**opened().dump()[0], "until": 1e12}],  # type: ignore[dict-item]
    [{**opened().dump()[0], "last": 1e12}],  # type: ignore[dict-item]
    [{**opened().dump()[0], "until": float("nan")}],  # type: ignore[dict-item]
    [{**opened().dump()[0], "failures": "many"}],  # type: ignore[dict-item]
]


@pytest.mark.parametrize("state", NONSENSE)
def test_what_cannot_be_true_is_not_loaded(state: JSON) -> None:
    breakers = Breakers()
    breakers.load(state, 10, 3600)
    assert breakers.opened(10) == ()


def test_memory_is_bounded() -> None:
    breakers = Breakers()
    for number in range(MAX_ENTRIES * 2):
        breakers.failed(f"t{number}", None, Breaker(failures=1, reset=30), "why", 0)
    assert len(breakers.opened(0)) <= MAX_ENTRIES


def provider(**given: object) -> Provider:
    values = {"id": "p", "name": "P", "base_url": "https://p.example/v1", "format": "openai-chat"} | given
    return Provider(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked, origin, profile",
    [
        (provider(), False, "api_key"),
        (provider(tier="free"), False, "api_key"),
        (provider(tier="subscription"), False, "subscription"),
        (provider(login=True), False, "subscription"),
        (provider(), True, "subscription"),
        (provider(base_url="http://127.0.0.1:8000/v1"), False, "local"),
        (provider(base_url="http://localhost:8000/v1"), True, "local"),
        (None, True, "subscription"),
    ],
)
def test_the_thresholds_follow_the_kind_of_provider(asked: Provider | None, profile: str, *, origin: bool) -> None:
    resilience = Resilience()
    assert limits_for(resilience, asked, origin=origin) == getattr(resilience, profile)


def test_breakers_can_be_switched_off() -> None:
    assert limits_for(Resilience(enabled=False), provider(), origin=False) is None


class Circuit(RuleBasedStateMachine):
    """Calls begin, succeed, fail and are left in any order while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.breakers = Breakers()
        self.now = 0.0
        self.calls: list[object] = []
        self.probes: set[int] = set()

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breakers.open([KEY], self.now) is None)
    @precondition(lambda self: self.breakers.probed([KEY], self.now) is None)
    @rule()
    def a_call_begins(self) -> None:
        call = object()
        if self.breakers.state(KEY, self.now) == "half-open":
            self.probes.add(id(call))
        self.breakers.enter([KEY], call, self.now)
        self.calls.append(call)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_fails(self, data: st.DataObject) -> None:
        call = self._ended(data)
        before = self.breakers.state(KEY, self.now)
        self.breakers.failed(KEY, call, LIMITS, "why", self.now)
        if id(call) in self.probes and before == "half-open":
            assert self.breakers.state(KEY, self.now) == "open"
        elif before != "closed":
            assert self.breakers.state(KEY, self.now) == before
        self._left(call)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_succeeds(self, data: st.DataObject) -> None:
        call = self._ended(data)
        self.breakers.succeeded([KEY])
        self._left(call)
        assert self.breakers.state(KEY, self.now) == "closed"

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_client_leaves(self, data: st.DataObject) -> None:
        before = self.breakers.state(KEY, self.now)
        self._left(self._ended(data))
        assert self.breakers.state(KEY, self.now) == before

    @rule()
    def the_proxy_restarts(self) -> None:
        before = self.breakers.state(KEY, self.now)
        again = Breakers()
        again.load(self.breakers.dump(), self.now, 1e6)
        self.breakers, self.calls = again, []
        self.probes.clear()
        assert self.breakers.state(KEY, self.now) == before

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        if self.breakers.state(KEY, self.now) == "half-open":
            assert sum(id(call) in self.probes for call in self.calls) <= 1

    @invariant()
    def without_calls_nobody_waits_for_a_probe(self) -> None:
        assert self.calls or self.breakers.probed([KEY], self.now) is None

    def _ended(self, data: st.DataObject) -> object:
        return self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))

    def _left(self, call: object) -> None:
        self.breakers.leave(call)
        self.probes.discard(id(call))


Circuit.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCircuit = Circuit.TestCase


def test_a_clock_that_is_set_back_keeps_nothing_open() -> None:
    breakers = opened(1_000_000)
    assert breakers.state(KEY, 1_000_000 - SET_BACK) == "open"
    assert (breakers.state(KEY, 900_000), breakers.open([KEY], 900_000)) == ("closed", None)
    breakers.failed(KEY, None, LIMITS, "500 server", 900_000)
    assert breakers.state(KEY, 900_000) == "closed"
