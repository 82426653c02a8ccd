"""The neutral model between wire formats: what was asked, what was answered, and the events of an answer in between.

Everything here is a frozen value without behaviour and without vendor words. What only one vendor can say travels in
``extra``, keyed by format name (``{"anthropic-messages": {"cache_control": {…}}}``): the format it came from puts it
back, every other format reports it as a :class:`Loss` or leaves it when it has no meaning elsewhere.

Events of one answer, in order: ``Started``, then for each part ``PartStarted``, any ``PartDelta``, ``PartEnded``
(parts may interleave, an index is never used twice), ``UsageReported`` any number of times, and exactly one
``Finished`` or ``Failed`` at the very end. ``PartStarted.part`` carries what was known at the start (a tool call's id
and name, possibly text); deltas add to it; the whole part is the start plus its deltas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type JSON = bool | int | float | str | list[JSON] | dict[str, JSON] | None
type Extra = Mapping[str, Mapping[str, JSON]]
"""Vendor extras by format name, then by the vendor's own field name."""
SPELLING = "="
"""Starts the name of an extra that only repeats, as its vendor spells it, what the hub's own fields say: never a loss."""

_MAX_USAGE_WORDS = 256


def _no_extra() -> Extra:
    return {}


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that could not be said in the other format."""

    path: str
    """Where it stood, as a path into the source document: ``messages[3].content[0].cache_control``."""
    reason: str
    """Why it is gone, in one plain sentence."""


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Signature:
    """Proof or ciphertext of reasoning that only its maker can read; byte-exact for ``origin``, useless elsewhere."""

    value: str
    origin: str
    """The format it came from, e.g. ``anthropic-messages``."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a piece of text comes from."""

    url: str | None = None
    title: str | None = None
    quote: str | None = None
    start: int | None = None
    """First character in the text part that it backs, when the vendor says so."""
    end: int | None = None
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    citations: tuple[Citation, ...] = ()
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning of the model: readable text, its signature, or (``redacted``) the signature alone."""

    text: str = ""
    signature: Signature | None = None
    redacted: bool = False
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class Refusal:
    text: str
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class Media:
    """An image, sound, film or document; exactly one of ``data`` (base64), ``url`` and ``file_id`` is set."""

    kind: Literal["image", "audio", "video", "document"]
    media_type: str | None = None
    """MIME type, e.g. ``image/png``; None when only the URL is known."""
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks the client to run a tool. Tools that the provider runs itself are :class:`Opaque`."""

    id: str
    name: str
    arguments: str = ""
    """JSON text of an object for a function (``""`` while streaming starts; ``{}`` when there are none), raw text if ``custom``."""
    custom: bool = False
    """Free-form input instead of JSON (OpenAI custom and grammar tools)."""
    namespace: str | None = None
    signature: Signature | None = None
    """Gemini's ``thoughtSignature`` of the part."""
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class ToolReference:
    """A deferred tool that a tool search has found; only inside a :class:`ToolResult` (Anthropic ``tool_reference``)."""

    name: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """A part that only its own format understands (server tool calls and their results, containers, …)."""

    format: str
    raw: JSON
    """The vendor's own object, whole."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the client answers to a :class:`ToolCall`; stands in a ``user`` message."""

    call_id: str
    parts: "tuple[Text | Media | ToolReference | Opaque, ...]" = ()
    error: bool = False
    name: str | None = None
    """The tool's name where the format says it (Gemini); else None."""
    custom: bool = False
    extra: Extra = field(default_factory=_no_extra)


type Part = Text | Thinking | Refusal | Media | ToolCall | ToolResult | Opaque
type AnswerPart = Text | Thinking | Refusal | Media | ToolCall | Opaque


