"""The list of formats: each is there under its own name, and imported by nobody who does not ask for it."""

import subprocess
import sys

import pytest

from translators import FORMATS


def test_each_format_is_listed_under_its_own_name() -> None:
    assert [FORMATS[name].name for name in FORMATS] == list(FORMATS)
    assert len(FORMATS) == len(set(FORMATS))


def test_what_is_not_listed_is_no_format() -> None:
    assert "toy" not in FORMATS
    with pytest.raises(KeyError):
        FORMATS["toy"]


def test_a_format_is_made_once() -> None:
    assert FORMATS["gemini"] is FORMATS["gemini"]


def test_only_what_is_asked_for_is_imported() -> None:
    code = (
        "import sys, translators\n'gemini' in translators.FORMATS\ntranslators.FORMATS['openai-chat']\n"
        "print([name for name in sys.modules if name.startswith('translators.formats.') and name.count('.') == 2])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['translators.formats.openai_chat']"
