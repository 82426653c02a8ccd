"""``omniroute doctor``: each thing that is wrong is found, named and followed by what to do."""

import datetime as dt
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from omniroute_addon import ca, running
from omniroute_addon.cli import doctor
from omniroute_addon.config import Snapshot
from tests.omniroute_addon.cli.conftest import Omniroute

HOSTS = ("api.anthropic.com",)
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def authority(home: Path) -> ca.Authority:
    return ca.ensure(home / "ca", HOSTS)


@pytest.fixture
def listener() -> Iterator[str]:
    """The URL of a port that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent() -> str:
    """The URL of a port that nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def levels(found: list[doctor.Finding]) -> list[tuple[str, str]]:
    return [(one.level, one.subject) for one in found]


def said(omniroute: Omniroute, *arguments: str | Path, **env: str) -> dict[str, list[str]]:
    """Subject → its levels and texts."""
    subjects: dict[str, list[str]] = {}
    for one in json.loads(omniroute("doctor", "--json", *arguments, **env).stdout):
        subjects.setdefault(one["subject"], []).append(f"{one['level']}: {one['text']}")
    return subjects


# ── the CA ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_good_ca_is_ok(authority: ca.Authority) -> None:
    assert levels(doctor.check_authority(authority, HOSTS, NOW)) == [("ok", "CA")]


def test_no_ca_yet_is_no_breakage() -> None:
    assert levels(doctor.check_authority(None, HOSTS, NOW)) == [("warn", "CA")]


def test_a_readable_key_is_broken(authority: ca.Authority) -> None:
    authority.key_path.chmod(0o644)
    assert "mode 0644" in doctor.check_authority(authority, HOSTS, NOW)[0].text


def test_a_surface_that_it_does_not_cover_is_named(authority: ca.Authority) -> None:
    (found,) = doctor.check_authority(authority, ("api.openai.com",), NOW)
    assert (found.level, found.text, found.todo) == (
        "broken",
        "it does not cover api.openai.com",
        "omniroute ca rotate",
    )


@pytest.mark.parametrize("days,level", [(600, "ok"), (715, "warn"), (800, "broken")])
def test_its_end_is_seen_coming(authority: ca.Authority, days: int, level: str) -> None:
    assert levels(doctor.check_authority(authority, HOSTS, NOW + dt.timedelta(days=days))) == [(level, "CA")]


# ── variables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_shell_without_variables_is_told_of_run() -> None:
    (found,) = doctor.check_variables({}, None, HOSTS, None)
    assert (found.level, "omniroute run" in (found.todo or "")) == ("warn", True)


def test_the_running_proxy_is_recognised(listener: str) -> None:
    env = {"HTTPS_PROXY": listener.replace("127.0.0.1", "localhost"), "NO_PROXY": "127.0.0.1,localhost"}
    assert ("ok", "HTTPS_PROXY") in levels(doctor.check_variables(env, listener, HOSTS, "no-tool"))


def test_a_proxy_that_is_gone_is_broken(silent: str) -> None:
    assert levels(doctor.check_variables({"HTTPS_PROXY": silent}, None, HOSTS, None)) == [("broken", "HTTPS_PROXY")]


def test_another_proxys_login_is_not_shown(listener: str) -> None:
    env = {"HTTPS_PROXY": listener.replace("://", "://me:sk-canary@")}
    (found,) = doctor.check_variables(env, "http://127.0.0.1:1", HOSTS, None)
    assert (found.level, "sk-canary" in found.text) == ("warn", False)


def test_a_no_proxy_that_bypasses_is_broken(listener: str) -> None:
    env = {"HTTPS_PROXY": listener, "NO_PROXY": "127.0.0.1,localhost,.anthropic.com"}
    assert ("broken", "NO_PROXY") in levels(doctor.check_variables(env, listener, HOSTS, "no-tool"))


def test_a_no_proxy_without_loopback_is_warned_of(listener: str) -> None:
    assert ("warn", "NO_PROXY") in levels(doctor.check_variables({"HTTPS_PROXY": listener}, listener, HOSTS, "no-tool"))


@pytest.mark.parametrize("name", ["NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"])
def test_a_file_that_is_not_there_is_broken(name: str) -> None:
    assert ("broken", name) in levels(doctor.check_variables({name: "/no/such.pem"}, None, HOSTS, None))


def test_our_ca_alone_as_trust_store_is_warned_of(authority: ca.Authority) -> None:
    env = {"SSL_CERT_FILE": str(authority.cert_path)}
    assert ("warn", "SSL_CERT_FILE") in levels(doctor.check_variables(env, None, HOSTS, None))


def test_a_full_bundle_is_fine(authority: ca.Authority) -> None:
    env = {"SSL_CERT_FILE": str(ca.bundle(authority, {}))}
    assert levels(doctor.check_variables(env, None, HOSTS, None)) == [("warn", "HTTPS_PROXY")]


# ── the proxy ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mitmwebs_login_token_is_not_shown() -> None:
    proxy = running.Running(1, "http://a:1", None, "http://a:2/?token=canary", None)
    assert "canary" not in doctor.check_proxy(proxy, Snapshot(None))[0].text


