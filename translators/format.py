"""What a wire format is: the contract that every file in ``formats/`` fulfils, and the values that cross it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, Protocol

from translators import hub
from translators.signatures import Reader

_ASKS_STREAM = re.compile(rb'"stream"\s*:\s*true')
_STORES_NOT = re.compile(rb'"store"\s*:\s*false')


_HOLD_OBJECTS = frozenset(
    {
        "logit_bias",
        "metadata",
        "prediction",
        "reasoning",
        "response_format",
        "stream_options",
        "thinking",
        "tool_choice",
    }
    | {"messages", "output_config", "text", "web_search_options"}
)


@cache
def _member(name: str) -> re.Pattern[bytes]:
    """The member in a body; an object after a name that holds none is the schema of a tool's argument of that name."""
    no_schema = b"" if name in _HOLD_OBJECTS else rb"(?!\{)"
    return re.compile(rb'"%s"\s*+:\s*+%s' % (re.escape(name.encode()), no_schema))


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it crosses the wire, body not encoded (no gzip, no zstd)."""

    method: str = "POST"
    path: str = ""
    query: str = ""
    """Without the question mark."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Lower-case names. Renderers return only the headers that the format itself needs (``content-type``, …)."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class WireResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Profile:
    """What one provider and model tolerate; data of ``config/providers.yaml``, never a branch in a format file.

    The default tolerates everything, so that a translation into it loses nothing.
    """

    developer_role: bool = True
    """False: ``developer`` messages are sent as ``system``."""
    system_position: Literal["any", "leading", "none"] = "any"
    """``leading``: system text further down becomes user text; ``none``: no system role at all, it opens the first user turn."""
    reasoning_field: Literal["reasoning_content", "reasoning", "none"] = "reasoning_content"
    """Where a chat upstream wants past reasoning of the assistant; ``none`` drops it."""
    reasoning_style: Literal["effort", "thinking", "enable_thinking", "reasoning", "none"] = "effort"
    """How a chat upstream is told to think: ``reasoning_effort``, ``thinking: {type}`` (GLM, DeepSeek, Kimi),
    ``enable_thinking`` and ``thinking_budget`` (Qwen), ``reasoning: {effort | max_tokens}`` (OpenRouter), or not at all."""
    efforts: tuple[str, ...] = ()
    """The words for an effort that the model knows; another becomes the nearest of them. Empty: any."""
    thinking_budgets: bool = True
    """False: a Claude model that thinks adaptively or not at all (Opus 4.7 and later refuse ``type: enabled``)."""
    thinks_when_forced: bool = True
    """False: thinking and a forced tool call exclude each other; the call wins."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_output: int | None = None
    """The model's limit; a larger ``max_tokens`` of the client is lowered to it, with a loss."""
    seed_field: Literal["seed", "random_seed"] = "seed"
    max_stops: int | None = None
    """How many stop sequences are taken; the first ones stay."""
    max_tools: int | None = None
    tool_choices: frozenset[str] = frozenset({"auto", "none", "required", "tool"})
    """The modes of a tool choice that are taken; another becomes the nearest of them, ``none`` by leaving the tools out."""
    tool_id_pattern: str | None = None
    """Full match for the ids of tool calls, where it is narrower than the format's."""
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"
    """How structured output may be asked for; a schema that may not be sent as one is shown to the model as text."""
    images: bool = True
    documents: bool = True
    audio: bool = True
    video: bool = False
    """A chat upstream that takes ``video_url``, which OpenAI's does not."""
    strict_tools: bool = True
    """False: ``strict`` is left out of tool definitions."""
    top_k: bool = False
    """A chat upstream that takes ``top_k``, which OpenAI's does not."""
    cache_control: bool = False
    """A chat upstream that takes Anthropic's cache breakpoints on its parts of text (OpenRouter, DashScope)."""
    cache_key: bool = False
    """``prompt_cache_key`` decides over cache hits; where the client gives none, one is made from what names its session."""
    alternate: bool = False
    """User and assistant must take turns; neighbours of one role are sent as one message."""
    null_content: bool = True
    """False: an assistant message of tool calls alone has ``""`` for its content instead of null."""
    user_after_tool: bool = True
    """False: no user message may follow a result; what the user says beside results stands in the last of them."""
    max_temperature: float | None = None
    stores: bool = True
    """False: a Responses upstream wants to be told that nothing is to be stored."""
    needs_instructions: bool = False
    """A Responses upstream that refuses a request of others without ``instructions``; its own clients know what they do."""
    names: bool = True
    """False: ``name`` of a message is refused."""
    stream: Literal["as-asked", "always", "never"] = "as-asked"
    """Upstreams that only stream (Codex), or never do."""
    stream_usage: bool = True
    """False: ``stream_options`` is refused by the upstream."""
    omit: frozenset[str] = frozenset()
    """Wire names of top-level request fields that the upstream refuses, e.g. ``temperature``."""
    text_parts: bool = True
    """False: content of several texts is sent as one string; many chat dialects take no list in system or tool messages."""
    signer: str | None = None
    """Under whose name signatures are kept, where several providers read each other's, or one reads not all of its own."""
    unsigned_thinking: bool = False
    """An Anthropic upstream that takes past thinking without a signature, and refuses one that it did not make."""
    reasoning_lost: str | None = None
    """What a chat upstream gets for the reasoning before a tool call that nobody has any more; it refuses calls without."""
    think_tags: bool = False
    """The model writes its reasoning as ``<think>…</think>`` into the text."""
    tool_schema: Literal["subset", "json"] = "subset"
    """``json``: a Gemini upstream takes JSON schema for tools (``parametersJsonSchema``); ``subset``: what all of them take."""
    prefill: Literal["turn", "prefix", "partial", "none"] = "turn"
    """How an upstream goes on with an assistant turn that stands last: where its format has that, or in chat with a mark
    on the message (``prefix``: Mistral; ``partial``: Kimi, DashScope). A chat or Responses upstream with ``turn`` does not."""
    envelope: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Fields of Code Assist's envelope that the caller knows (``project`` of the login, …); they win over the client's."""

    def alters(self, body: bytes | None = None) -> bool:
        """Whether a request in the upstream's own format must be rewritten all the same; else it is passed through.

        ``body`` narrows the answer to one request, by substrings of its bytes: a false alarm costs a rewrite, nothing
        that the upstream refuses slips through. None answers for any request.
        """
        if self.envelope:
            return True
        if body is None:
            return (
                not self.developer_role
                or self.system_position != "any"
                or self.stream != "as-asked"
                or bool(self.omit)
                or bool(self._words())
                or not self.stores
            )
        return (
            (not self.developer_role and b'"developer"' in body)
            or (self.system_position == "leading" and body.count(b'"system"') > 1)
            or (self.system_position == "none" and b'"system"' in body)
            or (self.stream == "always" and _ASKS_STREAM.search(body) is None)
            or (self.stream == "never" and _ASKS_STREAM.search(body) is not None)
            or (not self.stores and _STORES_NOT.search(body) is None)
            or any(_member(name).search(body) is not None for name in (*self.omit, *self._words()))
        )

    def _words(self) -> tuple[str, ...]:
        """Words in a body that may say what this upstream takes in another form only."""
        ordinary = Profile.__dataclass_fields__
        found: dict[str, bool] = {
            "tool_choice": self.tool_choices != ordinary["tool_choices"].default or not self.thinks_when_forced,
            "response_format": self.structured != "json_schema",
            "budget_tokens": not self.thinking_budgets,
            "tool_call_id": self.tool_id_pattern is not None,
            "messages": self.alternate,
            "stop": self.max_stops is not None,
            "seed": self.seed_field != "seed",
            "max_tokens": self.max_tokens_field != "max_tokens",
            "tool_calls": self.reasoning_lost is not None,
            "reasoning_effort": self.reasoning_style != "effort" or bool(self.efforts),
        }
        return tuple(word for word, matters in found.items() if matters)


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What a format allows for tools; ``tools.py`` brings every request into these bounds, reversibly."""

    name_pattern: str = r"[a-zA-Z0-9_-]{1,64}"
    """Full match for a tool name."""
    id_pattern: str = r".{1,512}"
    """Full match for a tool-call id."""
    custom: bool = False
    """Knows free-form (custom, grammar) tools."""
    namespaces: bool = False
    """Knows tool namespaces."""
    deferred: bool = False
    """Knows ``defer_loading`` and ``tool_reference``."""


