"""A tiny real call at one account, to see whether it answers; whatever rests, and past the account's learned quotas.

It is a call like any other: it costs a few tokens, holds to policies and budgets, and is in the ledger. What its answer's
headers tell of the account's quotas is learned. Nothing else changes: a reset is somebody's own decision.
"""

import random
import uuid
from dataclasses import replace

import orjson

from omniroute_addon.config.models import Account, Provider, Snapshot
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.standing import Standing
from omniroute_addon.ledger import AttemptRecord
from omniroute_addon.ledger.record import ExchangeRecord
from omniroute_addon.routing.ask import Ask, BodyFacts
from omniroute_addon.routing.forced import forced
from omniroute_addon.routing.plan import plan
from translators import WireRequest

CLIENT = "omniroute-test"
FORMAT = "anthropic-messages"
"""The one whose bound of the output every other format is told."""
QUESTION = "Reply with the word OK."
INPUT, OUTPUT = 20, 512
"""Tokens: of the question, roughly, and at most of the answer (a model that thinks needs some)."""


class Nobody:
    """An observer that needs to know nothing."""

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: object) -> None: ...

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None: ...

    def exchange_ended(self, exchange: ExchangeRecord) -> None: ...


def target_of(provider: Provider, snapshot: Snapshot) -> str | None:
    """What to ask: a target that the rules name at this provider, else its first model."""
    named = [entry.target for combo in snapshot.combos.values() for entry in combo.targets]
    named += [*(one for route in snapshot.routes for one in route.to), *snapshot.aliases.values()]
    for target in named:
        prefix, slash, model = target.partition("/")
        if slash and model != "*" and target not in snapshot.combos and snapshot.provider_of(prefix) == provider:
            return target
    model = next((one.name for one in provider.models if one.enabled), None)
    return None if model is None else f"{provider.id}/{model}"


def at_most(engine: Engine, provider: Provider, target: str) -> int | None:
    """Micro-dollars that the call may cost; None when nobody knows."""
    model = target.partition("/")[2]
    return engine.money.prices.estimate(provider.id, model, INPUT, OUTPUT, engine.now(), tier=provider.tier)


def trial(engine: Engine, account: Account | None, target: str) -> Exchange:
    """The exchange, to be run; then :func:`learn`."""
    body = {"model": target, "max_tokens": OUTPUT, "messages": [{"role": "user", "content": QUESTION}]}
    wire = WireRequest("POST", "/v1/messages", "", {"content-type": "application/json"}, orjson.dumps(body))
    call = Call(
        id=str(uuid.uuid4()),
        client=CLIENT,
        format=FORMAT,
        operation="generate",
        wire=wire,
        headers=tuple(wire.headers.items()),
        body=wire.body,
        scheme="http",
        host=CLIENT,
        port=80,
        path=wire.path,
        model=target,
        streaming=False,
        gateway=True,
        provider=None,
    )
    ask = Ask(CLIENT, FORMAT, target, gateway=True, headers=wire.headers, facts=BodyFacts(FORMAT, wire, wire.headers))
    rules = _only(account, forced(engine.snapshot, target))
    fresh = Standing(lambda: rules, engine.now, engine.money)  # so that nothing rests
    found = plan(ask, rules, fresh, engine.now(), random.Random(0))  # noqa: S311 -- there is nothing to draw
    return engine.exchange(call, found, Nobody(), standing=fresh, rules=rules)


def learn(engine: Engine, exchange: Exchange) -> None:
    """What the answer's headers have told is known from now on."""
    for candidate in exchange.plan.candidates[:1]:
        for attempt in exchange.record.attempts:
            engine.standing.learned(candidate, attempt.status, attempt.response_headers, None, engine.now())


def _only(account: Account | None, rules: Snapshot) -> Snapshot:
    if account is None:
        return rules
    return replace(rules, usable={**rules.usable, account.provider: (replace(account, enabled=True),)})
