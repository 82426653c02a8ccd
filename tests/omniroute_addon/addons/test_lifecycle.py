"""The addon starts and stops with mitmproxy and follows its rule file."""

import asyncio
from pathlib import Path

import pytest
from mitmproxy import exceptions
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons

from omniroute_addon.addons import lifecycle
from omniroute_addon.addons.lifecycle import OmniRoute
from omniroute_addon.config import load
from tests.omniroute_addon.loopback import run, within

RULES = "version: 1\nlimits: {inline_wait: %s}\n"


async def _until_wait_is(addon: OmniRoute, seconds: float) -> None:
    assert addon.engine is not None
    while addon.engine.snapshot.limits.inline_wait != seconds:  # noqa: ASYNC110  the addon has no event for it
        await asyncio.sleep(0)


def test_the_option_names_the_rule_file(tmp_path: Path) -> None:
    async def main() -> None:
        rules = tmp_path / "omniroute.yaml"
        rules.write_text(RULES % 7)
        with taddons.context(Proxyserver()) as context:
            addon = OmniRoute()
            context.master.addons.add(addon)
            context.configure(addon, omniroute_config=str(rules))
            assert addon.engine is not None
            assert addon.engine.snapshot.limits.inline_wait == 7
            assert (context.options.connection_strategy, context.options.upstream_cert) == ("lazy", False)
            await addon.done()

    run(main)


def test_errors_in_the_rule_file_are_mitmproxys_option_errors(tmp_path: Path) -> None:
    async def main() -> None:
        rules = tmp_path / "omniroute.yaml"
        rules.write_text("version: 1\nroutez: []\n")
        with taddons.context() as context:
            addon = OmniRoute()
            context.master.addons.add(addon)
            with pytest.raises(exceptions.OptionsError, match="routez"):
                context.configure(addon, omniroute_config=str(rules))

    run(main)


def test_changed_rules_are_used_and_broken_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifecycle, "POLL", 0.001)

    async def main() -> None:
        rules = tmp_path / "omniroute.yaml"
        rules.write_text(RULES % 7)
        with taddons.context():
            addon = OmniRoute(load(rules))
            await addon.running()
            rules.write_text(RULES % 8.5)
            await within(_until_wait_is(addon, 8.5))
            rules.write_text("version: 1\nroutez: []\n")
            while "routez" not in caplog.text:  # noqa: ASYNC110  nor for this
                await asyncio.sleep(0)
            rules.write_text(RULES % 9.25)
            await within(_until_wait_is(addon, 9.25))
            await addon.done()

    run(main)


def test_the_end_closes_the_relay(tmp_path: Path) -> None:
    async def main() -> None:
        rules = tmp_path / "omniroute.yaml"
        rules.write_text(RULES % 7)
        with taddons.context():
            addon = OmniRoute(load(rules))
            assert addon.engine is not None
            port = addon.engine.relay.ports[0]
            await addon.running()
            await addon.done()
            with pytest.raises(OSError, match="Connect"):
                await asyncio.open_connection("127.0.0.1", port)

    run(main)