def test_a_running_proxy_is_trusted_with_our_ca(omniroute: Omniroute, served: dict[str, str]) -> None:
    found = said(omniroute)
    assert (found["proxy"][0].startswith(f"ok: {served['proxy']}"), found["interception"][0][:3]) == (True, "ok:")


def test_the_config_of_the_running_proxy_is_the_one_looked_at(
    omniroute: Omniroute, served: dict[str, str], rules: Path
) -> None:
    assert (said(omniroute)["config"][0], served["web"]) == (f"ok: {rules}", "-")


@pytest.mark.usefixtures("served")
def test_a_ca_renewed_under_a_running_proxy_is_broken(omniroute: Omniroute) -> None:
    omniroute("ca", "rotate")
    assert said(omniroute)["interception"][0].startswith("broken:")


def test_a_port_of_the_config_that_another_program_holds_is_named(omniroute: Omniroute, rules: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        rules.write_text(rules.read_text().replace("gateway: 127.0.0.1:0", f"gateway: 127.0.0.1:{port}"))
        found = said(omniroute, "--config", rules)["proxy"]
    assert f"broken: gateway port 127.0.0.1:{port} is used by another program" in found


def test_a_proxy_that_decrypts_too_much_is_broken(served: dict[str, str], home: Path) -> None:
    # Asking for a surface host shows the proxy's own certificate, as a host outside must never do.
    current = ca.load(home / "ca")
    assert current is not None
    assert doctor.check_tunnel(served["proxy"], current, "api.anthropic.com").level == "broken"


def test_a_host_that_cannot_be_reached_is_skipped(authority: ca.Authority, silent: str) -> None:
    assert doctor.check_tunnel(silent, authority).level == "skip"


# ── tools, daemons, accounts ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with one Codex app server, one shell, and no environment yet."""
    for pid, words in (("41", ["/opt/codex", "app-server", "--listen"]), ("42", ["bash", "app-server"])):
        (tmp_path / "proc" / pid).mkdir(parents=True)
        (tmp_path / "proc" / pid / "cmdline").write_bytes(b"\0".join(map(os.fsencode, words)) + b"\0")
        (tmp_path / "proc" / pid / "environ").write_bytes(b"HOME=/me\0")
    return tmp_path / "proc"


def test_a_codex_daemon_without_proxy_is_found(proc: Path) -> None:
    (found,) = doctor.check_daemons("http://127.0.0.1:1", None, proc)
    assert (found.level, "pid 41" in found.text) == ("warn", True)


def test_a_codex_daemon_with_a_dead_proxy_is_broken(proc: Path, silent: str) -> None:
    (proc / "41" / "environ").write_bytes(f"HTTPS_PROXY={silent}\0".encode())
    assert levels(doctor.check_daemons(None, "codex", proc)) == [("broken", "Codex daemon")]


def test_a_codex_daemon_of_this_proxy_is_ok(proc: Path, listener: str) -> None:
    (proc / "41" / "environ").write_bytes(f"HTTPS_PROXY={listener}\0".encode())
    assert levels(doctor.check_daemons(listener, None, proc)) == [("ok", "Codex daemon")]


def test_codex_daemons_do_not_matter_to_another_tool(proc: Path) -> None:
    assert doctor.check_daemons("http://127.0.0.1:1", "claude", proc) == []


def test_a_tool_that_is_asked_for_and_missing_is_broken(omniroute: Omniroute, tmp_path: Path) -> None:
    assert said(omniroute, "claude", PATH=str(tmp_path))["Claude Code"] == ["broken: `claude` is not on PATH"]


def test_a_tools_version_and_notes_are_shown(omniroute: Omniroute, tmp_path: Path) -> None:
    fake = tmp_path / "claude"
    fake.write_text("#!/bin/sh\necho 2.1.329 '(Claude Code)'\n")
    fake.chmod(0o755)
    found = said(omniroute, "claude", PATH=f"{tmp_path}:/usr/bin:/bin")["Claude Code"]
    assert (found[0], "settings.json" in found[1]) == ("ok: 2.1.329 (Claude Code)", True)


@pytest.mark.parametrize("key,level", [("", "warn"), ("sk-canary", "ok")])
def test_an_account_with_and_without_key(omniroute: Omniroute, rules: Path, key: str, level: str) -> None:
    env = {"GLM_KEY": key} if key else {}
    (found,) = said(omniroute, "--config", rules, **env)["account glm-main"]
    assert (found.split(":")[0], "sk-canary" in found) == (level, False)


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_config_errors_are_its_first_finding(omniroute: Omniroute, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsurprise: 1\n")
    result = omniroute("doctor", "--config", bad)
    assert (result.returncode, result.stdout.startswith("✗ config: "), "bad.yaml:2: surprise" in result.stdout) == (
        1,
        True,
        True,
    )


def test_what_to_do_stands_below(omniroute: Omniroute) -> None:
    lines = omniroute("doctor").stdout.splitlines()
    assert lines[lines.index("! proxy: not running") + 1].startswith("    → omniroute up")


def test_it_changes_nothing(omniroute: Omniroute, home: Path) -> None:
    omniroute("doctor")
    assert not home.exists()
