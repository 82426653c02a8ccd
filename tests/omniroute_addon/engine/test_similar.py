"""The semantic tier beside the network: what it tells, whose answers it gives, what a broken store costs."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.config.caching import Semantic
from omniroute_addon.engine import similar
from omniroute_addon.engine.call import SHUTDOWN
from omniroute_addon.engine.kept import Kept
from omniroute_addon.engine.likeness import Question
from omniroute_addon.engine.neighbours import Nearest, Neighbour, Neighbours
from omniroute_addon.engine.similar import Seeking, Similar, targets_of, told
from omniroute_addon.engine.wording import Wording
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate, Excluded
from omniroute_addon.routing.plan import Plan
from tests.omniroute_addon.engine.stage import Stage, Watched, claude, scene
from tests.omniroute_addon.loopback import Provider

RULES = Semantic(embeddings="a/m", threshold=0.95)
VECTOR = b"\0\0\x80?" * 4
SNAPSHOT = """\
version: 1
providers: {a: {base_url: "http://127.0.0.1:1/v1/chat/completions"}}
routes: [{match: {model: m}, to: a/m, cache: semantic}, {match: {model: n}, to: a/m}]
cache: {enabled: true, persist: PERSIST, semantic: {embeddings: a/e}}
"""


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path / "home"))


def snapshot(*, persist: bool = False, more: str = "") -> Snapshot:
    return parse(SNAPSHOT.replace("PERSIST", str(persist).lower()) + more, None, env={})


def tier(rules: Snapshot) -> Similar:
    nobody: Any = SimpleNamespace()
    return Similar(rules, nobody, nobody, lambda: None)


async def keep(one: Similar, scope: str = "s") -> None:
    """An answer whose vector is there at once, until it is kept."""
    vector: asyncio.Task[bytes | None] = asyncio.create_task(asyncio.sleep(0, VECTOR))
    kept = Kept("k", "null", "openai-chat", "application/json", b"{}", False, _now(), "a/m")
    one.keep(scope, vector, lambda found: Neighbour(kept, scope, found, "exchange"))


def _now() -> float:
    return similar.time.time()


def test_a_similarity_is_never_rounded_up_to_the_threshold() -> None:
    assert told(Nearest(0.949999, "x", None), RULES)["similarity"] == 0.9499


def test_targets_that_only_rest_may_have_answered() -> None:
    plan = Plan(
        "routes[0]",
        candidates=(Candidate("a/m", None, "m", None),),
        excluded=(
            Excluded("b/m", None, "rests", 9.0),
            Excluded("c/m", None, "no"),
            Excluded("d/m", None, "no", 9.0, "p"),
        ),
    )
    assert targets_of(plan) == {"a/m", "b/m"}


def test_only_routes_that_opted_in_are_covered_while_the_cache_is_on() -> None:
    async def main() -> None:
        one = tier(snapshot())
        assert [one.covers(Plan(f"routes[{number}]")) for number in (0, 1)] == [True, False]
        one.use(parse(SNAPSHOT.replace("PERSIST", "false").replace("enabled: true", "enabled: false"), None, env={}))
        assert not one.covers(Plan("routes[0]"))
        await one.stop()
        await one.stop()

    asyncio.run(main())


def test_what_is_being_kept_is_waited_for() -> None:
    async def main() -> None:
        one = tier(snapshot())
        assert not await one.knows("s")
        await keep(one)
        assert await one.knows("s")
        assert not await one.knows("other")
        found = await one.nearest("s", VECTOR, RULES, frozenset(["a/m"]))
        assert found is not None
        assert found.neighbour is not None
        assert one.figures["stored"] == one.figures["entries"] == 1
        await one.stop()

    asyncio.run(main())


def test_other_rules_take_effect_on_what_is_kept() -> None:
    async def main() -> None:
        one = tier(snapshot())
        await keep(one)
        assert await one.knows("s")
        one.use(snapshot(persist=True))
        assert not await one.knows("s")
        await keep(one)
        await one.stop()
        again = tier(snapshot(persist=True))
        assert await again.knows("s")
        await again.stop()

    asyncio.run(main())


def test_a_store_that_cannot_be_used_is_told_once_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path / "a file"))

    async def main() -> None:
        one = tier(snapshot(persist=True))
        assert not await one.knows("s")
        assert await one.nearest("s", VECTOR, RULES, frozenset(["a/m"])) is None
        await keep(one)
        await one.stop()
        assert one.figures["stored"] == 0

    asyncio.run(main())
    assert caplog.text.count("the semantic cache cannot be used") == 1


def test_a_wheel_that_does_not_fit_the_machine_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def absent(_tier: Similar) -> Neighbours:
        raise ImportError("no such symbol")

    monkeypatch.setattr(Similar, "_open", absent)

    async def main() -> None:
        one = tier(snapshot())
        assert not await one.knows("s")
        assert not await one.knows("s")
        await one.stop()

    asyncio.run(main())
    assert caplog.text.count("the semantic cache cannot be used: no such symbol") == 1


def test_a_file_that_proves_to_be_damaged_is_replaced_while_it_is_used() -> None:
    async def main() -> None:
        one = tier(snapshot(persist=True))
        await keep(one)
        assert await one.knows("s")
        assert one._store is not None
        path = one._store.path
        assert path is not None
        broken = iter([apsw.CorruptError("a page")])

        def damaged(store: Neighbours) -> int:
            for error in broken:
                raise error
            return store.figures()[0]

        assert await one._on_disk(damaged) == 0
        assert [*path.parent.glob("semantic.db.damaged-*")]
        await one.stop()

    asyncio.run(main())


def test_what_goes_wrong_is_told_without_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    similar.log_without_text("it failed", ValueError("the user said: canary"))
    assert "it failed, a defect of OmniRoute: ValueError" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("stops", [True, False], ids=["the proxy stops", "the client leaves"])
def test_a_call_that_ends_while_it_is_looked_up_is_answered_or_entered(stops: bool) -> None:
    async def main(on: Stage, *_providers: Provider) -> None:
        looking = asyncio.Event()

        async def knows(_scope: str) -> bool:
            looking.set()
            return await asyncio.Event().wait()

        somebody: Any = SimpleNamespace(knows=knows)
        asked = Question("k", "null", Wording("s", "text"))
        ask = Ask("claude-code", "anthropic-messages")
        exchange = on.exchange(claude())
        seeking = Seeking(exchange, asked, snapshot(), ask, Watched(), somebody, lambda _kept: True)
        task = asyncio.create_task(seeking.run(on.sink))
        await looking.wait()
        task.cancel(*[SHUTDOWN] if stops else [])
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(found, asyncio.CancelledError) is not stops
        assert (on.sink.status, on.sink.ended) == ((529, "finished") if stops else (None, None))
        assert seeking.record.outcome == ("failed: OmniRoute was stopped" if stops else "client left")
        assert on.observer.told == ["exchange ended"]

    scene(main, [], [])
