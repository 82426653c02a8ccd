"""The first run at a real terminal (a pty): every question is waited for, answered as people do, and can be left."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from omniroute_addon.cli.guide import tried
from tests.servers.certificates import authority
from tests.servers.faults import failure
from tests.servers.outbound import OutboundProxy, leaving
from tests.servers.provider import Provider, serving
from tests.servers.steps import PATIENCE, Whole, says

KEY = "canary-typed-0123456789"
GLM = "api.z.ai"
AS_TERMINAL = f"import fcntl, os, sys; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0); os.execv(sys.executable, sys.argv[1:])"
"""Makes standard input the controlling terminal, as a shell's child has one."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Somebody at the keyboard of a process."""

    def __init__(self, process: "subprocess.Popen[bytes]", keyboard: int) -> None:
        self.process = process
        self._keyboard = keyboard
        self.shown = ""
        self._read = 0

    def wait(self, words: str) -> str:
        """Until ``words`` are shown; what came before them since the last time."""
        end = time.monotonic() + PATIENCE
        while (place := self.shown.find(words, self._read)) < 0:
            ready, _, _ = select.select([self._keyboard], [], [], max(0, end - time.monotonic()))
            assert ready, f"{words!r} was never shown:\n{self.shown}"
            assert self._take(), f"the process ended before {words!r}:\n{self.shown}"
        before = self.shown[self._read : place]
        self._read = place + len(words)
        return before

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def answer(self, question: str, text: str = "") -> None:
        self.wait(question)
        self.type(f"{text}\n")

    def end(self) -> int:
        """SIGTERM, and what the process says until it ends; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        while self._take():
            pass
        return self.process.wait(PATIENCE)

    def _take(self) -> bool:
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:  # Linux says so when the last process has closed the terminal
            data = b""
        self.shown += _COLOURS.sub("", data.decode(errors="replace")).replace("\r", "")
        return bool(data)


type Sit = Callable[..., Terminal]


@pytest.fixture
def sit(env: dict[str, str], tmp_path: Path) -> Generator[Sit]:
    """``sit("--no-guide", GLM_API_KEY="…")``: ``omniroute up`` on free ports at a terminal."""
    with ExitStack() as stack:
        command = ("up", "--private", "--headless")
        yield lambda *options, **more: stack.enter_context(_sitting(tmp_path, {**env, **more}, (*command, *options)))


@contextmanager
def _sitting(directory: Path, env: dict[str, str], command: tuple[str, ...]) -> Generator[Terminal]:
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, b"\x32\x00\xa0\x00\x00\x00\x00\x00")  # 50 rows, 160 columns
    with subprocess.Popen(
        [sys.executable, "-c", AS_TERMINAL, sys.executable, "-m", "omniroute_addon", *command],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env={**env, "TERM": "xterm"},
        cwd=directory,
        start_new_session=True,
    ) as process:
        os.close(screen)
        try:
            yield Terminal(process, keyboard)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(keyboard)


@pytest.fixture
def glm(env: dict[str, str], tmp_path: Path) -> Generator[Provider]:
    """Z.ai, as this machine reaches it, and Claude Code on PATH."""
    certificates = authority(tmp_path, GLM)
    tool = tmp_path / "bin" / "claude"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    with serving(tls=certificates.server) as provider, leaving(OutboundProxy(at={GLM: provider.port})) as outbound:
        env |= {"HTTPS_PROXY": outbound.url, "SSL_CERT_FILE": str(certificates.ca), "PATH": str(tool.parent)}
        yield provider


def test_four_answers_lead_to_a_test_call(sit: Sit, glm: Provider, home: Path) -> None:
    glm.script(says("OK"))
    terminal = sit()
    assert "Claude Code" in terminal.wait("Whose calls go by the rules? [1]: ")
    terminal.type("\n")
    assert "nothing to fall back to" in terminal.wait("Add a key?")
    terminal.answer("[no]: ", KEY)  # too early: it is not said again
    terminal.answer("[no]: ", "zai")
    terminal.answer("Key for GLM (Z.ai) (not shown; it goes into the vault): ", KEY)
    terminal.answer("[no]: ")
    assert "glm/glm-4.7" in terminal.wait("Ask them in which order? [1 2]: ")
    terminal.type("\n")
    assert "key: {vault: glm}" in terminal.wait("[Y/n]: ")
    assert not (home / "omniroute.yaml").exists()
    terminal.type("y\n")
    terminal.answer("Ask glm/glm-4.7 for one word, once the proxy is up? [Y/n]: ")
    terminal.wait("ready proxy=")
    terminal.wait("glm/glm-4.7 has answered in")
    terminal.wait("ANTHROPIC_API_KEY=none omniroute run -- claude")
    assert terminal.end() == 0
    assert glm.call.header("x-api-key") == KEY
    written = (home / "omniroute.yaml").read_text()
    assert ("- origin" in written, "- glm/glm-4.7" in written) == (True, True)
    assert terminal.shown.count(KEY) == 1  # as it was typed in the wrong place
    spoken = [written, *(path.read_text() for path in home.rglob("*.jsonl"))]
    assert [text for text in spoken if KEY in text] == []


def test_the_order_is_as_it_is_typed(sit: Sit, glm: Provider, home: Path) -> None:
    terminal = sit(GLM_API_KEY=KEY, DEEPSEEK_API_KEY=KEY)
    terminal.answer("[1]: ")
    terminal.answer("[no]: ")
    terminal.answer("[1 2 3]: ", "9 x")
    terminal.answer("[1 2 3]: ", "3,1")
    terminal.answer("[Y/n]: ", "maybe")
    terminal.answer("[Y/n]: ", "yes")
    terminal.answer("Ask deepseek/deepseek-chat for one word", "n")
    terminal.wait("omniroute run -- claude")
    assert terminal.end() == 0
    written = (home / "omniroute.yaml").read_text()
    assert re.findall(r"^ +- (\S+/\S+|origin)", written, re.MULTILINE) == ["deepseek/deepseek-chat", "origin"]
    assert (KEY in written, KEY in terminal.shown, glm.calls) == (False, False, [])


def test_a_key_that_does_not_work_is_told(sit: Sit, glm: Provider) -> None:
    glm.script(failure("anthropic-messages", 401, "authentication_error", f"no such key \x1b[31m{KEY}"))
    terminal = sit(GLM_API_KEY=KEY)
    terminal.answer("[1]: ")
    for _ in range(4):
        terminal.answer("]: ")
    terminal.wait("✗ glm/glm-4.7 has not answered (401)")
    assert terminal.end() == 0


@pytest.mark.parametrize("leave", ["q\n", "\x04"], ids=["q", "end of input"])
@pytest.mark.parametrize("question", range(4))
@pytest.mark.usefixtures("glm")
def test_it_can_be_left_at_every_question(sit: Sit, home: Path, question: int, leave: str) -> None:
    terminal = sit(GLM_API_KEY=KEY)
    for _ in range(question):
        terminal.answer("]: ")
    terminal.wait("]: ")
    terminal.type(leave)
    terminal.wait("Nothing was written.")
    terminal.wait("ready proxy=")
    assert terminal.end() == 0
    assert not (home / "omniroute.yaml").exists()


@pytest.mark.parametrize("why", ["flag", "rules"])
@pytest.mark.usefixtures("glm")
def test_nobody_is_asked(sit: Sit, home: Path, why: str) -> None:
    if why == "rules":
        home.mkdir()
        (home / "omniroute.yaml").write_text("version: 1\n")
    terminal = sit("--no-guide") if why == "flag" else sit()
    assert "1 of 4" not in terminal.wait("ready proxy=")
    assert terminal.end() == 0


def test_without_a_terminal_nobody_is_asked(env: dict[str, str], tmp_path: Path) -> None:
    keyboard, screen = pty.openpty()
    command = [sys.executable, "-m", "omniroute_addon", "up", "--private", "--headless"]
    with subprocess.Popen(command, stdin=screen, stdout=subprocess.PIPE, text=True, env=env, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready proxy=")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    os.close(screen)
    os.close(keyboard)


@pytest.mark.usefixtures("glm")
def test_a_tool_that_is_started_without_rules_is_told_where_they_come_from(env: dict[str, str], tmp_path: Path) -> None:
    with _sitting(tmp_path, env, ("run", "--headless", "--", "claude")) as terminal:
        terminal.wait("no rules yet, every call passes untouched; `omniroute up` leads to them")
        assert terminal.process.wait(PATIENCE) == 0


def test_a_test_call_says_what_it_met(provider: Provider) -> None:
    provider.script(says("O\x1b[31mK"), failure("anthropic-messages", 429, "x", "slow"), Whole(502, {}, b"<html>"))
    address = provider.url("anthropic-messages")
    said = [tried(address, "glm/m") for _ in range(3)]
    assert [good for good, _ in said] == [True, False, False]
    assert ["O[31mK" in said[0][1], "(429): slow" in said[1][1], "has not answered" in said[2][1]] == [True] * 3
    assert not tried("http://127.0.0.1:1/v1/messages", "glm/m")[0]
