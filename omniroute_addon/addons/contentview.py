"""The ``LLM`` contentview: a request as a conversation, an answer or stream as what the model said.

Reads through the same translators as the proxy. It renders what it understands and says plainly what it does not; it
never changes a flow.
"""

import orjson
from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight

from omniroute_addon.addons.inspect import KEY
from omniroute_addon.gateway.endpoints import endpoint
from omniroute_addon.ledger.decision import words
from translators import FORMATS, WireRequest, hub
from translators.fold import Fold

_BY_PATH = {
    "/messages": "anthropic-messages",
    "/chat/completions": "openai-chat",
    "/responses": "openai-responses",
}
_STREAM = ("text/event-stream",)


class LLM(Contentview):
    name = "LLM"
    syntax_highlight: SyntaxHighlight = "yaml"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """Raises ValueError for bytes that are no LLM call."""
        name = format_of(metadata)
        if name is None:
            raise ValueError("not a call in a known LLM format")
        flow = metadata.flow
        assert isinstance(flow, http.HTTPFlow)
        if metadata.http_message is flow.request:
            path, _, query = flow.request.path.partition("?")
            shown = decided(flow) + conversation(
                FORMATS[name].parse_request(WireRequest("POST", path, query, {}, data))
            )
        else:
            shown = answer(name, data, flow)
        return shown + lost(flow)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return 2 if data and format_of(metadata) is not None else -1


def format_of(metadata: Metadata) -> str | None:
    """The format of a flow's call: as our addon noted it, else by its path."""
    flow = metadata.flow
    if not isinstance(flow, http.HTTPFlow) or flow.request.method != "POST":
        return None
    noted = flow.metadata.get(KEY, {}).get("format")
    if noted in FORMATS:
        return noted
    path = flow.request.path.partition("?")[0]
    if found := endpoint("POST", path):
        return found.format if found.operation == "generate" else None
    if path.endswith((":generateContent", ":streamGenerateContent")):
        return "gemini-cli" if path.startswith("/v1internal") else "gemini"
    return next((name for ending, name in _BY_PATH.items() if path.endswith(ending)), None)


def conversation(request: hub.Request) -> str:
    """Model and settings, then the tools by name, then every turn."""
    lines = [f"model: {request.model}"]
    settings = {
        "stream": request.stream,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "reasoning": reasoning_words(request.reasoning),
        "tool_choice": request.tool_choice and (request.tool_choice.name or request.tool_choice.mode),
        "output": request.output and (request.output.name or "json"),
    }
    lines += [f"{name}: {value}" for name, value in settings.items() if value not in (None, "", False)]
    if request.tools:
        names = [tool.name if isinstance(tool, hub.Tool) else f"{tool.kind} (server)" for tool in request.tools]
        lines.append(f"tools ({len(names)}): {', '.join(names)}")
    for message in request.messages:
        lines += ["", f"── {message.role} " + "─" * 60]
        lines += [line for part in message.parts for line in _part(part)]
    return "\n".join(lines)


def decided(flow: http.HTTPFlow) -> str:
    """Why the call went where it went."""
    decision = flow.metadata.get(KEY, {}).get("decision")
    if not decision:
        return ""
    return "\n".join(["── decided " + "─" * 62, *words(decision), "", ""])


def answer(name: str, data: bytes, flow: http.HTTPFlow) -> str:
    """The assembled answer, with what came after an error or a cut."""
    assert flow.response is not None
    status = flow.response.status_code
    response, failure = read_answer(name, status, flow.response.headers.get("content-type", ""), data)
    if response is None:
        assert failure is not None
        return f"error {status}: {failure.kind}\n{failure.message}"
    return said(response) + (f"\n\n✗ {failure.kind}: {failure.message}" if failure else "")


def read_answer(
    name: str, status: int, content_type: str, data: bytes
) -> tuple[hub.Response | None, hub.Failure | None]:
    """An answer, whole or as a stream, and what went wrong. Raises ValueError for bytes that are neither."""
    wire_format = FORMATS[name]
    failure = wire_format.parse_error(status, {}, data) if status >= 400 else None
    if failure is not None:
        return None, failure
    # Gemini without alt=sse streams a JSON array.
    if not content_type.startswith(_STREAM) and not data.lstrip().startswith(b"["):
        return wire_format.parse_response(data), None
    parser = wire_format.stream_parser()
    fold = Fold()
    for event in [*parser.feed(data), *parser.close()]:
        if isinstance(event, hub.Failed):
            failure = event.failure
        fold.add(event)
    return fold.response(), failure


def lost(flow: http.HTTPFlow) -> str:
    """What the translation of this call, there and back, could not say."""
    losses = flow.metadata.get(KEY, {}).get("losses", ())
    if not losses:
        return ""
    lines = [f"{path}: {reason}" for path, reason in losses]
    return "\n".join(["", "", f"── lost in translation ({len(lines)}) " + "─" * 44, *lines])


def said(response: hub.Response) -> str:
    usage = response.usage
    lines = [f"model: {response.model}", f"stop: {response.stop.reason}"]
    counted = {
        "input": usage.input,
        "cached": usage.cache_read,
        "cache write": usage.cache_write,
        "output": usage.output,
        "reasoning": usage.reasoning,
    }
    figures = ", ".join(f"{name} {value}" for name, value in counted.items() if value)
    if figures:
        lines.append(f"usage: {figures}{' (estimated)' if usage.estimated else ''}")
    lines += ["", "── assistant " + "─" * 60]
    lines += [line for part in response.parts for line in _part(part)]
    return "\n".join(lines)


def _part(part: hub.Part) -> list[str]:
    match part:
        case hub.Text():
            return part.text.splitlines() or [""]
        case hub.Refusal():
            return [f"(refusal) {part.text}"]
        case hub.Thinking():
            lines = part.text.splitlines() or ["(redacted)" if part.redacted else "(empty)"]
            return [f"💭 {line}" for line in lines]
        case hub.ToolCall():
            name = f"{part.namespace}.{part.name}" if part.namespace else part.name
            return [f"→ {name}  [{part.id}]", *(f"    {line}" for line in json_lines(part.arguments))]
        case hub.ToolResult():
            head = f"← {'error ' if part.error else ''}[{part.call_id}]"
            return [head, *(f"    {line}" for inner in part.parts for line in _result(inner))]
        case hub.Media():
            return [media_words(part)]
        case hub.Opaque():
            return [f"({part.format})", *(f"    {line}" for line in json_lines(orjson.dumps(part.raw).decode()))]


def _result(part: hub.Text | hub.Media | hub.ToolReference | hub.Opaque) -> list[str]:
    return [f"(tool {part.name})"] if isinstance(part, hub.ToolReference) else _part(part)


def media_words(part: hub.Media) -> str:
    kind = f"{part.kind} {part.media_type or ''}".strip()
    if part.data is not None:
        return f"[{kind}, {len(part.data) * 3 // 4} bytes]"
    return f"[{kind}, {part.url or part.file_id}]"


def json_lines(text: str) -> list[str]:
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode().splitlines()
    except ValueError:
        return text.splitlines()


def reasoning_words(reasoning: hub.Reasoning | None) -> str:
    if reasoning is None:
        return ""
    budget = None if reasoning.budget is None else f"{reasoning.budget} tokens"
    return ", ".join(word for word in (reasoning.effort, budget, "adaptive" if reasoning.adaptive else None) if word)
