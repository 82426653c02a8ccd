"""Who may call: keys of the rules, and listeners that other machines can reach."""

from hashlib import sha256

import pytest

from tests.omniroute_addon.config.test_load import problems, snapshot

SECRET = "a-key-that-is-long-enough"
DIGEST = sha256(SECRET.encode()).digest()


def test_a_key_is_kept_as_its_digest_alone() -> None:
    loaded = snapshot("{version: 1, keys: [{name: ci, key: '${CI}'}]}", {"CI": f" {SECRET}\n"})
    assert [(key.name, key.digest) for key in loaded.keys] == [("ci", DIGEST)]
    assert SECRET not in repr(loaded)


def test_a_key_may_come_from_the_vault() -> None:
    text = "{version: 1, keys: [{name: ci, key: {vault: ci-key}}]}"
    assert snapshot(text, secrets={"ci-key": SECRET}.get).keys[0].digest == DIGEST


def test_a_digest_is_enough() -> None:
    assert snapshot(f"{{version: 1, keys: [{{name: ci, sha256: '{DIGEST.hex()}'}}]}}").keys[0].digest == DIGEST


@pytest.mark.parametrize(
    "written, expires",
    [
        ("1970-01-02", 86400),
        ("1970-01-01T00:01:00Z", 60),
        ("'1970-01-01T02:00:00+02:00'", 0),
    ],
)
def test_a_key_expires_at_a_day_or_an_instant(written: str, expires: float) -> None:
    text = f"{{version: 1, keys: [{{name: ci, key: {SECRET}, expires: {written}}}]}}"
    assert snapshot(text).keys[0].expires == expires


def test_a_key_without_its_variable_is_a_warning_and_lets_nobody_in() -> None:
    loaded = snapshot("version: 1\nkeys:\n  - {name: ci, key: '${CI}'}\n")
    assert loaded.keys[0].digest is None
    assert [str(warning) for warning in loaded.warnings] == [
        "rules.yaml:3: keys[0].key: nobody can call as ci: environment variable CI is not set"
    ]


@pytest.mark.parametrize(
    "key, problem",
    [
        ("{name: ci}", "rules.yaml:4: keys[1]: needs either 'key' or 'sha256'"),
        (
            f"{{name: ci, key: {SECRET}, sha256: '{DIGEST.hex()}'}}",
            "rules.yaml:4: keys[1]: needs either 'key' or 'sha256'",
        ),
        ("{name: ci, key: short}", "rules.yaml:4: keys[1].key: is shorter than 16 characters: it could be guessed"),
        (f"{{name: other, key: another-{SECRET}}}", "rules.yaml:4: keys[1].name: key 'other' is named twice"),
        (f"{{name: ci, key: {SECRET}}}", "rules.yaml:4: keys[1]: key 'ci' is the same as 'other'"),
    ],
)
def test_a_key_that_cannot_be_used_is_told(key: str, problem: str) -> None:
    found = problems(f"version: 1\nkeys:\n  - {{name: other, key: {SECRET}}}\n  - {key}\n")
    assert problem in found
    assert not any(SECRET in line for line in found)


@pytest.mark.parametrize("name", ["proxy", "gateway"])
@pytest.mark.parametrize("address", ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080", "example.com:8080"])
def test_other_machines_need_a_key(name: str, address: str) -> None:
    text = f"version: 1\nlisten:\n  {name}: '{address}'\n"
    [problem] = problems(text)
    assert problem.startswith(
        f"rules.yaml:3: listen.{name}: {address.rpartition(':')[0].strip('[]')} is not a loopback"
    )
    assert "add one under keys" in problem
    assert snapshot(f"{text}keys: [{{name: ci, key: {SECRET}}}]").listen


def test_a_disabled_key_opens_no_listener() -> None:
    text = "version: 1\nlisten: {gateway: '0.0.0.0:1'}\nkeys: [{name: ci, key: a-key-that-is-long, enabled: false}]"
    assert len(problems(text)) == 1


def test_the_pages_are_for_this_machine_alone() -> None:
    text = f"version: 1\nlisten:\n  web: '0.0.0.0:8081'\nkeys: [{{name: ci, key: {SECRET}}}]"
    [problem] = problems(text)
    assert problem.startswith("rules.yaml:3: listen.web: 0.0.0.0 is not a loopback address")


def test_asking_for_keys_needs_a_key() -> None:
    [problem] = problems("version: 1\nlisten:\n  proxy_auth: true\n")
    assert problem == "rules.yaml:3: listen.proxy_auth: there is no key to ask for: add one under keys"
    assert snapshot(
        f"{{version: 1, listen: {{proxy_auth: true}}, keys: [{{name: ci, key: {SECRET}}}]}}"
    ).listen.proxy_auth
