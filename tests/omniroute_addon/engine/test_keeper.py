"""What was learned outlives the process."""

import logging
from dataclasses import dataclass, field

import orjson
import pytest

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.keeper import Barred, Keeper
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.gateway.callers import Shown
from omniroute_addon.gateway.lockout import TRIES, Lockouts
from omniroute_addon.routing.plan import Plan
from tests.omniroute_addon.routing.rules import NOW, planned, snapshot
from translators.hub import Failure

RULES = snapshot("""
providers: {p: {format: openai-chat, base_url: 'https://p.example/v1/chat/completions'}}
accounts: [{name: one, provider: p, key: k1}, {name: two, provider: p, key: k2}]
routes: [{match: {client: claude-code}, to: p/m}]
resilience: {api-key: {failures: 1, reset: 30s}}
""")
ONE, TWO = planned(RULES).candidates
BROKEN = Verdict("next-target", "target", 2, "500 server")


@dataclass
class Shelf:
    """Keeps values as JSON, as the ledger does."""

    kept: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)

    def get_state(self, key: str) -> object:
        return orjson.loads(self.kept[key]) if key in self.kept else None

    def put_state(self, key: str, value: object) -> None:
        self.kept[key] = orjson.dumps(value)
        self.puts.append(key)


def standing(now: float = NOW) -> Standing:
    return Standing(lambda: RULES, lambda: now)


def restarted(shelf: Shelf, now: float = NOW + 1) -> Standing:
    again = standing(now)
    Keeper(shelf, again).load()
    return again


def kept(before: Standing, shelf: Shelf) -> Shelf:
    keeper = Keeper(shelf, before)
    before.changes += 1
    keeper.save()
    return shelf


def test_a_cooldown_outlives_the_process() -> None:
    before = standing()
    before.health.note(Verdict("next-account", "account", 60, "429 quota", 60), ONE, NOW)
    again = restarted(kept(before, Shelf()))
    assert (again.rest(ONE, NOW + 1), again.rest(TWO, NOW + 1)) == (before.rest(ONE, NOW + 1), None)


def test_an_open_breaker_outlives_the_process() -> None:
    before = standing()
    before.failed(None, ONE, BROKEN, Failure("server", "", 500), NOW, more=True)
    rest = restarted(kept(before, Shelf())).rest(ONE, NOW + 1)
    assert rest is not None
    assert rest.reason.startswith("the breaker of p")


def test_a_quota_outlives_the_process() -> None:
    before = standing()
    told = (("anthropic-ratelimit-unified-5h-status", "allowed"), ("anthropic-ratelimit-unified-5h-utilization", "0.9"))
    before.learned(ONE, 200, told, None, NOW)
    assert restarted(kept(before, Shelf())).quota(ONE, NOW + 1) == before.quota(ONE, NOW + 1)


def test_sessions_turns_and_uses_outlive_the_process() -> None:
    before = standing()
    before.chosen(Plan("routes[0]", session="s"), TWO)
    before.planned(Plan("routes[0]", turns=("combo:c",)))
    before.began(TWO)
    again = restarted(kept(before, Shelf()))
    assert (again.account_of("s", "p"), again.turn("combo:c")) == ("two", 1)
    assert (again.uses(TWO.target_key), again.last_used(TWO.target_key)) == (1, NOW)


def test_calls_under_way_end_with_their_process() -> None:
    before = standing()
    before.began(ONE)
    assert restarted(kept(before, Shelf())).in_flight(ONE.account_key) == 0


def test_nothing_is_written_when_nothing_has_changed() -> None:
    before, shelf = standing(), Shelf()
    keeper = Keeper(shelf, before)
    keeper.save()
    assert shelf.puts == []


def test_only_what_has_changed_is_written_again() -> None:
    before, shelf = standing(), Shelf()
    keeper = Keeper(shelf, before)
    before.began(ONE)
    keeper.save()
    shelf.puts.clear()
    before.planned(Plan("routes[0]", turns=("combo:c",)))
    keeper.save()
    assert shelf.puts == ["use"]


@pytest.mark.parametrize("part", ["health", "quota", "use", "sessions"])
@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "x",
        [],
        [7],
        {},
        {"cooldowns": 7, "breakers": [7]},
        {"told": 7},
        {"uses": {"a": 7}, "turns": {"b": "x"}},
    ],
    ids=str,
)
def test_nonsense_costs_nothing_but_what_was_learned(
    part: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    shelf.put_state(part, value)
    with caplog.at_level(logging.ERROR):
        again = restarted(shelf)
    assert (again.rest(ONE, NOW), again.quota(ONE, NOW), again.turn("b"), caplog.records) == (None, None, 0, [])


KEYED, REKEYED = (snapshot(f"keys: [{{name: me, key: {key}}}]") for key in ("0123456789abcdef", "fedcba9876543210"))


def _locked_out(shelf: Shelf, rules: Snapshot) -> bool:
    """Whether a restarted gateway with these rules still locks the address out."""
    lockouts = Lockouts()
    Keeper(shelf, Barred(lockouts, lambda: rules, lambda: NOW + 1)).load()
    return lockouts.until("10.0.0.1", NOW + 1, right=True) is not None


def test_a_lockout_outlives_the_process_unless_the_keys_are_others() -> None:
    lockouts, shelf = Lockouts(), Shelf()
    keeper = Keeper(shelf, standing(), Barred(lockouts, lambda: KEYED, lambda: NOW))
    for n in range(TRIES):
        lockouts.wrong("10.0.0.1", Shown(bytes([n])), NOW)
    keeper.save()
    assert shelf.puts == ["lockouts"]
    assert (_locked_out(shelf, KEYED), _locked_out(shelf, REKEYED)) == (True, False)


def test_a_lockout_that_was_lifted_is_kept_no_more() -> None:
    lockouts, shelf = Lockouts(), Shelf()
    keeper = Keeper(shelf, Barred(lockouts, lambda: KEYED, lambda: NOW))
    for n in range(TRIES):
        lockouts.wrong("10.0.0.1", Shown(bytes([n])), NOW)
    keeper.save()
    lockouts.lift()
    keeper.save()
    assert not _locked_out(shelf, KEYED)
