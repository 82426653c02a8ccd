"""The command as a whole: it starts fast, and no error shows a traceback or a secret."""

import subprocess
import sys
from pathlib import Path

from omniroute_addon import __version__
from tests.omniroute_addon.cli.conftest import ROOT, Omniroute


def test_help_names_every_command(omniroute: Omniroute) -> None:
    said = omniroute("--help").stdout
    names = ["up", "run", "env", "status", "doctor", "check", "explain", "translate", "demo", "version", "ca", "vault"]
    assert [name for name in names if f"  {name} " not in said] == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from omniroute_addon.cli import app; "
        "print([m for m in ('mitmproxy', 'httpx', 'pydantic', 'cryptography', 'yaml', 'translators') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


def test_version(omniroute: Omniroute) -> None:
    assert omniroute("version").stdout.splitlines()[0] == f"omniroute {__version__}"


def test_a_missing_file_is_one_line(omniroute: Omniroute) -> None:
    result = omniroute("translate", "--from", "gemini", "--to", "openai-chat", "nowhere.json")
    assert (result.returncode, result.stderr) == (1, "omniroute: nowhere.json: No such file or directory\n")


def test_an_unexpected_error_shows_its_place_and_not_its_text(omniroute: Omniroute, tmp_path: Path) -> None:
    # A yaml module that fails stands for a bug of ours.
    (tmp_path / "yaml.py").write_text("raise RuntimeError('sk-secret-value')")
    result = omniroute("check", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (result.returncode, "RuntimeError in yaml.py:1" in result.stderr, "sk-secret" in result.stderr) == (
        1,
        True,
        False,
    )


def test_a_reader_that_leaves_early_is_no_error(env: dict[str, str]) -> None:
    command = f"{sys.executable} -m omniroute_addon --help | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env, check=False)
    assert result.stderr == ""


def test_completion_is_offered(omniroute: Omniroute) -> None:
    assert (
        "_OMNIROUTE_COMPLETE"
        in omniroute(
            "--show-completion", "bash", SHELL="/bin/bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
        ).stdout
    )


def test_what_cannot_be_written_is_an_exit_code(env: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "omniroute_addon", "version"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=env, check=False)
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
