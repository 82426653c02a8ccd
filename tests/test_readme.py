"""The examples of the README run, and print what they say they print."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
SECTION = README.partition("## Translators as a library\n")[2].partition("\n## ")[0]
SHOWN = re.compile(r"# → (.*)$", re.MULTILINE)


def test_the_library_s_examples_say_what_comes_of_them() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue().splitlines() == SHOWN.findall(code)


def test_the_example_of_the_command_line_is_what_it_answers(tmp_path: Path) -> None:
    shown = re.search(r"\$ omniroute (translate .*) request\.json\n((?: {4}.*\n)+)", SECTION)
    asked = re.search(r"asked = b'(.*)'", SECTION)
    assert shown
    assert asked
    file = tmp_path / "request.json"
    file.write_text(asked[1])
    command = [sys.executable, "-m", "omniroute_addon", *shown[1].split(), str(file)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = [line.removeprefix("    ") for line in shown[2].splitlines()]
    assert answer.stdout.splitlines() == expected[:1]
    for line in expected[1:]:
        for word in re.split(r" {2,}", line):
            assert word in answer.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (Path(__file__).parents[1] / link).exists()
