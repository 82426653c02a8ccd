"""Every file of the data dir damaged once, after ``kill -9``: the proxy serves all the same, or says what to do."""

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from omniroute_addon.accounts.vault import Vault
from tests.e2e.calls import ask, post, post_gateway, spoken
from tests.e2e.targets import routes, targets
from tests.e2e.test_books import to_be_killed
from tests.e2e.test_restart import STEP, turn
from tests.servers.provider import Provider, serving
from tests.servers.proxy import running
from tests.servers.steps import Say, says

JUNK = b"\x00not what it was\n" * 50
ASKED = ask("openai-chat", "any")
ASKED.body["temperature"] = 0

SAYS = {
    "mitmproxy-ca-cert.cer": "was damaged and is written again",
    "mitmproxy-ca-cert.pem": "was damaged and is written again",
    "cache.db": "was damaged",
    "ledger.db": "was damaged",
    "memory.key": "cannot be read and are left out",
    "memory.log": "cannot be read and are left out",
    "vault.json": "vault.json: not JSON",
    "vault.key": "vault.key: not a key",
}
"""What is lost with a file is said; the others can be made again without a loss."""
STOPS = {"mitmproxy-ca.pem": "make a new CA with: omniroute ca rotate"}
"""Tools trust this one: nobody but its owner may replace it."""


def _rules(provider: Provider) -> str:
    vaulted = f"  vaulted: {{format: openai-chat, base_url: '{provider.url('openai-chat')}', auth: bearer}}\n"
    return (
        "cache: {enabled: true, persist: true}\n"
        + targets(up=provider)
        + vaulted
        + "accounts: [{name: one, provider: vaulted, key: {vault: one}}]\n"
        + routes("up-openai-chat/m", "vaulted/m")
    )


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, str]]:
    """The data dir that a killed proxy has left after some calls, and its rules, whose provider runs on."""
    place = tmp_path_factory.mktemp("used")
    home = place / "home"
    home.mkdir(mode=0o700)
    Vault(home).set("one", "a-key")
    with serving() as provider:
        rules = _rules(provider)
        with running(place, rules) as proxy:  # once to its end: the databases have what the first calls wrote
            post_gateway(proxy, ASKED)
            post(proxy, ASKED)
        provider.script(Say(STEP), says("Hello from upstream"))
        with to_be_killed(place, rules) as proxy:
            post_gateway(proxy, turn("openai-chat", "anthropic-messages"))
            proxy.process.kill()
        for ending in ("-wal", "-shm"):  # with these a database mends itself
            (home / f"ledger.db{ending}").unlink(missing_ok=True)
            (home / f"cache.db{ending}").unlink(missing_ok=True)
        yield home, rules


def _files(home: Path) -> list[Path]:
    return sorted(path.relative_to(home) for path in home.rglob("*") if path.is_file())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("damage", ["junk", "half"])
def test_no_damaged_file_keeps_the_proxy_from_serving(used: tuple[Path, str], tmp_path: Path, damage: str) -> None:
    home, rules = used
    files = _files(home)
    assert {path.name for path in files} >= {"proxy.json", *SAYS, *STOPS}
    for file in files if damage == "junk" else [file for file in files if file.name in {*SAYS, *STOPS}]:
        place = tmp_path / file.name
        shutil.copytree(home, place / "home")
        path = place / "home" / file
        content = path.read_bytes()
        path.write_bytes(JUNK if damage == "junk" else content[: len(content) // 2])
        if file.name in STOPS:
            with pytest.raises(AssertionError, match=STOPS[file.name]), running(place, rules):
                pass
        else:
            with running(place, rules) as proxy:
                assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Hello from upstream", file
                assert spoken("openai-chat", post(proxy, ASKED)) == "Hello from upstream", file
        said = (place / "up.log").read_text()
        assert "Traceback" not in said, f"{file}: {said}"
        if damage == "junk":
            assert SAYS.get(file.name, "") in said, f"{file}: {said}"
        shutil.rmtree(place)