class StreamParser(Protocol):
    """Bytes of one answer stream → hub events. One object per attempt; any split of the bytes gives the same events."""

    def feed(self, data: bytes) -> list[hub.Event]:
        """Raises FormatError on bytes that the format does not allow; the parser is unusable afterwards.

        Where events came before the breach they are returned and the next call raises, be it an empty one.
        """
        ...

    def close(self) -> list[hub.Event]:
        """The stream ended. Ends open parts, then ``Finished``; ``Failed(kind="cut")`` when the format's end never came."""
        ...


class StreamRenderer(Protocol):
    """Hub events → bytes of one answer stream. One object per attempt."""

    def render(self, event: hub.Event) -> bytes: ...

    def close(self) -> bytes:
        """No more events come. After ``Finished``/``Failed`` nothing, else open parts are ended and an error event is sent."""
        ...


class Format(Protocol):
    """One wire format. Stateless; parsers and renderers carry the state."""

    name: str
    base_path: str
    """The path a provider's ``base_url`` ends with: ``/v1/messages``, ``/v1beta/models``, …; the rest is in ``WireRequest.path``."""
    tool_rules: ToolRules

    def parse_request(self, wire: WireRequest) -> hub.Request:
        """Raises FormatError, naming the JSON path, for a body that is not this format's."""
        ...

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        """Appends what it cannot say to ``losses``. Raises Unsupported when nothing sensible is left."""
        ...

    def parse_response(self, body: bytes) -> hub.Response:
        """A whole successful answer. Raises FormatError for anything else; an error object in a 200 is ``parse_error``'s."""
        ...

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        """``request`` is what the client asked, for formats whose answer repeats parts of it."""
        ...

    def stream_parser(self) -> StreamParser: ...

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> StreamRenderer: ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        """An error answer of this format, any status (200 too); None when the body is no error. Never raises.

        A body that is not this format's (HTML, plain text, empty) is a Failure by status when status >= 400, else None.
        """
        ...

    def render_error(self, failure: hub.Failure) -> WireResponse:
        """A whole error answer with the status and headers (``retry-after``, …) that this format's clients understand."""
        ...

    def retarget(self, wire: WireRequest, model: str) -> WireRequest:
        """The same request for another model of the same format: only the model's bytes change. Never raises."""
        ...

    def asks_stream(self, wire: WireRequest) -> bool:
        """Whether the client wants a stream; False for a body that cannot be read. Never raises."""
        ...

    def model_of(self, wire: WireRequest) -> str | None:
        """The model that the client asked for; None when it cannot be found. Never raises."""
        ...

    def disown(self, wire: WireRequest, reader: Reader | None = None) -> WireRequest:
        """Take out the reasoning that the upstream behind ``reader`` must not get (see ``signatures.py``).

        Without a reader that is what *we* put in for other formats. Returns ``wire`` itself, same bytes, when there is
        none; ``Reader.concerns`` tells at once for most requests. Never raises.
        """
        ...


class StreamListener(Protocol):
    """What a passthrough listens with: a stream parser whose errors are nobody's business."""

    def feed(self, data: bytes) -> Sequence[hub.Event]: ...
