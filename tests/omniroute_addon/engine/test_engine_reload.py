"""A changed rule file holds for the next call, a broken one changes nothing; every section that decides where calls go."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, Reloader, Snapshot, load
from omniroute_addon.engine.engine import Engine
from omniroute_addon.routing import Ask, Plan
from tests.omniroute_addon.engine.stage import Watched, claude
from tests.omniroute_addon.routing.rules import CLAUDE, accounts, reasons, targets

BASE = """\
version: 1
accounts: [{name: a, provider: glm, key: k}, {name: b, provider: glm, key: k}, {name: c, provider: groq, key: k}]
"""
CHEAPEST = "combos: {x: {strategy: cost-optimized, targets: [glm/m, groq/n]}}\nroutes: [{to: x}]\n"
BOTH = "routes: [{to: [glm/m, groq/n]}]\n"


class Running:
    """An engine that follows a file."""

    def __init__(self, path: Path, rules: str) -> None:
        self._path = path
        path.write_text(BASE + rules)
        self.engine = Engine(load(path, env={}))
        self._reloader = Reloader(path, read=lambda file: load(file, env={}))

    def change(self, rules: str) -> None:
        later = self._path.stat().st_mtime_ns + 10**9
        self._path.write_text(BASE + rules)
        os.utime(self._path, ns=(later, later))
        match self._reloader.check():
            case Snapshot() as fresh:
                self.engine.use(fresh)
            case ConfigError():
                pass
            case None:
                raise AssertionError("the change is not seen")

    def plan(self, ask: Ask = CLAUDE) -> Plan:
        return self.engine.plan(ask)


type Probe = Callable[[Plan], object]


def first(found: Plan) -> object:
    return found.candidates[0].target


def account_rates(found: Plan) -> object:
    account = found.candidates[0].account
    return account and (account.rates.rpm, account.quota.keep)


@pytest.mark.parametrize(
    "before,after,probe,expected",
    [
        ("routes: [{to: glm/m}]", "routes: [{to: groq/n}]", targets, (["glm/m", "glm/m"], ["groq/n"])),
        (
            "routes: [{to: glm/m, match: {source: 10.0.0.0/8}}, {to: groq/n}]",
            "routes: [{to: glm/m, match: {source: 127.0.0.0/8}}, {to: groq/n}]",
            first,
            ("groq/n", "glm/m"),
        ),
        ("aliases: {claude-*: glm/m}", "aliases: {claude-*: groq/n}", first, ("glm/m", "groq/n")),
        (
            "combos: {x: {targets: [glm/m, groq/n]}}\nroutes: [{to: x}]",
            "combos: {x: {targets: [groq/n]}}\nroutes: [{to: x}]",
            first,
            ("glm/m", "groq/n"),
        ),
        (
            "routes: [{to: groq/n}]\nfallback_chains: {claude-*: [glm/m]}",
            "routes: [{to: groq/n}]",
            targets,
            (["groq/n", "glm/m", "glm/m"], ["groq/n"]),
        ),
        (BOTH, BOTH + "providers: {glm: {enabled: false}}", first, ("glm/m", "groq/n")),
        (BOTH, BOTH + "policies: [{name: p, deny: glm/*}]", first, ("glm/m", "groq/n")),
        (BOTH, BOTH + "policies: [{name: p, max_tokens: 7}]", lambda found: found.max_tokens, (None, 7)),
        (BOTH, BOTH + "budgets: [{name: b, daily: 0, match: {provider: glm}}]", first, ("glm/m", "groq/n")),
        (
            BOTH,
            BOTH + "budgets: [{name: b, daily: 0, on_exceed: deny}]",
            lambda found: found.denied and found.denied.name,
            (None, "b"),
        ),
        (
            BOTH + "rates: {rpm: 5}\nquota: {keep: 10%}",
            BOTH + "rates: {rpm: 9}\nquota: {keep: 20%}",
            account_rates,
            ((5, 0.1), (9, 0.2)),
        ),
        (
            CHEAPEST + "prices: {glm/*: {input: 1}, groq/*: {input: 2}}",
            CHEAPEST + "prices: {glm/*: {input: 2}, groq/*: {input: 1}}",
            first,
            ("glm/m", "groq/n"),
        ),
    ],
)
def test_a_changed_section_holds_for_the_next_call(
    tmp_path: Path, before: str, after: str, probe: Probe, expected: tuple[object, object]
) -> None:
    running = Running(tmp_path / "rules.yaml", before)
    ask = replace(CLAUDE, source="127.0.0.1")
    found = probe(running.plan(ask))
    running.change(after)
    assert (found, probe(running.plan(ask))) == expected


def test_a_changed_pool_holds_for_the_next_call(tmp_path: Path) -> None:
    running = Running(tmp_path / "rules.yaml", "routes: [{to: glm/m}]\npool: {strategy: fill-first}")
    before = running.plan()
    running.engine.standing.began(before.candidates[0])
    running.change("routes: [{to: glm/m}]\npool: {strategy: least-used}")
    assert (accounts(before), accounts(running.plan())) == (["a", "b"], ["b", "a"])


def test_a_new_account_is_there_for_the_next_call(tmp_path: Path) -> None:
    running = Running(tmp_path / "rules.yaml", "routes: [{to: deepseek/m}]")
    before = running.plan()
    rules = (tmp_path / "rules.yaml").read_text().removeprefix(BASE)
    running.change(rules + "\nproviders: {deepseek: {base_url: 'http://127.0.0.1:1/v1/chat/completions'}}")
    assert ("deepseek/m" in reasons(before), targets(running.plan())) == (True, ["deepseek/m"])


def test_a_changed_bypass_holds_for_the_next_call(tmp_path: Path) -> None:
    running = Running(tmp_path / "rules.yaml", BOTH)
    wire = replace(
        claude().wire,
        body=b'{"model":"claude-haiku-4-5","max_tokens":1,"messages":[{"role":"user","content":"Warmup"}]}',
    )
    call = replace(claude(), wire=wire)
    before = running.engine.bypassed(call, Watched(), CLAUDE)
    running.change(BOTH + "bypass: {warmup: true}")
    assert (before, running.engine.bypassed(call, Watched(), CLAUDE) is None) == (None, False)


@pytest.mark.parametrize(
    "broken",
    [
        "routes: [{to: nowhere}]",
        "routes: [{to: groq/n}]\nbudgets: [{name: b}]",
        "routes: [{to: groq/n}]\npolicies: [{name: p, denny: x}]",
        "routes: [{to: groq/n}]\nquota: {keep: most}",
        "routes: [{to: groq/n}]\nprices: {glm/*: free}",
        "routes: [{to: groq/n}]\npool: {strategy: best}",
        "routes: [{to: groq/n}]\nrates: {rpm: -1}",
        "routes: [{to: groq/n}]\nbypass: {all: true}",
        "routes: [",
    ],
)
def test_a_broken_edit_keeps_the_rules(tmp_path: Path, broken: str) -> None:
    running = Running(tmp_path / "rules.yaml", "routes: [{to: glm/m}]")
    running.change(broken)
    assert first(running.plan()) == "glm/m"
