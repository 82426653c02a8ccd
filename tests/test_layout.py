"""The shape of the tree: short files, and a test file for every source file that can have one."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("translators", "omniroute_addon")
LINES = 500

UNTESTED_ALONE = {
    "omniroute_addon/__main__.py": "one call; every test that starts the proxy runs it",
    "omniroute_addon/proxy.py": "composition of a process; tests/e2e and tests/web run it whole",
    "omniroute_addon/script.py": "composition; mitmproxy loads it",
    "omniroute_addon/addons/captured.py": "what commands do; tests/web/test_commands.py runs them in mitmweb and mitmproxy",
    "omniroute_addon/addons/commands.py": "mitmproxy commands; tests/web/test_commands.py",
    "omniroute_addon/addons/inspect.py": "what mitmweb shows; tests/web reads it there",
    "omniroute_addon/addons/mitmweb.py": "mitmweb as a whole; tests/web looks at it",
    "omniroute_addon/addons/lifecycle.py": "mitmproxy hooks; every test that starts the proxy runs them",
    "omniroute_addon/addons/outgoing.py": "mitmproxy's connections; tests/e2e/test_outbound.py opens them",
    "omniroute_addon/addons/view.py": "what mitmweb shows; tests/web reads it there",
    "omniroute_addon/cli/demo.py": "it tests itself: non-zero exit when a link of its chain did not happen",
    "omniroute_addon/cli/demo_providers.py": "the demo's loopback servers",
    "omniroute_addon/cli/options.py": "declarations that every command's tests use",
    "omniroute_addon/config/build.py": "the second half of a load; test_load.py",
    "omniroute_addon/config/caching.py": "values; test_schema.py and test_semantic.py read them from YAML",
    "omniroute_addon/config/document.py": "the YAML reader of a load; test_load.py",
    "omniroute_addon/config/models.py": "values; test_load.py",
    "omniroute_addon/config/names.py": "the name checks of a load; test_load.py",
    "omniroute_addon/config/paths.py": "where the shipped YAML lies; test_registry.py",
    "omniroute_addon/config/secret.py": "values and one look-up; test_keys.py, test_load.py and test_outbound.py",
    "omniroute_addon/config/validate.py": "the checks of a load; test_load.py",
    "omniroute_addon/engine/call.py": "values; test_exchange.py",
    "omniroute_addon/engine/reading.py": "the reading half of an attempt; test_exchange.py",
    "omniroute_addon/engine/records.py": "values; test_exchange.py and test_bypassed.py read them",
    "omniroute_addon/engine/resend.py": "the sending half of a replayed attempt; tests/web replays one",
    "omniroute_addon/config/logs.py": "values; test_schema.py and test_load.py read them from YAML",
    "omniroute_addon/config/governance.py": "values; test_schema.py and test_load.py read them from YAML",
    "omniroute_addon/engine/answered.py": "what test_bypassed.py and test_replayed.py have in common",
    "omniroute_addon/evals/judge_child.py": "the other half of judge.py",
    "omniroute_addon/gateway": "paths of the gateway; tests/e2e calls them",
    "omniroute_addon/ledger/schema.py": "statements that test_store.py runs",
    "omniroute_addon/routing/candidate.py": "values; test_plan.py",
    "omniroute_addon/routing/state.py": "a protocol; test_plan.py and test_standing.py",
    "omniroute_addon/web/mount.py": "composition; test_handlers.py walks over what it serves",
    "omniroute_addon/web/site.py": "what pages may see; the tests of every page",
    "translators/errors.py": "exception classes without behaviour",
    "translators/signatures.py": "wrapped and unwrapped by the ownership and thinking tests of every format",
    "translators/format.py": "protocols and values; tests/test_formats.py holds every format to them",
    "translators/hub.py": "values; every test of a format makes them",
}
"""Files and folders without a test file of the same name, each with its reason."""


def sources() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    )


def places_of(source: str) -> list[Path]:
    """Where a file's tests may stand: in the mirror, as one file, several, or a folder.

    A wire format of several files is tested as one thing: by its bytes.
    """
    path = ROOT / "tests" / source
    several = list(path.parent.glob(f"test_{path.stem}_*.py"))
    whole_format = [path.parent, path.parent.with_name(f"test_{path.parent.name}.py")] if "/formats/" in source else []
    return [path.with_name(f"test_{path.name}"), path.with_suffix(""), *several, *whole_format]


def excused(source: str) -> bool:
    return any(source == name or source.startswith(f"{name}/") for name in UNTESTED_ALONE)


@pytest.mark.parametrize("source", [one for one in sources() if not excused(one)])
def test_a_source_file_has_a_test_file(source: str) -> None:
    assert any(path.exists() for path in places_of(source))


@pytest.mark.parametrize("name", UNTESTED_ALONE)
def test_an_excuse_names_something_that_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_no_file_is_longer_than_anyone_reads() -> None:
    found = [path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in found}
    assert {name: length for name, length in lengths.items() if length > LINES} == {}
