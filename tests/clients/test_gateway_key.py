"""Claude Code with the gateway as its base URL: a gateway key lets it in, a wrong one is told at once."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.agent import NOTE, agent
from tests.clients.launch import TOKEN, TOOL_SECONDS
from tests.e2e.targets import targets
from tests.servers.provider import Provider
from tests.servers.proxy import environment, running

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]

KEY = "key-of-ci-0123456789"
RULES = f"keys: [{{name: ci, key: {KEY}}}]\naliases: {{'claude-*': up-openai-chat/m}}\n"


@pytest.mark.parametrize("key, code, callers", [(KEY, 0, {("claude-code", "ci")}), ("a-wrong-key-012345", 1, set())])
def test_the_gateway_asks_it_for_its_key(
    key: str, code: int, callers: set[tuple[str, str]], clients: Path, tmp_path: Path, provider: Provider
) -> None:
    provider.otherwise = agent
    work, place = tmp_path / "work", tmp_path / "proxy"
    work.mkdir()
    place.mkdir()
    (work / NOTE).write_text(f"{TOKEN}\n")
    with running(place, targets(up=provider) + RULES) as proxy:
        tool = {"HOME": str(work), "ANTHROPIC_BASE_URL": proxy.gateway, "ANTHROPIC_AUTH_TOKEN": key, "IS_SANDBOX": "1"}
        done = subprocess.run(
            [clients / "claude", "-p", "Read the note", "--dangerously-skip-permissions"],
            env=environment(proxy.home, {**tool, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}),
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            check=False,
        )
        assert proxy.stop() == 0
        with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
            assert set(books.execute("SELECT client, key FROM exchanges")) == callers
    assert (done.returncode, TOKEN in done.stdout) == (code, code == 0), done.stdout + done.stderr
    assert not any(KEY in f"{call.headers}{call.body!r}" for call in provider.received)
