"""Where the walk goes: every page that is served, each with something to see on it, by the routes of the application.

A page without parameters comes by itself; one with parameters needs an example here, and without one the walk fails: a new page is
never left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omniroute_addon.web import pages
from tests.pages.traffic import Busy

if TYPE_CHECKING:
    from playwright.sync_api import Page

SPAN = "30d"
SHOWN = {"logs": 12, "stages": 5}
"""Lines of long pages that are enough for a picture."""
ALIKE = ("flows", "start")
"""Pages that only lead to others, or have nothing to say where there are rules."""


def _look(page: "Page") -> None:
    """Nothing is done."""


@dataclass(frozen=True, slots=True)
class Stop:
    name: str
    path: str
    act: "Callable[[Page], None]" = _look
    """What a visitor does there first."""
    status: int = 200
    login: bool = True
    in_docs: bool = False


def stops(busy: Busy) -> list[Stop]:
    """Every page, and some with more to see."""
    examples = _examples(busy)
    found: list[Stop] = []
    for one in pages.resources():
        if one.page is None:
            continue
        path = one.page.path
        name = path.replace("/{id}", "").replace("/", "-") or "live"
        if "{" in path:
            assert path in examples, f"tests.pages has no example of {path}"
        shown = f"{path}?limit={SHOWN[path]}" if path in SHOWN else path.replace("{id}", examples.get(path, ""))
        found.append(Stop(name, shown, ACTS.get(path, _look), in_docs=name not in ALIKE))
    found.append(Stop("calls-raw", f"calls/{examples['calls/{id}']}", _read_raw))
    return [*found, *(Stop(f"logs-{tab}", f"logs?tab={tab}") for tab in ("proxy", "audit", "console")), *MORE]


def _examples(busy: Busy) -> Mapping[str, str]:
    fallen = [one for one in busy.api("calls", state="fallback", limit=60)["calls"] if one["account"]]
    kept = [one["id"] for one in sorted(fallen, key=_by_claude_code) if busy.api(f"calls/{one['id']}")["kept"]]
    call = kept[0]
    flow = busy.api(f"calls/{call}")["flow"]
    again = {"rules": True, "targets": busy.api(f"calls/{call}")["targets"][-2:]}
    replay = busy.api(f"calls/{call}/replays", "POST", again)["id"]
    busy.wait(f"replays/{replay}", lambda shown: not shown["running"])
    return {"calls/{id}": call, "flows/{id}": flow, "replays/{id}": replay, "evals/cards/{id}": busy.cards[0]}


def _by_claude_code(call: Mapping[str, object]) -> bool:
    """Its conversations have the most to see."""
    return call["client"] != "claude-code"


def _explain(page: "Page") -> None:
    page.fill("#ask [name=model]", "claude-opus-4-6")
    page.click("#ask button")
    page.wait_for_selector("#explained:not([hidden])")


def _translate(page: "Page") -> None:
    page.click("#play button")
    page.wait_for_selector("#lost:not([hidden])")


def _connect(page: "Page") -> None:
    page.wait_for_selector("#link[data-state=open]")


def _follow(page: "Page") -> None:
    page.wait_for_url("**/omniroute/calls/*")


def _read_raw(page: "Page") -> None:
    page.click("[data-view=raw]")


ACTS: "Mapping[str, Callable[[Page], None]]" = {
    "": _connect,
    "flows/{id}": _follow,
    "rules": _explain,
    "translator": _translate,
}
MORE = (
    Stop("usage-accounts", f"usage?since={SPAN}&by=account"),
    Stop("usage-hours", f"usage?since={SPAN}&by=hour"),
    Stop("live-failed", "?state=failed"),
    Stop("error", "calls/no-such-call", status=404),
    Stop("login", "", status=403, login=False),
)
