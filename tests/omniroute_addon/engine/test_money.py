"""What an attempt has cost: as its provider reported, and estimated where it could not report."""

from dataclasses import replace
from typing import Any

import pytest

from omniroute_addon.config import parse
from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.money import Money
from omniroute_addon.ledger.budgets import Reservation
from omniroute_addon.ledger.prices import Cost
from omniroute_addon.ledger.record import AttemptRecord, Tape
from omniroute_addon.routing.ask import Ask, Told
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.state import BudgetBlock
from tests.servers.answers import Answer, events, whole
from translators.hub import Stop, Usage

NOW = 1_780_000_000.0
PRICES = "version: 1\nprices: {glm-4.7: {input: 1, output: 2}}\n"
BUDGET = "budgets: [{name: b, daily: 0.001}]\n"
ASK = Ask("claude-code", "anthropic-messages", "claude-opus-4-6", facts=Told(tokens=100, max_output=50))
SAID = Answer(pieces=("a" * 40,) * 5, input_tokens=90, output_tokens=60)


def rules(more: str = "") -> Snapshot:
    return parse(PRICES + more, None, env={})


def money(more: str = "") -> Money:
    return Money(rules(more), NOW)


def candidate(model: str = "glm-4.7", provider: str = "glm") -> Candidate:
    return Candidate(f"{provider}/{model}", rules().providers[provider], model, None)


def attempt(**changes: Any) -> AttemptRecord:
    made = AttemptRecord(
        "a", 1, "glm/glm-4.7", None, "anthropic-messages", "POST", "http://x", (), b"", NOW, Tape(1 << 20)
    )
    made.provider, made.model, made.tier = "glm", "glm-4.7", "cheap"
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def held(on: Money, ask: Ask = ASK, model: str = "glm-4.7") -> Reservation:
    found = on.reserve(candidate(model), ask, NOW)
    assert isinstance(found, Reservation)
    return found


def settled(
    on: Money, one: AttemptRecord, ask: Ask = ASK, *, left: bool = False, model: str = "glm-4.7"
) -> Cost | None:
    on.settle(held(on, ask, model), one, ask, left=left)
    return one.cost


def stream_until(share: float) -> Tape:
    tape = Tape(1 << 20)
    data = b"".join(events("anthropic-messages", SAID, "m"))
    tape.add(data[: int(len(data) * share)])
    return tape


EVENT_STREAM = (("content-type", "text/event-stream"),)
ANSWERED: dict[str, Any] = {"used": True, "usage": Usage(input=100, output=10), "stop": Stop("end")}


def test_an_answer_costs_what_was_reported() -> None:
    assert settled(money(), attempt(**ANSWERED)) == Cost(120, estimated=False, source="override", worth=120)


def test_an_answer_that_broke_off_costs_what_came_of_it() -> None:
    one = attempt(
        used=True, usage=Usage(input=90, output=1), response_body=stream_until(0.7), response_headers=EVENT_STREAM
    )
    cost = settled(money(), one)
    assert cost is not None
    assert (one.usage.input, one.usage.estimated, cost.estimated) == (90, True, True)
    assert 10 < (one.usage.output or 0) <= 50


def test_a_call_that_the_client_left_costs_its_input() -> None:
    assert settled(money(), attempt(), left=True) == Cost(100, estimated=True, source="override", worth=100)


def test_an_error_costs_nothing() -> None:
    assert settled(money(), attempt(status=429)) is None


def test_an_error_after_tokens_were_reported_costs_them() -> None:
    cost = settled(money(), attempt(status=200, usage=Usage(input=100, output=0)))
    assert cost is not None
    assert cost.micro == 100


def test_counting_tokens_costs_nothing() -> None:
    ask = Ask("claude-code", "anthropic-messages", "m", operation="count")
    assert settled(money(BUDGET), attempt(used=True), ask) == Cost(0, estimated=False, source="free")


