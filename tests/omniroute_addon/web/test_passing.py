"""A call that no rule has touched, in one line: while it runs, when it has been answered, and when it has not."""

import pytest
from mitmproxy import flow, http
from mitmproxy.test import tflow

from omniroute_addon.addons.inspect import KEY
from omniroute_addon.web.passing import of_flow


def passing(status: int | None = None, *, ended: float | None = None, broken: bool = False) -> http.HTTPFlow:
    found = tflow.tflow()
    found.request.timestamp_start = 100.0
    found.response = None if status is None else http.Response.make(status)
    if found.response is not None:
        found.response.timestamp_end = ended
    found.error = flow.Error("gone", 103.0) if broken else None
    found.metadata[KEY] = {"client": "opencode", "model": "m", "provider": "anthropic", "host": "api.anthropic.com"}
    return found


@pytest.mark.parametrize(
    "one, ended, marks",
    [
        (passing(), None, ("running",)),
        (passing(200), None, ("running",)),
        (passing(200, ended=102.0), 102.0, ("untouched",)),
        (passing(429, ended=102.0), 102.0, ("untouched", "failed")),
        (passing(broken=True), 103.0, ("untouched", "failed")),
        (passing(200, broken=True), 103.0, ("untouched",)),
    ],
    ids=["asked", "streaming", "answered", "refused", "broken", "left"],
)
def test_what_became_of_it(one: http.HTTPFlow, ended: float | None, marks: tuple[str, ...]) -> None:
    line = of_flow(one)
    assert (line.id, line.started, line.ended, line.marks) == (one.id, 100.0, ended, marks)
    assert (line.client, line.model, line.target, line.ok) == (
        "opencode",
        "m",
        "api.anthropic.com",
        marks == ("untouched",),
    )
