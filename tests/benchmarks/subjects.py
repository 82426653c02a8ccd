"""What is measured: stock mitmdump, and our proxy in two routes; started and watched as processes of their own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy.certs import CertStore

from tests.benchmarks.load import Job, Kind

RULES = """\
version: 1
listen: {{proxy: 127.0.0.1:0, gateway: null, web: {web}}}
providers:
  same:  {{format: anthropic-messages, base_url: "https://localhost:{port}/v1/messages", auth: x-api-key}}
  other: {{format: openai-chat, base_url: "https://localhost:{port}/v1/chat/completions", auth: bearer}}
accounts:
  - {{name: same, provider: same, key: sk-bench-same}}
  - {{name: other, provider: other, key: sk-bench-other}}
routes:
  - {{match: {{model: "same-*"}}, to: same/bench-model}}
  - {{match: {{model: "other-*"}}, to: other/bench-model}}
"""
SUBJECTS = DIRECT, STOCK, PASSTHROUGH, TRANSLATED = "direct", "stock mitmdump", "ours, passthrough", "ours, translated"
"""The columns of the results; every client speaks anthropic-messages."""
OURS = "ours"
"""Our process, for what does not depend on the route."""
START_LIMIT = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Provider:
    port: int
    authority: Path


@dataclass(frozen=True, slots=True)
class Process:
    """A running proxy."""

    pid: int
    port: int
    trust: Path
    started_in: float
    """Seconds from its start to the first moment at which it serves calls."""
    web: str | None = None
    """mitmweb's address with the login token; of our process only."""

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        return cpu_of(self.pid)

    def memory(self) -> tuple[float, float]:
        """Resident now and at its peak, in MB."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return int(lines["VmRSS"].split()[0]) / 1024, int(lines["VmHWM"].split()[0]) / 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """One way from the client to the provider."""

    name: str
    process: Process | None
    host: str
    port: int
    trust: Path
    model: str

    def job(self, kind: Kind, clients: int, **more: float) -> Job:
        return Job(
            kind=kind,
            proxy=self.process.port if self.process else None,
            host=self.host,
            port=self.port,
            path="/v1/messages",
            trust=str(self.trust),
            model=self.model,
            clients=clients,
            **more,  # type: ignore[arg-type]  # the named fields of Job
        )


@contextlib.contextmanager
def provider(home: Path) -> Generator[Provider]:
    """The provider, with a certificate for ``localhost`` from an authority of its own."""
    store = CertStore.from_store(home / "provider", "provider", 2048)
    entry = store.get_cert("localhost", [x509.DNSName("localhost")])
    key = entry.privatekey.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = home / "provider" / "server.pem"
    pem.write_bytes(key + entry.cert.to_pem())
    command = [sys.executable, "-m", "tests.benchmarks.provider", str(pem)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as process:
        assert process.stdout is not None
        yield Provider(int(process.stdout.readline()), home / "provider" / "provider-ca-cert.pem")


@contextlib.contextmanager
def stock(home: Path, served: Provider, *, web: bool = False) -> Generator[Process]:
    """mitmdump as it comes, with streaming on and nothing printed; or mitmweb."""
    port, web_port = _free_port(), _free_port()
    confdir = home / "stock"
    program = ["mitmweb", "--no-web-open-browser", "--web-port", str(web_port)] if web else ["mitmdump", "--quiet"]
    command = [
        str(Path(sys.executable).with_name(program[0])),
        *program[1:],
        *("--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *("--scripts", str(Path(__file__).with_name("stream_all.py"))),
        *("--set", f"confdir={confdir}"),
        *("--set", f"ssl_verify_upstream_trusted_ca={served.authority}"),
    ]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=_ROOT) as process, _ending(process):
        _until_open(port)
        yield Process(process.pid, port, confdir / "mitmproxy-ca-cert.pem", time.monotonic() - began)


@contextlib.contextmanager
def ours(home: Path, served: Provider, *, web: bool = False) -> Generator[Process]:
    """``omniroute up --headless``, or with mitmweb."""
    rules = home / "rules.yaml"
    rules.write_text(RULES.format(port=served.port, web="127.0.0.1:0" if web else "null"))
    data = home / "ours"
    headless = [] if web else ["--headless"]
    command = [sys.executable, "-m", "omniroute_addon", "up", *headless, "--config", str(rules)]
    environment = {**os.environ, "OMNIROUTE_HOME": str(data), "SSL_CERT_FILE": str(served.authority)}
    began = time.monotonic()
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=_ROOT, text=True) as process,
        _ending(process),
    ):
        assert process.stdout is not None
        ready = next((line for line in process.stdout if line.startswith("ready ")), None)
        assert ready is not None, "our proxy did not start"
        took = time.monotonic() - began
        port = int(ready.partition("proxy=http://127.0.0.1:")[2].split()[0])
        page = ready.partition("web=")[2].split()[0]
        yield Process(process.pid, port, data / "ca" / "mitmproxy-ca-cert.pem", took, None if page == "-" else page)


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def all_of(served: Provider, floor: Process, own: Process) -> list[Subject]:
    return [
        Subject(DIRECT, None, "localhost", served.port, served.authority, "bench-model"),
        Subject(STOCK, floor, "localhost", served.port, floor.trust, "bench-model"),
        ours_by(PASSTHROUGH, own),
        ours_by(TRANSLATED, own),
    ]


def ours_by(name: str, own: Process) -> Subject:
    """Our process by one of its two routes."""
    model = {PASSTHROUGH: "same-model", TRANSLATED: "other-model"}[name]
    return Subject(name, own, "api.anthropic.com", 443, own.trust, model)


@contextlib.contextmanager
def _ending(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> Generator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _until_open(port: int) -> None:
    ends = time.monotonic() + START_LIMIT
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.01)
    raise TimeoutError("stock mitmdump did not start")
