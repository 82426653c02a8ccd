"""What lives as long as the proxy."""

import asyncio

from omniroute_addon.config import parse
from omniroute_addon.engine.engine import Engine
from omniroute_addon.routing.plan import Plan
from tests.omniroute_addon.engine.stage import Watched, claude
from tests.omniroute_addon.loopback import run

RULES = parse("version: 1", None, env={})
OTHER = parse("{version: 1, limits: {inline_wait: 1}}", None, env={})


def test_every_host_of_the_surfaces_is_opened() -> None:
    engine = Engine(RULES)
    assert "api.anthropic.com" in engine.hosts
    assert not engine.uncovered


def test_a_host_that_the_ca_may_not_sign_is_not_opened() -> None:
    engine = Engine(RULES, frozenset(["api.openai.com", "example.org"]))
    assert engine.hosts == {"api.openai.com"}
    assert "api.anthropic.com" in engine.uncovered


def test_an_exchange_keeps_the_configuration_it_started_with() -> None:
    async def main() -> None:
        engine = Engine(RULES)
        engine.start()
        exchange = engine.exchange(claude(), Plan("none"), Watched())
        engine.use(OTHER)
        assert exchange._snapshot is RULES
        assert engine.exchange(claude(), Plan("none"), Watched())._snapshot is OTHER
        await engine.stop()

    run(main)


def test_stopping_twice_is_one_stop() -> None:
    async def main() -> None:
        engine = Engine(RULES)
        engine.start()
        await asyncio.gather(engine.stop(), engine.stop())
        await engine.stop()
        assert engine.stopping

    run(main)


def test_an_engine_that_never_started_can_be_stopped() -> None:
    run(Engine(RULES).stop)
