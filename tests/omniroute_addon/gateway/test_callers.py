"""Whose key a call shows."""

import base64
from dataclasses import replace

import pytest

from omniroute_addon.config.models import ApiKey
from omniroute_addon.gateway.callers import Found, digest, find, is_good, shown, shown_to_proxy

CI = ApiKey("ci", digest("key-of-ci"))
LAPTOP = ApiKey("laptop", digest("key-of-laptop"))
KEYS = (CI, LAPTOP)


@pytest.mark.parametrize(
    "headers, query",
    [
        ([("Authorization", "Bearer key-of-ci")], ""),
        ([("authorization", "bearer  key-of-ci ")], ""),
        ([("Authorization", "key-of-ci")], ""),
        ([("X-Api-Key", "key-of-ci")], ""),
        ([("x-goog-api-key", "key-of-ci")], ""),
        ([], "alt=sse&key=key-of-ci"),
        ([], "key=key%2Dof%2Dci"),
        ([("authorization", "Bearer its-own-login"), ("x-api-key", "key-of-ci")], ""),
    ],
)
def test_a_key_is_found_wherever_a_format_puts_it(headers: list[tuple[str, str]], query: str) -> None:
    assert find(KEYS, shown(headers, query), 0) == Found("ci")


def test_a_wrong_key_is_none_of_them() -> None:
    proofs = shown([("x-api-key", "key-of-c")])
    assert find(KEYS, proofs, 0) == Found(wrong=proofs[0])


@pytest.mark.parametrize(
    "headers", [[], [("authorization", "Bearer ")], [("x-api-key", "  ")], [("cookie", "key-of-ci")]]
)
def test_no_key_is_not_a_wrong_key(headers: list[tuple[str, str]]) -> None:
    assert find(KEYS, shown(headers), 0) == Found()


def test_an_expired_key_says_so() -> None:
    keys = (replace(CI, expires=100.0), LAPTOP)
    assert find(keys, shown([("x-api-key", "key-of-ci")]), 99.9) == Found("ci")
    assert find(keys, shown([("x-api-key", "key-of-ci")]), 100) == Found(expired="ci")


def test_a_disabled_key_is_a_wrong_one() -> None:
    found = find((replace(CI, enabled=False),), shown([("x-api-key", "key-of-ci")]), 0)
    assert (found.name, found.wrong is not None) == (None, True)


def test_a_key_whose_secret_is_missing_lets_nobody_in() -> None:
    assert find((ApiKey("ci", missing="not set"),), shown([("x-api-key", "")]), 0).name is None


def test_the_secret_is_in_no_text_of_the_values() -> None:
    assert "key-of-ci" not in repr(shown([("x-api-key", "key-of-ci")])) + repr(KEYS)
    assert CI.digest is not None
    assert repr(CI.digest) not in repr(KEYS)


@pytest.mark.parametrize("pair", ["key-of-ci:", "anybody:key-of-ci", ":key-of-ci"])
def test_a_proxy_s_address_carries_a_key(pair: str) -> None:
    assert find(KEYS, shown_to_proxy(f"Basic {base64.b64encode(pair.encode()).decode()}"), 0) == Found("ci")


def test_a_bearer_is_a_key_at_the_proxy_too() -> None:
    assert find(KEYS, shown_to_proxy("Bearer key-of-ci"), 0) == Found("ci")


@pytest.mark.parametrize("value", ["", "Basic", "Basic %%%", "Basic /w==", "Basic Og==", "Digest a=b", "Bearer "])
def test_what_cannot_be_read_shows_no_key(value: str) -> None:
    assert shown_to_proxy(value) == ()


def test_a_key_is_good_while_it_is_in_the_rules_enabled_and_in_time() -> None:
    assert is_good(KEYS, "ci", 0)
    assert not is_good((LAPTOP,), "ci", 0)
    assert not is_good((replace(CI, enabled=False),), "ci", 0)
    assert not is_good((replace(CI, expires=5.0),), "ci", 5)