# ── request ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "developer", "user", "assistant"]
    """System text stands where it was said: first, or in the middle. ``developer`` is system text of OpenAI's newer word."""
    parts: tuple[Part, ...]
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the client runs."""

    name: str
    description: str | None = None
    schema: Mapping[str, JSON] | None = None
    """JSON schema of the arguments, as the client wrote it; None for custom tools and when absent."""
    custom: bool = False
    grammar: Mapping[str, JSON] | None = None
    """The input format of a custom tool, e.g. ``{"type": "grammar", "syntax": "lark", "definition": "…"}``."""
    strict: bool | None = None
    namespace: str | None = None
    deferred: bool = False
    """Listed, but not to be shown to the model until a tool search names it."""
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool that the provider runs (web search, code execution, …), in the words of its format."""

    format: str
    kind: str
    """Neutral name: ``web_search``, ``web_fetch``, ``code_execution``, ``file_search``, ``tool_search``, … or the vendor's type."""
    raw: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None
    """The tool's name when mode is ``tool``."""
    allowed: tuple[str, ...] = ()
    """When not empty, only these tools may be called."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model shall think; any field may be unknown (None)."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    budget: int | None = None
    """Thinking tokens; 0 is off, -1 is the model's own choice."""
    adaptive: bool = False
    """The model decides by itself (Anthropic ``adaptive``)."""
    visible: bool | None = None
    """Whether the client wants to see the thoughts."""
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Structured output; without a schema any JSON object."""

    schema: Mapping[str, JSON] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool | ServerTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning: Reasoning | None = None
    output: OutputFormat | None = None
    verbosity: str | None = None
    user: str | None = None
    """The end user or session that the client names (Anthropic ``metadata.user_id``, OpenAI ``user``/``safety_identifier``)."""
    cache_key: str | None = None
    """OpenAI ``prompt_cache_key``."""
    service_tier: str | None = None
    stream: bool = False
    stream_usage: bool = True
    """False when the client did not ask for usage in the stream (chat without ``stream_options.include_usage``)."""
    state: str | None = None
    """What of the conversation only the provider's server keeps (``previous_response_id``, …), in words for people.

    Another format cannot resolve it, so a translation into one is Unsupported.
    """
    extra: Extra = field(default_factory=_no_extra)


# ── answer ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; None means not reported. Cached tokens are inside ``input``, reasoning inside ``output``.

    ``estimated``: a count among them is nobody's report, or not the last word on the answer.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    extra: Extra = field(default_factory=_no_extra)

    def merged(self, later: "Usage") -> "Usage":
        """This report brought up to date by a later one of the same answer; what the later one leaves open stays."""

        def pick(new: int | None, old: int | None) -> int | None:
            return old if new is None else new

        stays = (later.input is None and self.input is not None) or (later.output is None and self.output is not None)
        return Usage(
            input=pick(later.input, self.input),
            output=pick(later.output, self.output),
            cache_read=pick(later.cache_read, self.cache_read),
            cache_write=pick(later.cache_write, self.cache_write),
            reasoning=pick(later.reasoning, self.reasoning),
            estimated=later.estimated or (self.estimated and stays),
            extra=_grown(self.extra, later.extra),
        )


def _grown(old: Extra, new: Extra) -> Extra:
    """Both; but no stream of ever new words may cost more with each."""
    if not (old and new):
        return old or new
    grown = dict(old)
    for form, fields in new.items():
        known = old.get(form, {})
        room = len(known) < _MAX_USAGE_WORDS
        grown[form] = {**known, **{name: value for name, value in fields.items() if room or name in known}}
    return grown


type StopReason = Literal[
    "end", "max_tokens", "stop_sequence", "tool_calls", "refusal", "pause", "context_overflow", "other"
]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the answer ended. ``refusal`` covers content filters and safety stops."""

    reason: StopReason
    sequence: str | None = None
    raw: str | None = None
    """The vendor's own word, for the same format and for people."""


type FailureKind = Literal[
    "invalid_request",
    "context_overflow",
    "too_large",
    "authentication",
    "permission",
    "billing",
    "not_found",
    "rate_limit",
    "quota",
    "overloaded",
    "timeout",
    "server",
    "cut",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of an upstream, or of ours, in neutral words. ``cut``: the answer stopped without an end."""

    kind: FailureKind
    message: str
    status: int = 500
    """HTTP status it had, or should have."""
    code: str | None = None
    """The vendor's own code or type, e.g. ``usage_limit_reached``."""
    retry_after: float | None = None
    """Seconds until another try makes sense."""
    raw: JSON = None
    """The vendor's error object, for the same format."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer."""

    id: str
    model: str
    parts: tuple[AnswerPart, ...]
    stop: Stop
    usage: Usage = field(default_factory=Usage)
    created: int | None = None
    """Unix seconds, where the vendor says so."""
    extra: Extra = field(default_factory=_no_extra)


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of a Text, Thinking or Refusal part."""

    text: str


@dataclass(frozen=True, slots=True)
class ArgumentsDelta:
    """More of a tool call's arguments (JSON text, or raw text of a custom tool)."""

    text: str


@dataclass(frozen=True, slots=True)
class SignatureDelta:
    """The signature of a Thinking or ToolCall part, whole."""

    signature: Signature


@dataclass(frozen=True, slots=True)
class CitationDelta:
    citation: Citation


@dataclass(frozen=True, slots=True)
class ExtraDelta:
    """Vendor extras of a part that were known only later; merged into the part's ``extra``."""

    extra: Extra


type Delta = TextDelta | ArgumentsDelta | SignatureDelta | CitationDelta | ExtraDelta


@dataclass(frozen=True, slots=True)
class Started:
    id: str
    model: str
    created: int | None = None
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class PartStarted:
    index: int
    part: AnswerPart


@dataclass(frozen=True, slots=True)
class PartDelta:
    index: int
    delta: Delta


@dataclass(frozen=True, slots=True)
class PartEnded:
    index: int


@dataclass(frozen=True, slots=True)
class UsageReported:
    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    stop: Stop
    extra: Extra = field(default_factory=_no_extra)


@dataclass(frozen=True, slots=True)
class Failed:
    failure: Failure


@dataclass(frozen=True, slots=True)
class Lost:
    loss: Loss


type Event = Started | PartStarted | PartDelta | PartEnded | UsageReported | Finished | Failed | Lost
