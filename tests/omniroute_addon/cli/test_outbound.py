"""``omniroute doctor`` tries the way out, ``check`` and ``explain`` show it; none of them shows a login."""

import json
from pathlib import Path

import pytest

from omniroute_addon.cli.outbound import check_outbound
from omniroute_addon.config import parse
from tests.omniroute_addon.cli.conftest import Omniroute
from tests.servers.outbound import Kind, OutboundProxy, leaving

ACCOUNT = "accounts: [{name: main, provider: groq, key: k}]\n"


def found(proxy: str, env: dict[str, str] | None = None, limit: float = 20) -> list[tuple[str, str]]:
    rules = parse(f"version: 1\n{ACCOUNT}{f'proxy: {proxy!r}' if proxy else ''}", None, env=env or {})
    return [(one.level, one.text) for one in check_outbound(rules, limit)]


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_way_out_is_tried_to_a_provider_with_an_account(kind: Kind) -> None:
    with leaving(OutboundProxy(kind)) as far, leaving(OutboundProxy(kind, at={"api.groq.com": far.port})) as proxy:
        assert found(proxy.url) == [("ok", f"{proxy.url} connects to api.groq.com:443")]


def test_one_that_refuses_is_broken_and_one_that_reaches_nothing_a_warning() -> None:
    with leaving(OutboundProxy(login="me:right")) as proxy:
        ((level, text),) = found(proxy.with_login("me:canary"))
        assert (level, "refused its user and password" in text, "canary" in text) == ("broken", True, False)
    with leaving(OutboundProxy(says="504 Gateway Timeout")) as proxy:
        assert [level for level, _ in found(proxy.url)] == ["warn"]


def test_a_variable_of_our_own_is_told() -> None:
    env = {"HTTPS_PROXY": "http://127.0.0.1:8080", "HOME": "/nobody"}
    assert found("", env) == [("ok", "HTTPS_PROXY leads to OmniRoute itself; calls to providers do not follow it")]


def test_check_and_explain_show_it(omniroute: Omniroute, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(f"version: 1\n{ACCOUNT}proxy: http://me:canary@corp:3128\nroutes: [{{to: groq/m}}]\n")
    said = omniroute("check", file).stdout
    assert "calls to providers leave by http://corp:3128" in said
    told = omniroute("explain", "--client", "claude-code", "--model", "claude-x", "--config", file).stdout
    facts = omniroute("explain", "--client", "claude-code", "--model", "claude-x", "--config", file, "--json").stdout
    assert "http://corp:3128" in told
    assert json.loads(facts)["candidates"][0]["proxy"] == "http://corp:3128"
    assert "canary" not in said + told + facts
