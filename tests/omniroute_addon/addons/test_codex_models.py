"""Codex's model list on its way: plain tools where the rules ask for them, every other byte as it came."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from omniroute_addon.addons.codex_models import CodexModels
from omniroute_addon.config.models import Codex, Snapshot
from omniroute_addon.engine.engine import Engine

LITE = {"slug": "gpt-6.1-sol", "use_responses_lite": True, "tool_mode": "code_mode_only", "priority": 1}
PLAIN = {"slug": "gpt-5.5", "use_responses_lite": False, "tool_mode": None, "priority": 2}
LIST = json.dumps({"models": [LITE, PLAIN], "etag": "x"}, indent=1).encode()
URL = "https://chatgpt.com/backend-api/codex/models?client_version=0.169.0"


def passed(body: bytes, *, url: str = URL, wanted: bool = True, status: int = 200, **headers: str) -> http.HTTPFlow:
    engine = cast("Engine", SimpleNamespace(snapshot=replace(Snapshot(None), codex=Codex(plain_tools=wanted))))
    addon = CodexModels(engine)
    flow = tflow.tflow()
    flow.request = http.Request.make("GET", url)
    flow.response = http.Response.make(status, body, {"content-type": "application/json", **headers})
    flow.response.stream = True
    addon.responseheaders(flow)
    addon.response(flow)
    return flow


def models(flow: http.HTTPFlow) -> list[dict[str, Any]]:
    assert flow.response is not None
    return json.loads(flow.response.content or b"")["models"]


def test_the_marks_are_taken_out_and_nothing_else() -> None:
    assert models(passed(LIST)) == [LITE | {"use_responses_lite": False, "tool_mode": None}, PLAIN]


def test_a_compressed_list_stays_compressed() -> None:
    flow = passed(LIST, **{"content-encoding": "gzip"})
    assert flow.response is not None
    raw = flow.response.raw_content or b""
    assert (models(flow)[0]["use_responses_lite"], raw[:2]) == (False, b"\x1f\x8b")


@pytest.mark.parametrize(
    "case",
    [
        {"body": LIST, "wanted": False},
        {"body": LIST, "url": "https://chatgpt.com/backend-api/wham/usage"},
        {"body": LIST, "status": 401},
        {"body": b"<html>", "wanted": True},
        {"body": b'{"detail": "no"}'},
        {"body": b"[1]"},
        {"body": b'{"models": [1, {"slug": "x"}]}'},
    ],
    ids=["off", "another path", "refused", "no JSON", "an error", "no object", "nothing to change"],
)
def test_everything_else_passes_unchanged(case: dict[str, Any]) -> None:
    flow = passed(**case)
    assert flow.response is not None
    assert flow.response.content == case["body"]
