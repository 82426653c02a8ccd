"""With a mitmproxy that is not the one we were written against, everything goes mitmproxy's own way, and is served."""

import asyncio
import os
import shutil
from pathlib import Path

import mitmproxy
import pytest

from tests.conftest import StartProxy
from tests.e2e import rules
from tests.e2e.calls import ask, async_client, spoken
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer
from tests.servers.certificates import authority
from tests.servers.outbound import OutboundProxy, leaving
from tests.servers.provider import Provider, serving
from tests.servers.proxy import ROOT, Proxy
from tests.servers.steps import Say


@pytest.fixture
def another_mitmproxy(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH: the installed mitmproxy, with one more line in a module that both contracts name."""
    (package,) = mitmproxy.__path__
    copy = tmp_path / "another" / "mitmproxy"
    shutil.copytree(package, copy, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__"))
    changed = copy / "proxy" / "layers" / "http" / "_http1.py"
    text = changed.read_text()
    changed.unlink()
    changed.write_text(f"{text}\n# Newer.\n")
    return copy.parent


async def _ask(proxy: Proxy, *, http2: bool) -> None:
    async with async_client(proxy, http2=http2) as http:
        for form in ("anthropic-messages", "gemini"):
            for stream in (False, True):
                asked = ask(form, stream=stream)
                said = await http.post(asked.url, content=asked.content)
                assert spoken(form, said) == "Said the old way."


@pytest.mark.parametrize("headless", [True, False], ids=["headless", "mitmweb"])
def test_calls_are_served_with_another_mitmproxy(
    another_mitmproxy: Path, provider: Provider, start_proxy: StartProxy, *, headless: bool
) -> None:
    provider.script(*[Say(Answer(pieces=("Said the ", "old way.")))] * 8)
    path = f"{another_mitmproxy}{os.pathsep}{ROOT}"
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"), env={"PYTHONPATH": path}, headless=headless)
    for http2 in (False, True):
        asyncio.run(_ask(proxy, http2=http2))
    assert proxy.stop() == 0
    said = proxy.log.read_text()
    assert [said.count("but slower"), said.count("are not bounded")] == [1, 1]
    assert "Traceback" not in said


def test_untouched_calls_leave_by_the_outbound_proxy_with_another_mitmproxy(
    another_mitmproxy: Path, tmp_path: Path, start_proxy: StartProxy
) -> None:
    certificates = authority(tmp_path, "api.anthropic.com")
    path = f"{another_mitmproxy}{os.pathsep}{ROOT}"
    with (
        serving(tls=certificates.server) as provider,
        leaving(OutboundProxy("socks5", at={"api.anthropic.com": provider.port})) as outbound,
    ):
        env = {"PYTHONPATH": path, "SSL_CERT_FILE": str(certificates.ca)}
        proxy = start_proxy(f"proxy: '{outbound.url}'\n", env=env)
        with rules.http(proxy) as client:
            answer = client.get("https://api.anthropic.com/api/oauth/profile")
        assert (answer.status_code, outbound.connected) == (404, ["api.anthropic.com:443"])
