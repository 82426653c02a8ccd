"""Captured calls asked about and sent again: what commands and pages do with a flow of the view. One per proxy.

A *pin* is one flow's own rule: its replays go to that target, whatever the rule file says. It changes neither the rules
nor what happens to calls of tools, so a wrong one costs one replay at most. Policies and budgets hold for replays, too.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mitmproxy import ctx, exceptions, http

from omniroute_addon.addons.inspect import KEY, PIN, Inspect, pinned, role
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.past import Past
from omniroute_addon.logs.writer import audit
from omniroute_addon.routing import explain
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.explain import Row
from omniroute_addon.routing.forced import forced, unknown
from omniroute_addon.routing.plan import Plan, plan
from translators.hub import JSON

MOST = 20
"""Calls that one order may send: every one may cost money."""
_NEXT = " · next: "


class NotACallError(ValueError):
    """What was asked of a flow cannot be done with it; the message is for people."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a captured call would go now, and why."""

    headline: str
    steps: tuple[str, ...]
    rows: tuple[Row, ...]
    budgets: tuple[dict[str, JSON], ...]
    facts: dict[str, JSON]
    """All of it for scripts."""

    def lines(self) -> list[str]:
        found = [self.headline, *self.steps]
        for row in self.rows:
            account = "" if row.account == "-" else f" ({row.account})"
            about = "; ".join(part for part in (row.address, row.note, row.why) if part)
            found.append(f"{'out' if row.order is None else f'{row.order}.'} {row.target}{account}: {about}")
        return [*found, *(f"budget {one['budget']}: {one['words']}" for one in self.budgets)]


@dataclass(frozen=True, slots=True)
class Sent:
    """One replay under way."""

    flow: str
    """The id of its row."""
    of: str
    target: str | None
    """None: the rules decide."""
    model: str | None


class Captured:
    def __init__(self, engine: Engine, inspect: Inspect, intercept: Intercept) -> None:
        self._engine = engine
        self._inspect = inspect
        self._intercept = intercept

    def explain(self, flow: http.HTTPFlow, target: str | None = None) -> Explanation:
        """The plan for a captured call as things stand; takes no turn and sends nothing. Raises NotACallError."""
        flow = self._call_of(flow)
        _, ask = self._read(flow)
        decided, now = self._plan(flow, ask, target)
        rules, standing = self._engine.snapshot, self._engine.standing
        budgets = tuple(Past(standing, "").budgets(decided, ask, now))
        return Explanation(
            explain.headline(decided, ask),
            explain.steps(decided, ask, rules, now),
            explain.rows(decided, ask, now, rules.ways),
            budgets,
            {**explain.as_json(decided, ask, rules, now, standing), "budgets": [*budgets]},
        )

    def where(self, flow: http.HTTPFlow) -> str:
        """Where a replay of the flow would go, in one line. Raises NotACallError."""
        flow = self._call_of(flow)
        call, ask = self._read(flow)
        decided, _ = self._plan(flow, ask, None)
        named = [f"{one.target} ({one.account.name})" if one.account else one.target for one in decided.candidates]
        if decided.error is not None or decided.denied is not None or not named:
            there = explain.headline(decided, ask)
        else:
            there = f"{decided.combo or decided.route}: {', then '.join(dict.fromkeys(named))}"
        return f"{call.model or 'no model'} → {'its own provider, no rule applies' if decided.untouched else there}"

    def pin(self, flow: http.HTTPFlow, target: str | None) -> None:
        """Let replays of the flow go to ``target``; None gives them back to the rules. Raises NotACallError."""
        flow = self._call_of(flow)
        self._read(flow)
        self._check(flow, target)
        flow.comment = flow.comment.partition(_NEXT)[0]
        if target is None:
            flow.metadata.pop(PIN, None)
        else:
            flow.metadata[PIN] = target
            flow.comment += f"{_NEXT}{target}"
        self._inspect.show(flow)
        audit("replays pinned", "mitmweb", flow=flow.id, target=target or "rules")

    def replay(self, flows: Sequence[http.HTTPFlow], targets: Sequence[str | None]) -> list[Sent]:
        """Send every flow to every target, each as a row of its own beside the captured one. Raises NotACallError.

        Nothing is sent unless everything can be. None as a target: by the flow's pin, else by the rules.
        """
        if len(flows) * len(targets) > MOST:
            raise NotACallError(f"that would be {len(flows) * len(targets)} calls; at most {MOST} go out at once")
        found: list[tuple[http.HTTPFlow, str | None, Call]] = []
        for flow in map(self._call_of, flows):
            call, _ = self._read(flow)
            for target in targets:
                self._check(flow, target)
                found.append((flow, target or pinned(flow), call))
        return [self._send(flow, target, call) for flow, target, call in found]

    def _send(self, flow: http.HTTPFlow, target: str | None, call: Call) -> Sent:
        new = self._inspect.twin(flow)
        if target is not None:
            new.metadata[PIN] = target
        new.comment = f"replay of {flow.metadata.get(KEY, {}).get('exchange', flow.id)[:8]}"
        try:
            ctx.master.commands.call("replay.client", [new])
        except exceptions.CommandError as error:
            raise NotACallError(f"nothing can be replayed here: {error}") from error
        return Sent(new.id, flow.id, target, call.model)

    def _plan(self, flow: http.HTTPFlow, ask: Ask, target: str | None) -> tuple[Plan, float]:
        """With random numbers of its own, as an example of a drawing."""
        self._check(flow, target)
        target = target or pinned(flow)
        rules = self._engine.snapshot if target is None else forced(self._engine.snapshot, target)
        now = self._engine.now()
        return plan(ask, rules, self._engine.standing, now, random.Random()), now  # noqa: S311

    def _check(self, flow: http.HTTPFlow, target: str | None) -> None:
        if target is not None and (problem := unknown(target, self._engine.snapshot)) is not None:
            raise NotACallError(problem)

    def _read(self, flow: http.HTTPFlow) -> tuple[Call, Ask]:
        try:
            return self._intercept.again(flow)
        except ValueError as error:
            raise NotACallError(f"{_named(flow)}: {error}") from error

    def _call_of(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        """The call that an attempt was made for; any other flow itself."""
        if role(flow) != "attempt":
            return flow
        found = self._inspect.shown(flow.metadata[KEY]["flow"])
        if found is None:
            raise NotACallError(f"the call of attempt {_named(flow)} is no longer kept")
        return found


def _named(flow: http.HTTPFlow) -> str:
    return f"{flow.request.method} {flow.request.pretty_host}{flow.request.path.partition('?')[0]}"
