"""``omniroute doctor``: look at everything between a tool and the proxy, and say what to do about what is wrong.

Every check is a function that returns findings and changes nothing. ``broken`` is what makes calls fail or go past the
proxy and sets exit code 1; ``warn`` is what may surprise; ``skip`` could not be looked at.
"""

import concurrent.futures
import contextlib
import datetime as dt
import os
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

from omniroute_addon import environment, running
from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.ca import Authority
    from omniroute_addon.config import Account, Snapshot

TIMEOUT = 5.0
OUTSIDE_HOST = "example.com"
"""A host that is on no surface: its TLS must reach us untouched through the proxy."""
PROC = Path("/proc")
EXPORT = 'eval "$(omniroute env)"'

type Level = Literal["ok", "warn", "broken", "skip"]
MARKS: dict[Level, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warn": ("!", "yellow"),
    "broken": ("✗", "red"),
    "skip": ("-", "dim"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    subject: str
    text: str
    todo: str | None = None


def doctor(
    tool: Annotated[
        str | None, typer.Argument(metavar="[TOOL]", help="Look at this tool only: claude, codex, …")
    ] = None,
    *,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Check config, CA, proxy, variables, tools and accounts, and say what to do; exit code 1 when something is broken."""
    found = examine(tool, config, os.environ)
    if json:
        console.as_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            mark, style = MARKS[finding.level]
            console.say(f"{mark} {finding.subject}: {finding.text}", style)
            if finding.todo is not None:
                console.say(f"    → {finding.todo}")
    raise typer.Exit(1 if any(finding.level == "broken" for finding in found) else 0)


def examine(tool: str | None, config: Path | None, env: Mapping[str, str]) -> list[Finding]:
    """All findings, in the order a call takes."""
    from omniroute_addon import ca
    from omniroute_addon.cli.outbound import check_outbound
    from omniroute_addon.config import ConfigError
    from omniroute_addon.routing import surfaces

    home = data_dir(env)
    proxy = running.find(home, config)
    try:
        snapshot = snapshot_of(running.config_of(proxy) or config)
    except ConfigError as error:
        todo = "repair the file; `omniroute check` shows the same"
        return [Finding("broken", "config", line, todo) for line in str(error).splitlines()]
    hosts = surfaces.hosts(snapshot)
    where = str(snapshot.source) if snapshot.source else "none; defaults: every call goes to its origin, untouched"
    found = [Finding("ok", "config", where), *(Finding("warn", "config", str(one)) for one in snapshot.warnings)]
    try:
        authority = ca.load(ca.directory_in(home))
    except ca.CAError as error:
        return [*found, Finding("broken", "CA", str(error), "omniroute ca rotate")]
    found += check_authority(authority, hosts, dt.datetime.now(dt.UTC))
    found += check_proxy(proxy, snapshot)
    if proxy is not None and proxy.proxy is not None and authority is not None:
        found.append(check_interception(proxy.proxy, sorted(hosts), authority))
        found.append(check_tunnel(proxy.proxy, authority))
    found += check_outbound(snapshot)
    found += check_variables(env, proxy.proxy if proxy else None, hosts, tool)
    found += check_tools(tool)
    found += check_daemons(proxy.proxy if proxy else None, tool)
    found += check_accounts(snapshot)
    return found


# ── the CA ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_authority(authority: "Authority | None", hosts: Iterable[str], now: dt.datetime) -> list[Finding]:
    if authority is None:
        return [Finding("warn", "CA", "there is none yet", "it is made by the first `omniroute up` or `omniroute run`")]
    found: list[Finding] = []
    if (mode := stat.S_IMODE(authority.key_path.stat().st_mode)) & 0o077 and os.name == "posix":
        found.append(
            Finding(
                "broken",
                "CA",
                f"others can read its key (mode {mode:04o})",
                f"chmod 600 {authority.key_path}; then omniroute ca rotate",
            )
        )
    if authority.expired(now):
        found.append(Finding("broken", "CA", f"it expired on {authority.not_after:%Y-%m-%d}", "omniroute ca rotate"))
    elif authority.not_after - now < dt.timedelta(days=30):
        found.append(Finding("warn", "CA", f"it expires on {authority.not_after:%Y-%m-%d}", "omniroute ca rotate"))
    if not authority.hosts:
        found.append(
            Finding("warn", "CA", "it has no name constraints: it could vouch for any host", "omniroute ca rotate")
        )
    elif missing := authority.missing(hosts):
        found.append(Finding("broken", "CA", f"it does not cover {', '.join(missing)}", "omniroute ca rotate"))
    if not found:
        found.append(Finding("ok", "CA", f"{authority.cert_path}, valid until {authority.not_after:%Y-%m-%d}"))
    return found


# ── the proxy ───────────────────────────────────────────────────────────────────────────────────────────────────────


def check_proxy(proxy: "running.Running | None", snapshot: "Snapshot") -> list[Finding]:
    if proxy is not None:
        return [
            Finding(
                "ok",
                "proxy",
                f"{proxy.proxy or 'off'} (pid {proxy.pid}), gateway {proxy.gateway or 'off'}, web {_without_query(proxy.web) or 'off'}",
            )
        ]
    found = [Finding("warn", "proxy", "not running", "omniroute up, or omniroute run -- TOOL starts one for that tool")]
    listen = snapshot.listen
    for name, address in (("proxy", listen.proxy), ("gateway", listen.gateway), ("web", listen.web)):
        if address is not None and address.port and running.answers(f"http://{address}"):
            text = f"{name} port {address} is used by another program"
            found.append(Finding("broken", "proxy", text, f"end that program, or set listen.{name} in the config"))
    return found


def check_interception(proxy_url: str, hosts: list[str], authority: "Authority") -> Finding:
    """A handshake for a surface host through the proxy must show a certificate that our CA vouches for."""
    host = next((host for host in hosts if "*" not in host), None)
    if host is None:
        return Finding("skip", "interception", "no surface host without wildcard to try")
    context = ssl.create_default_context(cafile=str(authority.cert_path))
    try:
        with connect_through(proxy_url, host) as plain, context.wrap_socket(plain, server_hostname=host):
            return Finding("ok", "interception", f"TLS for {host} through the proxy is trusted with our CA")
    except ssl.SSLCertVerificationError as error:
        text = f"the proxy's certificate for {host} is not trusted with our CA: {error.verify_message}"
        return Finding("broken", "interception", text, "restart the proxy (was the CA renewed while it ran?)")
    except OSError as error:
        return Finding(
            "broken",
            "interception",
            f"no TLS for {host} through {proxy_url}: {error}",
            "restart the proxy; see its messages",
        )


def check_tunnel(proxy_url: str, authority: "Authority", host: str = OUTSIDE_HOST) -> Finding:
    """Any other host must be tunnelled: the certificate that arrives is not one of ours."""
    from cryptography import x509

    # Whose certificate it is, is the question; nothing is sent over the connection.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with connect_through(proxy_url, host) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
            raw = tls.getpeercert(binary_form=True)
    except OSError:
        return Finding("skip", "tunnel", f"{host} cannot be reached from here (offline?)")
    if raw is None or x509.load_der_x509_certificate(raw).issuer == authority.certificate.subject:
        return Finding(
            "broken", "tunnel", f"the proxy decrypts {host}, which is on no surface", "look at `surfaces` in the config"
        )
    return Finding("ok", "tunnel", f"{host} is not decrypted")


def connect_through(proxy_url: str, host: str, port: int = 443) -> socket.socket:
    """A connection to ``host`` that an HTTP proxy has opened (CONNECT)."""
    proxy = urlsplit(proxy_url)
    connection = socket.create_connection((proxy.hostname or "127.0.0.1", proxy.port or 8080), timeout=TIMEOUT)
    try:
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("ascii"))
        _read_connect_answer(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_connect_answer(connection: socket.socket) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        # One byte at a time: what follows the head belongs to the TLS connection.
        if not (byte := connection.recv(1)) or len(answer) > 16384:
            raise ConnectionError("the proxy closed the connection")
        answer += byte
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if " 200" not in status:
        raise ConnectionError(f"the proxy answered {status!r}")


# ── variables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def check_variables(
    env: Mapping[str, str], proxy_url: str | None, hosts: Iterable[str], tool: str | None
) -> list[Finding]:
    """The variables of the shell that ``doctor`` was called in; with ``omniroute run`` they need not be set."""
    value = next((env[name] for name in environment.PROXY_VARIABLES if env.get(name)), None)
    ours = proxy_url is not None and value is not None and _same_address(value, proxy_url)
    found = [*_check_proxy_variable(env, value, proxy_url), *_check_bypass(env, hosts, ours=ours)]
    for name in (*environment.ADDED_TRUST, *environment.REPLACED_TRUST):
        if path := env.get(name):
            found += _check_trust_file(name, path)
    return [*found, *_check_trust(env, tool)] if ours else found


def _check_proxy_variable(env: Mapping[str, str], value: str | None, proxy_url: str | None) -> list[Finding]:
    name = "HTTPS_PROXY"
    if value is None:
        todo = f"start tools with `omniroute run -- TOOL`, or: {EXPORT}"
        found = [Finding("warn", name, "not set in this shell", todo)]
        if env.get("ALL_PROXY"):
            found.append(Finding("warn", "ALL_PROXY", "Claude Code stalls with it alone", "set HTTPS_PROXY"))
        return found
    if proxy_url is not None and _same_address(value, proxy_url):
        return [Finding("ok", name, "this shell's tools come through the proxy")]
    if not running.answers(value if "://" in value else f"http://{value}"):
        text = f"nothing answers at {_without_login(value)}: tools hang or fail"
        return [Finding("broken", name, text, f"omniroute up, or {EXPORT}, or unset it")]
    return [Finding("warn", name, f"it names another proxy ({_without_login(value)})", EXPORT)]


def _check_bypass(env: Mapping[str, str], hosts: Iterable[str], *, ours: bool) -> list[Finding]:
    if bypass := environment.bypassing(env, hosts):
        text = f"{', '.join(bypass)} keeps provider calls away from the proxy"
        return [Finding("broken" if ours else "warn", "NO_PROXY", text, "take it out; `omniroute run` does")]
    if ours and not {"127.0.0.1", "localhost"} <= set(environment.no_proxy_entries(env)):
        text = "loopback is missing: local servers of tools are called through the proxy"
        return [Finding("warn", "NO_PROXY", text, EXPORT)]
    return []


def _check_trust_file(name: str, path: str) -> list[Finding]:
    if not Path(path).is_file():
        return [Finding("broken", name, f"{path} does not exist", EXPORT)]
    count = _certificates(path)
    if name in environment.REPLACED_TRUST and count < 5:
        text = f"{path} replaces the whole trust store with {count} certificate(s)"
        return [Finding("warn", name, text, "use a full bundle, as `omniroute env` does")]
    return []


def _check_trust(env: Mapping[str, str], tool: str | None) -> list[Finding]:
    tools = [one for one in environment.TOOLS if tool in (None, one.command)]
    return [
        Finding("broken", one.trust[0], f"not set: {one.title} will not trust the proxy", EXPORT)
        for one in tools
        if not any(env.get(name) for name in one.trust) and shutil.which(one.command)
    ]


def _certificates(path: str) -> int:
    with contextlib.suppress(OSError):
        return Path(path).read_bytes().count(b"BEGIN CERTIFICATE")
    return 0


def _same_address(one: str, other: str) -> bool:
    def address(url: str) -> tuple[str | None, int | None]:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return ("127.0.0.1" if parts.hostname in ("localhost", "::1") else parts.hostname, parts.port)

    with contextlib.suppress(ValueError):
        return address(one) == address(other)
    return False


def _without_query(url: str | None) -> str:
    """Without mitmweb's login token: what doctor says gets pasted into issues."""
    return (url or "").partition("?")[0]


def _without_login(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


# ── tools, daemons, accounts ────────────────────────────────────────────────────────────────────────────────────────


def check_tools(tool: str | None) -> list[Finding]:
    tools = [one for one in environment.TOOLS if tool in (None, one.command)]
    if tool is not None and not tools:
        path = shutil.which(tool)
        if path is None:
            return [Finding("broken", tool, "not on PATH")]
        return [Finding("warn", tool, f"{path}; not a tool we know: it must follow HTTPS_PROXY and a CA variable")]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        versions = list(pool.map(_version, [one.command for one in tools]))
    found: list[Finding] = []
    for one, version in zip(tools, versions, strict=True):
        if version is None:
            found.append(Finding("broken" if tool else "skip", one.title, f"`{one.command}` is not on PATH"))
            continue
        found.append(Finding("ok", one.title, version))
        if tool:
            found += [Finding("warn", one.title, note) for note in one.notes]
    return found


def _version(command: str) -> str | None:
    if (executable := shutil.which(command)) is None:
        return None
    # Without a proxy, so that asking for a version does not wait for one that is gone.
    env = {name: value for name, value in os.environ.items() if name not in environment.PROXY_VARIABLES}
    try:
        result = subprocess.run(  # noqa: S603 -- a tool of the user, found on PATH
            [executable, "--version"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
            env=env,
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"{executable} (its version cannot be asked)"
    return next(iter(result.stdout.strip().splitlines()), "") or executable


def check_daemons(proxy_url: str | None, tool: str | None, proc: Path = PROC) -> list[Finding]:
    """Codex leaves an app server running that keeps the variables it was started with."""
    if tool not in (None, "codex") or not proc.is_dir():
        return []
    found: list[Finding] = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if not any(b"codex" in word for word in words[:2]) or b"app-server" not in words:
                continue
            pairs = (pair.partition(b"=") for pair in (entry / "environ").read_bytes().split(b"\0"))
            env = {name.decode(errors="replace"): value.decode(errors="replace") for name, _, value in pairs}
            found += _check_daemon(entry.name, env, proxy_url)
    return found


def _check_daemon(pid: str, env: Mapping[str, str], proxy_url: str | None) -> list[Finding]:
    value = next((env[name] for name in environment.PROXY_VARIABLES if env.get(name)), None)
    todo = f"kill {pid} (Codex starts it again)"
    if value is None:
        return (
            [
                Finding(
                    "warn",
                    "Codex daemon",
                    f"pid {pid} was started without HTTPS_PROXY: its calls bypass the proxy",
                    todo,
                )
            ]
            if proxy_url
            else []
        )
    if proxy_url is not None and _same_address(value, proxy_url):
        return [Finding("ok", "Codex daemon", f"pid {pid} uses the running proxy")]
    if running.answers(value):
        return [Finding("warn", "Codex daemon", f"pid {pid} uses another proxy ({_without_login(value)})", todo)]
    return [
        Finding(
            "broken", "Codex daemon", f"pid {pid} was started with a proxy that is gone ({_without_login(value)})", todo
        )
    ]


def check_accounts(snapshot: "Snapshot") -> list[Finding]:
    """The accounts of the file, and those that an environment variable makes."""
    implicit = [one for accounts in snapshot.usable.values() for one in accounts if one.implicit]
    return [_check_account(account) for account in (*snapshot.accounts, *implicit)]


def _check_account(account: "Account") -> Finding:
    subject = f"account {account.name}"
    if not account.enabled:
        return Finding("skip", subject, "switched off")
    if account.missing is not None:
        return Finding("warn", subject, f"no key: {account.missing}", "it is left out until it has one")
    return Finding("ok", subject, f"has a key for {account.provider}")
