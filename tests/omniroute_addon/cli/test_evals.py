"""``omniroute evals`` as the real command, through a real proxy to a loopback provider."""

import json
from pathlib import Path

import pytest

from omniroute_addon.evals.suite import available, load
from tests.omniroute_addon.cli.conftest import Omniroute
from tests.omniroute_addon.evals.test_suite import RIGHT
from tests.servers.faults import quota
from tests.servers.provider import Provider, Received
from tests.servers.steps import Step, says

QUESTIONS = {
    case.input["messages"][0]["content"]: case.id  # type: ignore[index,call-overload]
    for case in load(available(Path("/nowhere"))["golden"]).cases
}


def clever(request: Received) -> Step:
    """Knows the golden set, but model ``weak`` cannot count."""
    case = QUESTIONS[request.json["messages"][-1]["content"]]
    return says("One, two." if request.model == "weak" and case == "gs-09" else RIGHT[case])


@pytest.fixture
def config(tmp_path: Path, provider: Provider) -> Path:
    provider.otherwise = clever
    path = tmp_path / "rules.yaml"
    path.write_text(
        'version: 1\nlisten: {proxy: "127.0.0.1:0", gateway: "127.0.0.1:0", web: null}\n'
        f"providers: {{up: {{format: openai-chat, base_url: '{provider.url('openai-chat')}', auth: bearer}}}}\n"
        "accounts: [{name: main, provider: up, key: a-key-of-mine}]\n"
        'prices: {"up/*": {input: 100, output: 100}}\n'
    )
    return path


def test_the_golden_set_passes_at_a_good_model_with_its_costs(omniroute: Omniroute, config: Path) -> None:
    done = omniroute("evals", "run", "golden", "--target", "up/good", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    (card,) = json.loads(done.stdout)["cards"]
    assert (card["passRate"], card["total"], card["target"]) == (100, 10, "up/good")
    assert {(one["target"], one["account"], one["input"]) for one in card["results"]} == {("up/good", "main", 11)}
    assert card["cost"] == pytest.approx(10 * 18 * 100 / 1e6)


def test_two_targets_are_compared_and_the_threshold_decides(omniroute: Omniroute, config: Path) -> None:
    named = ("evals", "run", "golden", "-t", "up/weak", "-t", "up/good", "--config", str(config))
    strict, mild = omniroute(*named), omniroute(*named, "--threshold", "90")
    assert (strict.returncode, mild.returncode) == (1, 0)
    assert "✘ Counting" in strict.stdout
    assert "said: One, two." in strict.stdout
    rows = [line.split()[1] for line in strict.stdout.splitlines() if line.startswith("golden")]
    assert rows == ["up/good", "up/weak"]


def test_history_keeps_the_scores(omniroute: Omniroute, config: Path) -> None:
    for target in ("up/weak", "up/weak", "up/good"):
        omniroute("evals", "run", "golden", "-t", target, "--config", config)
    cards = json.loads(omniroute("evals", "history", "--json").stdout)
    assert [(card["target"], card["passRate"]) for card in cards] == [
        ("up/weak", 90),
        ("up/weak", 90),
        ("up/good", 100),
    ]
    table, one = omniroute("evals", "history"), omniroute("evals", "history", cards[0]["id"])
    assert "90 % → 90 %" in table.stdout
    assert "✘ Counting" in one.stdout


def test_the_calls_are_in_the_ledger_as_ours(omniroute: Omniroute, config: Path) -> None:
    omniroute("evals", "run", "golden", "-t", "up/good", "--config", config)
    done = omniroute("costs", "--by", "client", "--json", "--config", config)
    assert [line["client"] for line in json.loads(done.stdout)["rows"]] == ["omniroute-evals"]


def test_a_route_that_sends_it_elsewhere_is_said(omniroute: Omniroute, config: Path) -> None:
    with config.open("a") as file:
        file.write("routes: [{match: {model: '*'}, to: up/other}]\n")
    done = omniroute("evals", "run", "golden", "-t", "up/good", "--config", config)
    assert "! the rules had up/other answer" in done.stdout


def test_no_quota_is_a_failure_with_its_words(omniroute: Omniroute, config: Path, provider: Provider) -> None:
    provider.otherwise = lambda _: quota("openai-chat")
    done = omniroute("evals", "run", "golden", "-t", "up/good", "--config", config, "--json")
    (card,) = json.loads(done.stdout)["cards"]
    assert (done.returncode, card["passed"], {one["error"] for one in card["results"]}) == (1, 0, {True})


def test_a_gateway_that_asks_for_a_key_gets_it(omniroute: Omniroute, config: Path) -> None:
    with config.open("a") as file:
        file.write("keys: [{name: me, key: my-gateway-key-1}]\n")
    named = ("evals", "run", "golden", "-t", "up/good", "--config", str(config))
    without, with_key = omniroute(*named), omniroute(*named, OMNIROUTE_KEY="my-gateway-key-1")
    assert (without.returncode, "OMNIROUTE_KEY" in without.stderr, with_key.returncode) == (1, True, 0)


def test_code_of_a_suite_needs_leave(omniroute: Omniroute, config: Path, tmp_path: Path, provider: Provider) -> None:
    provider.otherwise = lambda _: says("four words of text")
    folder = tmp_path / "suites"
    folder.mkdir(mode=0o755)
    (folder / "checks.py").write_text("def words(output):\n    return len(output.split()) == 4\n")
    (folder / "mine.yaml").write_text(
        "id: mine\nmodel: up/good\ncases:\n  - {id: a, input: {messages: [{role: user, content: '?'}]},"
        " expected: {strategy: custom, call: 'checks:words'}}\n"
    )
    named = ("evals", "run", str(folder / "mine.yaml"), "--config", str(config))
    refused, allowed = omniroute(*named), omniroute(*named, "--allow-code")
    assert (refused.returncode, "--allow-code" in refused.stderr, len(provider.calls)) == (2, True, 1)
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr


def test_an_unknown_suite_and_a_missing_target_are_said(omniroute: Omniroute) -> None:
    unknown, missing = omniroute("evals", "run", "silver"), omniroute("evals", "run", "golden")
    assert (unknown.returncode, missing.returncode) == (2, 2)
    assert ("no suite 'silver'" in unknown.stderr, "--target" in missing.stderr) == (True, True)


def test_suites_are_listed_broken_ones_too(omniroute: Omniroute, home: Path) -> None:
    (home / "evals").mkdir(parents=True)
    (home / "evals" / "bad.yaml").write_text("id: bad\n")
    listed = json.loads(omniroute("evals", "list", "--json").stdout)
    assert [(one["name"], one["cases"], "cannot be used" in one["description"]) for one in listed] == [
        ("golden", 10, False),
        ("bad", 0, True),
    ]
