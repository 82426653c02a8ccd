"""Whether an answer is what a case expects.

``exact`` and ``contains`` are decided here. A regular expression meets text that a stranger has written, and ``custom`` is
code: both are run in a child process with a time limit, an empty environment and limits on memory and files. That stops
accidents, it is no prison: code of a suite runs only when its user has allowed it, and only from a file beside the suite that
nobody else can write.
"""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from omniroute_addon.evals import judge_child
from omniroute_addon.evals.suite import Case, Expected, Suite

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Verdict:
    passed: bool
    reason: str = ""
    """Why not."""


class ForbiddenError(Exception):
    """The suite's code may not be run; the message is for people."""


def code_of(suite: Suite, path: Path, *, allowed: bool) -> dict[str, Path]:
    """The files of a suite's custom checks by ``call``. Raises ForbiddenError before anything is run or asked."""
    found: dict[str, Path] = {}
    for case in suite.cases:
        if case.expected.call is None or case.expected.strategy != "custom":
            continue
        if not allowed:
            raise ForbiddenError(
                f"{case.id} runs Python code of the suite ({case.expected.call}), which is not allowed"
            )
        found[case.expected.call] = _trusted(path, case.expected.call.partition(":")[0])
    return found


def _trusted(suite: Path, module: str) -> Path:
    folder = suite.resolve().parent
    path = folder.joinpath(*module.split(".")).with_suffix(".py")
    try:
        real, info = path.resolve(strict=True), path.stat()
    except OSError as error:
        raise ForbiddenError(f"{path}: {error.strerror}") from error
    if not real.is_relative_to(folder) or not stat.S_ISREG(info.st_mode):
        raise ForbiddenError(f"{path} is no file beside the suite")
    for one in (real, *(parent for parent in real.parents if parent.is_relative_to(folder))):
        info = one.stat()
        if info.st_mode & 0o022 or (os.name == "posix" and info.st_uid not in (0, os.getuid())):
            raise ForbiddenError(f"{one} can be written by others than you: chmod go-w it, or move it")
    return real


def judge(case: Case, output: str, code: dict[str, Path], seconds: float = SECONDS) -> Verdict:
    """Blocks, at most ``seconds``. ``code`` as from :func:`code_of`."""
    expected = case.expected
    value = expected.value or ""
    match expected.strategy:
        case "exact":
            return Verdict(True) if output == value else Verdict(False, f"is not exactly {_short(value)}")
        case "contains":
            found = value.casefold() in output.casefold()
            return Verdict(True) if found else Verdict(False, f"does not contain {_short(value)}")
        case "regex":
            order: dict[str, object] = {"kind": "regex", "value": value, "output": output}
            return _asked(order, expected, seconds)
        case "custom":
            name = expected.call or ""
            order = {"kind": "custom", "file": str(code[name]), "name": name.partition(":")[2], "output": output}
            return _asked(order, expected, seconds)


def _asked(order: dict[str, object], expected: Expected, seconds: float) -> Verdict:
    what = f"{expected.strategy} {_short(expected.value or expected.call or '')}"
    with subprocess.Popen(  # noqa: S603 -- our own file
        [sys.executable, "-I", "-B", judge_child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8"},
        start_new_session=True,
    ) as child:
        try:
            said, _ = child.communicate(json.dumps(order).encode(), seconds)
        except subprocess.TimeoutExpired:
            _end(child)
            return Verdict(False, f"{what} took longer than {seconds:g} s")
    try:
        answer = json.loads(said)
        passed, reason = bool(answer["passed"]), str(answer["reason"])
    except (ValueError, KeyError, TypeError):
        return Verdict(False, f"{what} ended without a word (exit code {child.returncode})")
    return Verdict(passed, "" if passed else reason or f"{what} says no")


def _end(child: subprocess.Popen[bytes]) -> None:
    """With whatever it has started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
