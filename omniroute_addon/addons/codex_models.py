"""Codex with ordinary tools, where the user wants them (``codex: {plain_tools: true}``).

The list of models that Codex fetches says for each model how it is given its tools. Its newest ones are marked for
"responses-lite": no tools in the request but one, hidden in an input item, that takes JavaScript (see
``docs/clients.md``). With the marks taken out of the list on its way, Codex sends functions, ``apply_patch`` and the
rest as it does for older models, which weak models handle better. Nothing else of the list is changed, and nothing that
is no such list.
"""

import logging
from typing import cast

import orjson
from mitmproxy import http

from omniroute_addon.engine.engine import Engine

LIST = "/backend-api/codex/models"
PLAIN = {"use_responses_lite": False, "tool_mode": None}

logger = logging.getLogger(__name__)


class CodexModels:
    name = "omniroute-codex-models"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None and self._engine.snapshot.codex.plain_tools and is_list(flow.request):
            flow.response.stream = False

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is None or not self._engine.snapshot.codex.plain_tools or not is_list(flow.request):
            return
        try:
            told = plain(flow.response.content or b"")
        except ValueError:
            logger.warning("the model list for Codex cannot be read, its tools stay as they are")
            return
        if told is not None and flow.response.status_code == 200:
            flow.response.content = told


def is_list(request: http.Request) -> bool:
    return request.method == "GET" and request.path.partition("?")[0].endswith(LIST)


def plain(body: bytes) -> bytes | None:
    """The list with ordinary tools for every model; None when there is nothing to change. Raises ValueError."""
    document: object = orjson.loads(body)
    models = cast("dict[str, object]", document).get("models") if isinstance(document, dict) else None
    if not isinstance(models, list):
        return None
    changed = False
    for model in cast("list[object]", models):
        if isinstance(model, dict):
            known = cast("dict[str, object]", model)
            marks = {name: value for name, value in PLAIN.items() if name in known and known[name] != value}
            known |= marks
            changed = changed or bool(marks)
    return orjson.dumps(document) if changed else None
