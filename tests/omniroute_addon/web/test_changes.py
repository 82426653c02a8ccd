"""What a reload changed, without secrets."""

from pathlib import Path

from omniroute_addon.config import load
from omniroute_addon.web.changes import KEPT, Changes

SECRET = "the-canary-0123456789"
RULES = "version: 1\naccounts: [{{name: a, provider: glm, key: {key}}}]\nroutes: [{{to: {to}}}]\n"


def test_a_change_is_the_lines_that_differ(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(key=SECRET, to="origin"))
    changes = Changes(load(file))
    file.write_text(RULES.format(key=SECRET, to="glm/glm-4.7"))
    changes.renewed(load(file))
    lines = changes.latest[0].lines
    assert [line for line in lines if line[0] in "+-"] == ["-routes: [{to: origin}]", "+routes: [{to: glm/glm-4.7}]"]
    assert SECRET not in str(lines)


def test_the_latest_changes_are_kept_and_a_file_that_is_gone_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(key=SECRET, to="origin"))
    snapshot = load(file)
    changes = Changes(snapshot)
    file.unlink()
    for _ in range(KEPT + 3):
        changes.renewed(snapshot)
    assert len(changes.latest) == KEPT
    assert any(line.startswith("-") for line in changes.latest[-1].lines) is False