def test_an_answer_without_usage_counts_as_what_was_held_for_it() -> None:
    tape = Tape(1 << 20)
    tape.add(whole("anthropic-messages", SAID, "m"))
    cost = settled(money(BUDGET), attempt(used=True, stop=Stop("end"), response_body=tape))
    assert cost == Cost(125 + 100, estimated=True, source="reserved")


def test_a_model_without_a_price_has_an_unknown_cost() -> None:
    cost = settled(money(), attempt(**ANSWERED, model="odd"), model="odd")
    assert cost == Cost(None, estimated=False, source="unknown")


def test_what_was_held_is_free_again_when_the_attempt_is_over() -> None:
    on = money(BUDGET)
    settled(on, attempt(**ANSWERED))
    (bucket,) = on.budgets.buckets(NOW)
    assert (bucket.spent, bucket.reserved) == (120, 0)


def test_the_reservation_is_the_most_that_the_call_can_cost() -> None:
    assert held(money(BUDGET)).micro == 125 * 1 + 50 * 2


def test_the_policies_bound_lowers_the_reservation() -> None:
    found = money(BUDGET).reserve(candidate(), ASK, NOW, limit=10)
    assert isinstance(found, Reservation)
    assert found.micro == 125 + 20


def test_a_call_that_names_no_bound_is_reserved_with_the_model_s() -> None:
    ask = Ask("codex", "openai-chat", "m", facts=Told(tokens=100))
    found = money("budgets: [{name: b, daily: 5}]\n").reserve(candidate(), ask, NOW)
    assert isinstance(found, Reservation)
    assert found.micro == 125 + 2 * (candidate().profile.max_output or 16_384)


def test_a_cache_that_lasts_an_hour_is_reserved_for() -> None:
    on = money("budgets: [{name: b, daily: 5}]\n")
    five, hour = (
        on.reserve(candidate("claude-opus-4-6", "anthropic"), ASK, NOW, body=body)
        for body in (b"{}", b'{"cache_control": {"type": "ephemeral", "ttl": "1h"}}')
    )
    assert isinstance(five, Reservation)
    assert isinstance(hour, Reservation)
    assert hour.micro - five.micro == pytest.approx(125 * 5 * (2 - 1.25), abs=1)


@pytest.mark.parametrize(
    "form, body, answers",
    [
        ("openai-chat", b'{"n": 3}', 3),
        ("openai-chat", b'{"n": null}', 1),
        ("openai-chat", b"broken", 1),
        ("gemini", b'{"generationConfig": {"candidateCount": 2}}', 2),
        ("anthropic-messages", b'{"n": 3}', 1),
    ],
)
def test_several_answers_at_once_are_reserved_for(form: str, body: bytes, answers: int) -> None:
    found = money(BUDGET).reserve(candidate(), replace(ASK, format=form), NOW, body=body)
    assert isinstance(found, Reservation)
    assert found.micro == 125 + answers * 100


def test_no_budget_is_asked_what_a_call_may_cost() -> None:
    assert held(money("budgets: [{name: b, daily: 1, match: {client: codex}}]\n")).micro == 0


def test_a_budget_without_room_says_no() -> None:
    on = money(BUDGET)
    for _ in range(4):
        held(on)
    assert isinstance(on.reserve(candidate(), ASK, NOW), BudgetBlock)


def test_plans_know_what_is_used_up() -> None:
    on = money("budgets: [{name: b, daily: 0}]\n")
    assert on.over(candidate(), ASK, NOW) is not None
    assert money().over(candidate(), ASK, NOW) is None


def test_new_prices_and_budgets_hold_at_once_and_keep_what_is_spent() -> None:
    on = money()
    settled(on, attempt(**ANSWERED))
    on.use(parse("version: 1\nprices: {'*': {input: 5}}\n" + BUDGET, None, env={}), NOW)
    (bucket,) = on.budgets.buckets(NOW)
    assert bucket.spent == 120
    assert on.price(candidate(), NOW) == pytest.approx(3.75)
