"""Calls are written down with the session that their client names, whatever becomes of them."""

import sqlite3
from contextlib import closing

import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import ask, post
from tests.servers.provider import Provider


@pytest.mark.parametrize("name", ["x-claude-code-session-id", "session-id", "x-session-id", "x-omniroute-session"])
def test_the_session_of_a_call_is_in_the_books(name: str, start_proxy: StartProxy, provider: Provider) -> None:
    proxy = start_proxy(
        f"providers: {{anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}}}\n"
        "routes: [{match: {model: '*'}, to: origin}]\n"
    )
    assert post(proxy, ask("anthropic-messages"), **{name.replace("-", "_"): "s-4711"}).status_code == 200
    assert proxy.stop() == 0
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        assert books.execute("SELECT session FROM exchanges").fetchall() == [("s-4711",)]
