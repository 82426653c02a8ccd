"""What is known to be secret, and what looks like it, is not in the text any more; nothing else is touched."""

import time

import pytest

from omniroute_addon.logs.redaction import REDACTED, Redaction

KEYS = (
    "sk-ant-api03-" + "aB3_" * 10,
    "sk-" + "x" * 40,
    "gsk_" + "a1" * 20,
    "ghp_" + "a" * 36,
    "github_pat_" + "a1_" * 10,
    "AIza" + "S" * 35,
    "ya29." + "a0-" * 20,
    "AKIA" + "A" * 16,
    "xoxb-1234567890-abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2lnbmVk",
)


@pytest.mark.parametrize("key", KEYS)
def test_what_looks_like_a_key_goes(key: str) -> None:
    assert Redaction().text(f'KEY="{key}" and so on') == f'KEY="{REDACTED}" and so on'


def test_a_known_secret_goes_whatever_it_looks_like() -> None:
    assert Redaction(["correct horse battery"]).text("is correct horse battery!") == f"is {REDACTED}!"


def test_a_known_secret_goes_in_its_json_form_too() -> None:
    assert Redaction(['with "quotes" in it']).text(r'{"a": "with \"quotes\" in it"}') == f'{{"a": "{REDACTED}"}}'


def test_the_greater_part_of_a_secret_goes_where_a_text_was_cut_off() -> None:
    assert Redaction(["canary-0123456789-abcdef"]).text("it was canary-0123456789-a") == f"it was {REDACTED}"


def test_a_short_value_is_not_looked_for() -> None:
    assert Redaction(["abc"]).text("abcdef") == "abcdef"


@pytest.mark.parametrize("head", ["Authorization: Bearer ", "authorization: ", '"authorization": "Bearer ', "bearer "])
def test_an_authorization_goes(head: str) -> None:
    shown = Redaction().text(f"{head}0123456789abcdef and on")
    assert ("0123456789abcdef" in shown, REDACTED in shown, shown.endswith(" and on")) == (False, True, True)


def test_a_private_key_goes() -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nabc\n-----END RSA PRIVATE KEY-----"
    assert Redaction().text(f"a {pem} b") == f"a {REDACTED} b"


@pytest.mark.parametrize("text", ["I risk-taking am", "sk-short", "task-" + "a" * 30, "the bearer of news", "eyJ.a.b"])
def test_ordinary_words_stay(text: str) -> None:
    assert Redaction().text(text) == text


@pytest.mark.parametrize("piece", ["sk-", "eyJ", "-----BEGIN PRIVATE KEY-----", "authorization: ", "eyJaaaaaaaa."])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    began = time.perf_counter()
    Redaction().text(piece * (400_000 // len(piece)))
    assert time.perf_counter() - began < 5
