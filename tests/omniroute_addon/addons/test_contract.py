"""The inner parts of mitmproxy are used with the mitmproxy that we were written against, and with no other."""

import logging
from dataclasses import replace

import pytest
from mitmproxy.addonmanager import AddonManager
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.test import taddons

from omniroute_addon.addons import contract, dispatch, heads
from omniroute_addon.addons.contract import HEADS, SHORT_WAY, Contract
from tests.omniroute_addon.loopback import run


@pytest.mark.parametrize("one", [SHORT_WAY, HEADS])
def test_the_installed_mitmproxy_is_one_that_we_were_written_against(one: Contract) -> None:
    """When this fails: read what changed in ``modules``, run everything with it, then add its digest."""
    assert one.found() in one.digests


def test_with_any_other_mitmproxy_its_own_parts_are_used_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with taddons.context(loadcore=False) as context:
            manager = context.master.addons
            before = type(manager)
            for _ in range(2):
                assert not dispatch.install(manager)
            assert type(manager) is before
            assert isinstance(manager, AddonManager)

    monkeypatch.setattr(contract, "SHORT_WAY", replace(SHORT_WAY, digests=("of another",)))
    with caplog.at_level(logging.INFO):
        run(main)
    assert [record.message.count("slower") for record in caplog.records if record.name == contract.__name__] == [1]


def test_heads_are_left_to_another_mitmproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "HEADS", replace(HEADS, digests=("of yet another",)))
    monkeypatch.setattr(Http1Server, "read_headers", stocks := lambda *_: iter(()))
    heads.bound()
    assert Http1Server.read_headers is stocks
