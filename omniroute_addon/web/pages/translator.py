"""Wire formats to try out: translate what is pasted or captured, chat through the engine, ask captured calls of targets."""

import uuid
from collections.abc import Iterator
from typing import Literal

import orjson
from mitmproxy import http
from pydantic import Field

from omniroute_addon.addons.inspect import KEY, role
from omniroute_addon.engine import translated
from omniroute_addon.web import asking, secrets
from omniroute_addon.web.replays import MOST, choices, known
from omniroute_addon.web.resource import Answer, Asked, Page, RefusedError, Resource
from omniroute_addon.web.site import Site
from translators import FORMATS, TranslationError

LONGEST = 1_000_000
"""Characters that are pasted."""
CAPTURED = 30
ROWS = 8
"""Captured calls of one bench."""
SAMPLES = {
    "anthropic-messages": {
        "model": "claude-opus-4-6",
        "max_tokens": 1024,
        "top_k": 5,
        "system": [{"type": "text", "text": "You are brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "What is a gateway?"}],
    }
}

type Kind = Literal["request", "answer", "stream"]


class Captured(Answer):
    id: str
    words: str
    format: str


class Translator(Answer):
    formats: tuple[str, ...]
    calls: tuple[Captured, ...]
    """Captured ones that are still kept, newest first."""
    targets: tuple[str, ...]
    """That the rules name."""
    sample: str


class TranslateBody(Asked):
    source: str = Field(max_length=100)
    target: str = Field(max_length=100)
    kind: Kind = "request"
    text: str = Field(max_length=LONGEST)
    model: str | None = Field(default=None, max_length=1000, description="To name in a translated request")


class Loss(Answer):
    path: str
    reason: str


class TranslationShown(Answer):
    text: str
    path: str
    """Of a translated request; empty for answers."""
    losses: tuple[Loss, ...]
    failure: str | None
    """What kind of error the answer is."""


class BodyAsked(Asked):
    id: str = Field(pattern=r"^[0-9a-z-]{1,64}$")
    side: Literal["request", "answer"] = "request"


class BodyShown(Answer):
    format: str
    kind: Kind
    text: str


class ChatBody(Asked):
    form: asking.Form = "openai-chat"
    targets: tuple[str, ...] = Field(
        default=(), max_length=MOST, description="`prefix/model` or a combo; by the rules when empty"
    )
    model: str = Field(default="auto", min_length=1, max_length=500, description="What the tool asks for")
    text: str = Field(min_length=1, max_length=LONGEST)
    system: str = Field(default="", max_length=LONGEST)


class BenchBody(Asked):
    calls: tuple[str, ...] = Field(min_length=1, max_length=ROWS)
    targets: tuple[str, ...] = Field(default=(), max_length=MOST - 1)
    rules: bool = Field(default=True, description="Once by the rules of now, too")


class Started(Answer):
    call: str
    replay: str
    """Look at ``/omniroute/api/replays/{id}``."""


class Bench(Answer):
    rows: tuple[Started, ...]


async def translator(site: Site) -> Translator:
    """What can be translated, asked and compared."""
    return Translator(
        formats=tuple(FORMATS),
        calls=tuple(_calls(site)),
        targets=choices(site.snapshot),
        sample=orjson.dumps(SAMPLES["anthropic-messages"], option=orjson.OPT_INDENT_2).decode(),
    )


async def translate(site: Site, body: TranslateBody) -> TranslationShown:
    """A request or an answer as another format says it, and what it cannot say. Sends nothing."""
    del site
    for name in (body.source, body.target):
        if name not in FORMATS:
            raise RefusedError(404, f"there is no format {name!r}: {', '.join(FORMATS)}")
    content = body.text.encode(errors="replace")
    try:
        if body.kind == "request":
            found = translated.request(body.source, body.target, content, body.model or None)
        else:
            found = translated.answer(body.source, body.target, content, stream=body.kind == "stream")
    except (TranslationError, ValueError) as error:
        raise RefusedError(409, f"this is no {body.kind} of {body.source}: {error}") from error
    query = f"?{found.facts['query']}" if found.facts.get("query") else ""
    return TranslationShown(
        text=_readable(found.body),
        path=f"{found.facts['path']}{query}" if "path" in found.facts else "",
        losses=tuple(Loss(path=loss.path, reason=loss.reason) for loss in found.losses),
        failure=None if found.failure is None else f"{found.failure.kind}: {found.failure.message}",
    )


async def captured(site: Site, asked: BodyAsked) -> BodyShown:
    """The body of a captured call, to translate it; keys are redacted."""
    flow = _flow(site, asked.id)
    message = flow.request if asked.side == "request" else flow.response
    if message is None:
        raise RefusedError(409, "the answer is not there")
    keys = frozenset(key for one in site.flows(asked.id) for key in site.inspect.secrets_of(one))
    text = _readable(message.get_content(strict=False) or b"")
    streamed = "event-stream" in message.headers.get("content-type", "")
    kind: Kind = "request" if asked.side == "request" else "stream" if streamed else "answer"
    return BodyShown(format=flow.metadata[KEY]["format"], kind=kind, text=secrets.without(text, keys)[:LONGEST])


async def chat(site: Site, body: ChatBody) -> Started:
    """Ask something as a tool of some format would; the answer comes as a replay's."""
    _check(site, body.targets)
    flow = asking.chat(body.form, body.model, body.text, body.system)
    name = str(uuid.uuid4())
    return Started(call=name, replay=_start(site, name, flow, body.targets or (None,)))


async def bench(site: Site, body: BenchBody) -> Bench:
    """Ask captured calls of several targets, each as a replay."""
    _check(site, body.targets)
    targets: list[str | None] = [*([None] if body.rules else []), *dict.fromkeys(body.targets)]
    if not targets:
        raise RefusedError(409, "nothing to ask: say rules or targets")
    flows = {name: _flow(site, name) for name in body.calls}
    return Bench(
        rows=tuple(Started(call=name, replay=_start(site, name, flow, targets)) for name, flow in flows.items())
    )


def _start(site: Site, name: str, flow: http.HTTPFlow, targets: tuple[str | None, ...] | list[str | None]) -> str:
    if site.engine.stopping:
        raise RefusedError(409, "the proxy is stopping")
    try:
        return site.replays.start(name, flow, targets).id
    except ValueError as error:
        raise RefusedError(409, f"this cannot be asked: {error}") from error


def _check(site: Site, targets: tuple[str, ...]) -> None:
    for target in targets:
        if not known(target, site.snapshot):
            raise RefusedError(404, f"{target!r} is no target: say prefix/model, a combo or origin")


def _flow(site: Site, name: str) -> http.HTTPFlow:
    flow = next((flow for flow in site.flows(name) if role(flow) == "exchange"), None)
    if flow is None:
        raise RefusedError(404, "there is no such call, or its flow is no longer kept")
    return flow


def _calls(site: Site) -> Iterator[Captured]:
    kept = {flow.metadata[KEY]["exchange"]: flow for flow in site.inspect.flows() if role(flow) == "exchange"}
    for line in [line for line in site.feed.latest() if line.id in kept][:CAPTURED]:
        words = f"{line.client} · {line.model} → {line.target}"
        yield Captured(id=line.id, words=words, format=kept[line.id].metadata[KEY]["format"])


def _readable(content: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()
    except ValueError:
        return content.decode("utf-8", "replace")


RESOURCES = (
    Resource(
        "GET",
        "translator",
        translator,
        page=Page("translator", "translator.html", "translator.title", values={"forms": asking.FORMS}),
    ),
    Resource("POST", "translator/translate", translate),
    Resource("GET", "translator/calls/{id}", captured),
    Resource("POST", "translator/chats", chat, status=201),
    Resource("POST", "translator/benches", bench, status=201),
)
