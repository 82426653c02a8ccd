"""Secrets at rest."""

import json
from pathlib import Path

import pytest

from omniroute_addon.accounts.vault import Vault, VaultError, from_vault


def test_a_secret_comes_back(tmp_path: Path) -> None:
    Vault(tmp_path).set("glm", "s3cret-ключ")
    assert Vault(tmp_path).get("glm") == "s3cret-ключ"


def test_an_unknown_name_is_none(tmp_path: Path) -> None:
    assert Vault(tmp_path).get("nobody") is None


def test_reading_creates_nothing(tmp_path: Path) -> None:
    assert Vault(tmp_path / "home").list() == ()
    assert not (tmp_path / "home").exists()


def test_no_file_has_the_secret_in_it(tmp_path: Path) -> None:
    Vault(tmp_path).set("glm", "canary-canary")
    assert all(b"canary" not in path.read_bytes() for path in tmp_path.iterdir())


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    Vault(home).set("glm", "x")
    assert home.stat().st_mode & 0o777 == 0o700
    assert {(home / name).stat().st_mode & 0o777 for name in ("vault.json", "vault.key")} == {0o600}


def test_names_are_listed_in_order(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set("b", "1")
    vault.set("a", "2")
    assert vault.list() == ("a", "b")


def test_a_secret_is_replaced(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set("a", "old")
    vault.set("a", "new")
    assert vault.get("a") == "new"


def test_a_secret_is_deleted_once(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set("a", "x")
    assert (vault.delete("a"), vault.delete("a"), vault.get("a")) == (True, False, None)


def test_the_same_secret_twice_looks_different(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set("a", "x")
    vault.set("b", "x")
    entries = json.loads((tmp_path / "vault.json").read_text())["entries"]
    assert entries["a"] != entries["b"]


def test_swapped_entries_are_found_out(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set("a", "x")
    vault.set("b", "y")
    value = json.loads((tmp_path / "vault.json").read_text())
    value["entries"]["a"] = value["entries"]["b"]
    (tmp_path / "vault.json").write_text(json.dumps(value))
    with pytest.raises(VaultError, match="entry 'a' cannot be decrypted"):
        vault.get("a")


def test_a_lost_key_is_not_replaced_over_entries(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set("a", "x")
    (tmp_path / "vault.key").unlink()
    with pytest.raises(VaultError, match=r"vault\.key is missing"):
        vault.set("b", "y")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 9, "entries": {}}', '{"version": 1, "entries": {"a": 1}}']
)
def test_a_damaged_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "vault.json").write_text(content)
    with pytest.raises(VaultError):
        Vault(tmp_path).list()


@pytest.mark.parametrize("name, secret", [("", "x"), ("a", "")])
def test_an_entry_needs_a_name_and_a_secret(tmp_path: Path, name: str, secret: str) -> None:
    with pytest.raises(ValueError, match="needs a name and a secret"):
        Vault(tmp_path).set(name, secret)


def test_the_configuration_reads_the_data_dirs_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path))
    Vault().set("glm", "x")
    assert (from_vault("glm"), from_vault("none")) == ("x", None)


def test_a_damaged_vault_does_not_stop_the_configuration_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path))
    (tmp_path / "vault.json").write_text("broken")
    assert (from_vault("glm"), from_vault("kimi")) == (None, None)
    assert [record.getMessage().endswith("vault.json: not JSON") for record in caplog.records] == [True]
