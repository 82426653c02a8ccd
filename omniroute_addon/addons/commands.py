"""mitmproxy commands over captured calls: ``omniroute.replay``, ``omniroute.explain``, ``omniroute.route``.

For the console (``:``), for mitmweb's command bar and ``POST /commands/…``. They do what ``Captured`` does and only put
it into words; a flow that is no call, or a name that means nothing, is a CommandError and nothing is sent.
"""

from collections.abc import Sequence

from mitmproxy import command, exceptions, flow, http
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight

from omniroute_addon.addons.captured import Captured, NotACallError

BY_THE_RULES = "rules"
"""In place of a target: what the rule file says."""


class Commands:
    name = "omniroute-commands"

    def __init__(self, captured: Captured) -> None:
        self._captured = captured

    @command.command("omniroute.replay")
    def replay(self, flows: Sequence[flow.Flow], *targets: str) -> Sequence[str]:
        """Send captured calls again, each as a new row: by today's rules, or to the targets that are named (prefix/model,
        a combo, origin, or `rules`). Every call may cost money."""
        try:
            sent = self._captured.replay(_calls(flows), [_target(name) for name in targets] or [None])
        except NotACallError as error:
            raise exceptions.CommandError(str(error)) from error
        return [f"{one.model or 'no model'} → {one.target or BY_THE_RULES} @{one.flow}" for one in sent]

    @command.command("omniroute.explain")
    def explain(self, flows: Sequence[flow.Flow], target: str = "") -> Sequence[str]:
        """Tell where captured calls would go now, candidate by candidate, and why not elsewhere. Sends nothing."""
        found: list[str] = []
        try:
            for one in _calls(flows):
                found += ["", *self._captured.explain(one, _target(target)).lines()]
        except NotACallError as error:
            raise exceptions.CommandError(str(error)) from error
        return found[1:]

    @command.command("omniroute.route")
    def route(self, flows: Sequence[flow.Flow], target: str = "") -> Sequence[str]:
        """Tell in a line where a replay of captured calls would go. With a target: let their replays go there from now on;
        with `rules`: as the rule file says again. Calls of tools and the rule file stay as they are."""
        try:
            calls = _calls(flows)
            if target:
                for one in calls:
                    self._captured.pin(one, _target(target))
            return [self._captured.where(one) for one in calls]
        except NotACallError as error:
            raise exceptions.CommandError(str(error)) from error


class Plan(Contentview):
    """The ``Plan`` contentview: what ``omniroute.explain`` tells of the flow, as things stand while one looks."""

    name = "Plan"
    syntax_highlight: SyntaxHighlight = "none"

    def __init__(self, captured: Captured) -> None:
        self._captured = captured

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """Raises ValueError for what is no call of a model."""
        shown = metadata.flow
        if not isinstance(shown, http.HTTPFlow):
            raise NotACallError("not a call of a model")
        return "\n".join(self._captured.explain(shown).lines())

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return -1  # only when it is chosen


def _calls(flows: Sequence[flow.Flow]) -> list[http.HTTPFlow]:
    calls = [one for one in flows if isinstance(one, http.HTTPFlow)]
    if not calls:
        raise NotACallError("no flow is chosen: name some, such as @focus, @marked or ~comment ID")
    return calls


def _target(name: str) -> str | None:
    return None if name in ("", BY_THE_RULES) else name
