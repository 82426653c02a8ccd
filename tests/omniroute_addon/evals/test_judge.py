"""Right and wrong by each strategy, and what a check cannot do to us."""

import os
import time
from pathlib import Path

import pytest

from omniroute_addon.evals.judge import ForbiddenError, Verdict, code_of, judge
from omniroute_addon.evals.suite import Case, Suite

CHECKS = """\
import os, subprocess, sys, time

def short(output):
    print("checking", output)
    return len(output) < 10

def yes(output):
    return "yes"

def broken(output):
    return 1 / 0

def leaves(output):
    os._exit(0)

def exits(output):
    sys.exit(0)

def hangs(output):
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)

def writes(output):
    with open(__file__ + ".written", "w") as file:
        file.write("x" * 10)
    return True

def greedy(output):
    return len(bytearray(8 << 30)) > 0

def environment(output):
    return not any("SECRET" in name for name in os.environ)
"""


def case(strategy: str, value: str) -> Case:
    expected = {"strategy": strategy, "call" if strategy == "custom" else "value": value}
    return Case.model_validate({"id": "c", "input": {"messages": [{}]}, "expected": expected})


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The path of a suite with checks beside it."""
    tmp_path.chmod(0o755)
    checks = tmp_path / "checks.py"
    checks.write_text(CHECKS)
    checks.chmod(0o644)
    return tmp_path / "suite.yaml"


def trusted(path: Path, call: str) -> dict[str, Path]:
    return code_of(Suite(id="s", cases=(case("custom", call),)), path, allowed=True)


@pytest.mark.parametrize(
    "strategy, value, output, passed",
    [
        ("exact", "4", "4", True),
        ("exact", "4", "4\n", False),
        ("exact", "four", "Four", False),
        ("contains", "PARIS", "It is Paris.", True),
        ("contains", "straße", "STRASSE", True),
        ("contains", "Rome", "It is Paris.", False),
        ("regex", "1.*2.*3", "say 1, 2, 3", True),
        ("regex", "(?i)^true", "TRUE", True),
        ("regex", "^b", "a\nb", False),
    ],
)
def test_a_strategy_decides(strategy: str, value: str, output: str, passed: bool) -> None:
    assert judge(case(strategy, value), output, {}).passed is passed


def test_a_failure_says_what_was_expected() -> None:
    assert judge(case("contains", "Rome"), "Paris", {}) == Verdict(False, "does not contain 'Rome'")


def test_a_regex_that_never_ends_is_ended() -> None:
    began = time.monotonic()
    verdict = judge(case("regex", "(a+)+$"), "a" * 40 + "b", {}, seconds=1)
    assert (verdict.passed, "took longer than 1 s" in verdict.reason, time.monotonic() - began < 10) == (
        False,
        True,
        True,
    )


@pytest.mark.parametrize("output, passed", [("short", True), ("much too long", False)])
def test_a_custom_check_decides(suite: Path, output: str, passed: bool) -> None:
    assert judge(case("custom", "checks:short"), output, trusted(suite, "checks:short")).passed is passed


@pytest.mark.parametrize(
    "name, said",
    [
        ("yes", "returned str, not true or false"),
        ("broken", "ZeroDivisionError"),
        ("nothing", "AttributeError"),
        ("leaves", "ended without a word"),
        ("exits", "SystemExit"),
        ("greedy", "MemoryError"),
        ("writes", "OSError"),
    ],
)
def test_a_check_that_misbehaves_has_not_passed(suite: Path, name: str, said: str) -> None:
    verdict = judge(case("custom", f"checks:{name}"), "x", trusted(suite, f"checks:{name}"))
    assert (verdict.passed, said in verdict.reason) == (False, True), verdict.reason


def test_a_check_that_hangs_is_ended_with_its_children(suite: Path) -> None:
    began = time.monotonic()
    verdict = judge(case("custom", "checks:hangs"), "x", trusted(suite, "checks:hangs"), seconds=1)
    assert ("took longer" in verdict.reason, time.monotonic() - began < 10) == (True, True)


def test_a_check_sees_nothing_of_our_environment(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_KEY", "canary")
    assert judge(case("custom", "checks:environment"), "x", trusted(suite, "checks:environment")).passed


def test_code_needs_leave(suite: Path) -> None:
    with pytest.raises(ForbiddenError, match="which is not allowed"):
        code_of(Suite(id="s", cases=(case("custom", "checks:short"),)), suite, allowed=False)


def test_a_suite_without_code_needs_none(suite: Path) -> None:
    assert code_of(Suite(id="s", cases=(case("exact", "x"),)), suite, allowed=False) == {}


def test_a_file_that_others_can_write_is_not_run(suite: Path) -> None:
    suite.with_name("checks.py").chmod(0o666)
    with pytest.raises(ForbiddenError, match="can be written by others"):
        trusted(suite, "checks:short")


def test_a_folder_that_others_can_write_is_not_trusted(suite: Path) -> None:
    suite.parent.chmod(0o777)
    with pytest.raises(ForbiddenError, match="can be written by others"):
        trusted(suite, "checks:short")


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_out_of_the_folder_is_not_followed(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checks.py"
    elsewhere.write_text(CHECKS)
    suite.with_name("linked.py").symlink_to(elsewhere)
    with pytest.raises(ForbiddenError, match="no file beside the suite"):
        trusted(suite, "linked:short")


def test_a_module_that_is_not_there_is_said(suite: Path) -> None:
    with pytest.raises(ForbiddenError, match="No such file"):
        trusted(suite, "none:short")
