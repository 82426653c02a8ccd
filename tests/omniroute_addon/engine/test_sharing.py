"""Which call gets whose answer; over HTTP in tests/e2e/test_sharing.py and test_cache.py."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.replayed import Joining, Leading, Repeating
from omniroute_addon.engine.sharing import STATE, Sharing
from omniroute_addon.ledger.ledger import Ledger
from omniroute_addon.routing import Ask
from tests.omniroute_addon.engine.stage import (
    CHAT_WHOLE,
    CLIENT_HEADERS,
    WHOLE,
    Collected,
    Stage,
    Watched,
    claude,
    scene,
)
from tests.omniroute_addon.loopback import Provider, answer

ASK = Ask("claude-code", "anthropic-messages")
COLD = WHOLE.replace(b'"max_tokens"', b'"temperature":0,"max_tokens"')
GOOD = answer(200, CHAT_WHOLE, "content-type: application/json")
ON = "cache: {enabled: true}"


class Figures:
    """A ledger's state."""

    def __init__(self) -> None:
        self.state: dict[str, object] = {}

    def get_state(self, key: str) -> object:
        return self.state.get(key)

    def put_state(self, key: str, value: object) -> None:
        self.state[key] = value


def on_stage(main: Callable[[Stage, Sharing], Awaitable[None]], more: str = "") -> None:
    async def whole(on: Stage, *_providers: Provider) -> None:
        sharing = Sharing(on.snapshot, Figures())
        sharing.start()
        await main(on, sharing)
        await sharing.stop()
        await sharing.stop()

    scene(whole, [GOOD, GOOD, GOOD], [], targets="a/m", more=more)


def taken(on: Stage, sharing: Sharing, call: Call) -> Exchange | Leading | Joining | Repeating:
    return sharing.share(on.exchange(call), ASK, Watched())


async def answered(on: Stage, sharing: Sharing, call: Call) -> None:
    """A call that goes out, to the end of its record."""
    lead = taken(on, sharing, call)
    assert isinstance(lead, Leading)
    await lead.run(Collected())
    await lead._flight.ended()


def errand(key: str = "k") -> Call:
    return claude(WHOLE, headers=(*CLIENT_HEADERS, ("idempotency-key", key)))


def test_an_ordinary_call_is_its_own() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        assert isinstance(taken(on, sharing, claude(COLD)), Exchange)
        assert isinstance(taken(on, sharing, claude(WHOLE)), Exchange)
        assert isinstance(taken(on, sharing, replace(errand(), operation="count")), Exchange)

    on_stage(main)


def test_a_call_that_is_refused_is_never_answered_by_another_s_answer() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        await answered(on, sharing, errand())
        refused = on.exchange(errand())
        refused.plan = replace(refused.plan, denied=object())  # type: ignore[arg-type]  # any block
        assert sharing.share(refused, ASK, Watched()) is refused

    on_stage(main)


def test_an_errand_is_led_joined_and_told_again() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        lead, join = taken(on, sharing, errand()), taken(on, sharing, errand())
        assert isinstance(lead, Leading)
        assert isinstance(join, Joining)
        assert isinstance(taken(on, sharing, errand("other")), Leading)
        await asyncio.gather(lead.run(Collected()), join.run(Collected()))  # who joins waits for the record's end
        assert isinstance(taken(on, sharing, errand()), Repeating)

    on_stage(main)


def test_a_flight_without_anybody_is_forgotten() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        first = taken(on, sharing, errand())
        first.abandon()
        assert isinstance(taken(on, sharing, errand()), Leading)

    on_stage(main)


def test_figures_are_kept_for_status() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        await answered(on, sharing, claude(COLD))
        assert isinstance(taken(on, sharing, claude(COLD)), Repeating)
        await sharing.stop()
        found = sharing._ledger.get_state(STATE)
        assert isinstance(found, dict)
        assert (found["hits"], found["misses"], found["stored"], found["entries"]) == (1, 1, 1, 1)

    on_stage(main, ON)


def test_rules_that_change_what_is_asked_make_answers_others() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        await answered(on, sharing, claude(COLD))
        for section, changed in (
            ("system_prompt", {"text": "Be brief."}),
            ("thinking", {"mode": "auto"}),
        ):
            other = parse(f"version: 1\n{ON}\n{section}: {changed}", None, env={})
            sharing.use(_with(on.snapshot, section, other))
            assert isinstance(taken(on, sharing, claude(COLD)), Leading), section
        sharing.use(on.snapshot)
        assert isinstance(taken(on, sharing, claude(COLD)), Repeating)

    on_stage(main, ON)


def test_a_target_at_another_address_is_another_target() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        await answered(on, sharing, claude(COLD))
        moved = replace(on.snapshot.providers["a"], base_url="http://127.0.0.1:9/v1/chat/completions")
        sharing.use(replace(on.snapshot, providers={**on.snapshot.providers, "a": moved}))
        assert isinstance(taken(on, sharing, claude(COLD)), Leading)

    on_stage(main, ON)


def test_switching_it_off_forgets_all() -> None:
    async def main(on: Stage, sharing: Sharing) -> None:
        await answered(on, sharing, claude(COLD))
        off = parse("version: 1", None, env={})
        sharing.use(_with(on.snapshot, "cache", off))
        assert isinstance(taken(on, sharing, claude(COLD)), Exchange)
        sharing.use(on.snapshot)
        assert isinstance(taken(on, sharing, claude(COLD)), Leading)

    on_stage(main, ON)


def test_the_ledger_is_where_figures_go() -> None:
    assert Sharing(parse("version: 1", None, env={}), Ledger(parse("version: 1", None, env={})))


def _with(snapshot: Snapshot, section: str, other: Snapshot) -> Snapshot:
    changed = snapshot.governance.model_copy(update={section: getattr(other.governance, section)})
    return replace(snapshot, governance=changed)
