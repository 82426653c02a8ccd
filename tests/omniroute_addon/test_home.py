"""Where the data dir is, and that what is written there is whole and private."""

import stat
from pathlib import Path

import pytest

from omniroute_addon import home


@pytest.mark.parametrize(
    "env,expected",
    [
        ({"OMNIROUTE_HOME": "/data", "XDG_CONFIG_HOME": "/xdg", "HOME": "/me"}, "/data"),
        ({"XDG_CONFIG_HOME": "/xdg", "HOME": "/me"}, "/xdg/omniroute"),
        ({"OMNIROUTE_HOME": "", "XDG_CONFIG_HOME": "", "HOME": "/me"}, "/me/.omniroute"),
    ],
)
def test_the_first_variable_that_is_set_names_it(env: dict[str, str], expected: str) -> None:
    assert home.data_dir(env) == Path(expected)


def test_a_directory_that_others_could_enter_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert stat.S_IMODE(home.private_dir(tmp_path / "open").stat().st_mode) == 0o700


def test_a_private_file_is_for_its_owner_only(tmp_path: Path) -> None:
    home.write_private(tmp_path / "new" / "secret", b"value")
    assert stat.S_IMODE((tmp_path / "new" / "secret").stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    home.write_private(tmp_path / "secret", b"old")
    with pytest.raises(TypeError):
        home.write_private(tmp_path / "secret", "text")  # pyright: ignore[reportArgumentType]  # the error is the test
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("secret", b"old")]


def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    home.create_private(tmp_path / "rules", b"first")
    with pytest.raises(FileExistsError):
        home.create_private(tmp_path / "rules", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("rules", b"first")]
