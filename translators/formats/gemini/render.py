"""hub → a Gemini request document. What stands around it (path, query, Code Assist's envelope) is its caller's.

The API wants the results of all calls of a turn directly behind it, in a turn of their own or at the start of one;
neighbours of one role are therefore one turn, and results go first in it, in the order of their calls. A conversation
may begin with the model's text but not with its calls: "function call turn comes immediately after a user turn". Such a
one is opened with a user turn of white space, which says nothing and is taken, while an empty part is refused. Tools that are
not Gemini's own go out as ``parameters`` in the OpenAPI subset, which every endpoint takes, or where the profile says
so as ``parametersJsonSchema``. A schema of the output goes out as real JSON schema where recorded calls show that the
API takes it.

Gemini 3 refuses a turn whose first call has no thought signature. A call that another model made has none; Google's
documentation names the word to send in its place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never, cast

from translators import hub
from translators.dropped import dropped, word_of
from translators.format import Profile
from translators.formats.gemini import schema
from translators.formats.gemini.media import render_media
from translators.formats.gemini.request import OUTPUT, RESPONSE, plain_result, result_text
from translators.formats.gemini.thinking import render_thinking
from translators.formats.gemini.tools import render_tool_config, render_tools
from translators.formats.gemini.wire import FAMILY, NAME, NO_SIGNATURE, Object, as_object, loads, lose
from translators.hub import JSON, SPELLING, Extra, Loss

_NOTHING = " "
"""Text of the user turn that the API demands before a conversation that starts with calls of the model."""
_OUR_EXTRAS = frozenset({"alt", "query"})
_NESTED_MEDIA = ("gemini-1", "gemini-2", "gemma", "learnlm")
_WANTS_SIGNATURES = re.compile(r"gemini-([3-9]|\d\d)")
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where the formats of the family differ inside of the document."""

    signed_by: frozenset[str] = FAMILY
    """Origins of the signatures that its models take."""
    validated: bool = False
    """A free choice of tools is the mode ``VALIDATED``."""
    unsigned_thoughts: bool = True
    """Whether thoughts without such a signature may be sent."""


PLAIN = Dialect()


@dataclass(slots=True)
class _Turn:
    role: str
    results: list[tuple[int, Object]] = field(default_factory=list[tuple[int, Object]])
    """With the place of the call that each one answers."""
    parts: list[Object] = field(default_factory=list[Object])

    def content(self) -> Object:
        results = [result for _, result in sorted(self.results, key=lambda item: item[0])]
        return {"role": self.role, "parts": cast("list[JSON]", [*results, *self.parts])}


def render_document(request: hub.Request, profile: Profile, losses: list[Loss], dialect: Dialect = PLAIN) -> Object:
    kept = own_words(request.extra, NAME, *_OUR_EXTRAS)
    conversation = _Conversation(request, profile, dialect, losses)
    system, contents = conversation.render()
    document: Object = {"contents": cast("list[JSON]", contents)}
    if system:
        document["systemInstruction"] = {"parts": cast("list[JSON]", system)}
    tools = render_tools(request, profile, losses)
    if tools:
        document["tools"] = cast("list[JSON]", tools)
    declared = any("functionDeclarations" in tool for tool in tools)
    if request.tool_choice is not None and request.tool_choice.mode in ("required", "tool") and not declared:
        lose(losses, "tool_choice", "there is no function that Gemini could be told to call")
    if tool_config := render_tool_config(request, kept, declared=declared, validated=dialect.validated):
        document["toolConfig"] = tool_config
    if config := _generation_config(request, profile, losses):
        document["generationConfig"] = config
    if request.service_tier in _TIERS:
        document["serviceTier"] = _TIERS[request.service_tier]
    document |= {key: value for key, value in kept.items() if key not in {"toolConfig", "generationConfig"}}
    for name in profile.omit:
        document.pop(name, None)
    _report(request, losses)
    return document


class _Conversation:
    def __init__(self, request: hub.Request, profile: Profile, dialect: Dialect, losses: list[Loss]) -> None:
        self._request = request
        self._profile = profile
        self._dialect = dialect
        self._losses = losses
        self._turns: list[_Turn] = []
        self._calls: dict[str, tuple[int, str]] = {}
        model = request.model.rsplit("/", 1)[-1].lower()
        self._nested = not model.startswith(_NESTED_MEDIA)
        self._wants_signatures = _WANTS_SIGNATURES.match(model) is not None

    def render(self) -> tuple[list[Object], list[Object]]:
        messages = self._request.messages
        leading = 0
        while leading < len(messages) and messages[leading].role in {"system", "developer"}:
            leading += 1
        if leading == len(messages) or self._profile.system_position == "none":
            # A call with nothing but system text, or a model without any: it opens the first user turn.
            leading = 0
        system: list[Object] = []
        for index, message in enumerate(messages):
            path = f"messages[{index}]"
            _report_extra(self._losses, path, message.extra)
            if index < leading:
                for place, part in enumerate(message.parts):
                    if isinstance(part, hub.Text):
                        _report_extra(self._losses, f"{path}.parts[{place}]", part.extra)
                system += _system_parts(message)
            else:
                self._message(message, path)
        turns = _settled(self._turns)
        if not turns and system:
            lose(
                self._losses, "messages[0]", "Gemini wants a user turn; with none there, the system text is sent as one"
            )
            turns, system = [_Turn("user", parts=system)], []
        if turns and turns[0].role == "model" and any("functionCall" in part for part in turns[0].parts):
            lose(
                self._losses,
                "messages[0]",
                "a user turn that says nothing stands before the calls that Gemini wants after one",
            )
            turns.insert(0, _Turn("user", parts=[{"text": _NOTHING}]))
        return system, [turn.content() for turn in turns]

    def _message(self, message: hub.Message, path: str) -> None:
        role = "model" if message.role == "assistant" else "user"
        if message.role in {"system", "developer"}:
            lose(self._losses, path, "Gemini has no system text inside of a conversation; it is sent as user text")
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(_Turn(role))
        turn = self._turns[-1]
        for index, part in enumerate(message.parts):
            self._part(part, turn, f"{path}.parts[{index}]")

    def _part(self, part: hub.Part, turn: _Turn, path: str) -> None:  # noqa: C901, PLR0912 - one case per kind of part
        if not isinstance(part, hub.Opaque):
            _report_extra(self._losses, path, part.extra)
        match part:
            case hub.Text(text, citations, extra):
                if citations:
                    lose(self._losses, f"{path}.citations", "a turn cannot say what its text cites")
                if text or "thoughtSignature" in extra.get(NAME, {}):
                    turn.parts.append({"text": text, **extra.get(NAME, {})})
            case hub.Refusal(text):
                if text:
                    turn.parts.append({"text": text})
            case hub.Thinking():
                self._thinking(part, turn, path)
            case hub.Media():
                self._media(part, turn.parts, path)
            case hub.ToolCall():
                self._call(part, turn, path)
            case hub.ToolResult():
                self._result(part, turn, path)
            case hub.Opaque(format=name, raw=raw):
                if name == NAME and isinstance(raw, dict):
                    turn.parts.append(raw)
                else:
                    lose(self._losses, path, f"only {name} understands `{word_of(part)}`")
            case _:
                assert_never(part)

    def _signature(self, signature: hub.Signature | None, path: str) -> Object:
        if signature is None:
            return {}
        if signature.origin in self._dialect.signed_by:
            return {"thoughtSignature": signature.value}
        lose(self._losses, path, f"a reasoning signature of {signature.origin} means nothing to this upstream")
        return {}

    def _thinking(self, part: hub.Thinking, turn: _Turn, path: str) -> None:
        signature = self._signature(part.signature, path)
        if not signature and not self._dialect.unsigned_thoughts:
            lose(self._losses, path, "the upstream takes no thoughts without its own signature")
        elif part.text or signature:
            turn.parts.append({"text": part.text, "thought": True, **signature})

    def _media(self, media: hub.Media, parts: list[Object], path: str) -> None:
        refused = {
            "image": not self._profile.images,
            "document": not self._profile.documents,
            "audio": not self._profile.audio,
        }
        if refused.get(media.kind):
            lose(self._losses, path, f"the model takes no {media.kind}s")
        elif rendered := render_media(media):
            parts.append(rendered)
        else:
            lose(self._losses, path, "the file id is another provider's")

    def _call(self, call: hub.ToolCall, turn: _Turn, path: str) -> None:
        self._calls[call.id] = (len(self._calls), call.name)
        read = call_object(call.arguments)
        if read is None:
            lose(self._losses, path, "the arguments are not a JSON object; they are sent as the text 'input'")
        args: Object = {"input": call.arguments} if read is None else read
        rendered: Object = {"id": call.id, "name": call.name, "args": args, **call.extra.get(NAME, {})}
        signature = self._signature(call.signature, path)
        if not signature and self._wants_signatures and not any("functionCall" in part for part in turn.parts):
            lose(self._losses, path, "invented because required: Gemini's word for a call that it did not make itself")
            signature = {"thoughtSignature": NO_SIGNATURE}
        turn.parts.append({"functionCall": rendered, **signature})

    def _result(self, result: hub.ToolResult, turn: _Turn, path: str) -> None:
        place, name = self._calls.get(result.call_id, (len(self._calls), result.name or "unknown"))
        texts: list[str] = []
        media: list[Object] = []
        for index, part in enumerate(result.parts):
            match part:
                case hub.Text(text):
                    texts.append(text)
                case hub.ToolReference(name=referred):
                    texts.append(referred)
                case hub.Media():
                    self._media(part, media, f"{path}.parts[{index}]")
                case hub.Opaque(format=own, raw=dict() as raw) if own == NAME:
                    media.append(raw)
                case hub.Opaque(format=other):
                    lose(self._losses, path, f"only {other} understands `{word_of(part)}`")
                case _:
                    assert_never(part)
        text = "\n".join(texts)
        kept = own_words(result.extra, NAME)
        raw_response = result.extra.get(NAME, {}).get(RESPONSE)
        response: JSON = plain_result(text, error=result.error)
        if raw_response is not None and result_text(raw_response) == (text, result.error):
            response = raw_response
        rendered: Object = {"id": result.call_id, "name": name, "response": response, **kept}
        if media and self._nested:
            rendered["parts"] = cast("list[JSON]", media)
        elif media:
            turn.parts += media
        turn.results.append((place, {"functionResponse": rendered}))


def _settled(turns: list[_Turn]) -> list[_Turn]:
    """The turns that say anything, neighbours of one role together."""
    settled: list[_Turn] = []
    for turn in turns:
        if not turn.parts and not turn.results:
            continue
        if settled and settled[-1].role == turn.role:
            settled[-1].results += turn.results
            settled[-1].parts += turn.parts
        else:
            settled.append(turn)
    return settled


def _system_parts(message: hub.Message) -> list[Object]:
    return [{"text": part.text} for part in message.parts if isinstance(part, hub.Text) and part.text]


def call_object(arguments: str) -> Object | None:
    """Arguments as this wire wants them; None when they are not a JSON object."""
    if not arguments.strip():
        return {}
    try:
        return as_object(loads(arguments, "arguments"), "arguments")
    except ValueError:
        return None


def _generation_config(request: hub.Request, profile: Profile, losses: list[Loss]) -> Object:
    kept = request.extra.get(NAME, {}).get("generationConfig")
    max_tokens = request.max_tokens
    if max_tokens is not None and profile.max_output is not None and max_tokens > profile.max_output:
        lose(losses, "max_tokens", f"lowered to the model's limit of {profile.max_output}")
        max_tokens = profile.max_output
    config: Object = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "maxOutputTokens": max_tokens,
        "stopSequences": list(request.stop) or None,
        "candidateCount": request.n,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "responseLogprobs": request.logprobs,
        "logprobs": request.top_logprobs,
        "thinkingConfig": _thinking(request, profile, losses),
    }
    config = {key: value for key, value in config.items() if value is not None}
    if isinstance(kept, dict):
        config = {**kept, **config}
    if request.output is not None:
        config["responseMimeType"] = "application/json"
        spelled = request.extra.get(NAME, {}).get(OUTPUT)
        if isinstance(spelled, dict):
            config |= spelled
        elif request.output.schema is not None:
            config |= _output_schema(request.output.schema, losses)
    return {key: value for key, value in config.items() if key not in profile.omit}


def _thinking(request: hub.Request, profile: Profile, losses: list[Loss]) -> Object | None:
    if request.reasoning is None:
        return None
    if profile.reasoning_style == "none":
        lose(losses, "reasoning", "the upstream cannot be told to think")
        return None
    return render_thinking(request.reasoning, request.model, losses) or None


def _output_schema(wanted: Mapping[str, JSON], losses: list[Loss]) -> Object:
    plain = schema.plain(wanted)
    if schema.portable(plain):
        return {"responseJsonSchema": plain}
    normalised, dropped = schema.normalise(plain)
    if dropped:
        lose(losses, "output.schema", f"Gemini's schema subset cannot say: {', '.join(sorted(dropped))}")
    return {"responseSchema": normalised}


def own_words(extra: Extra, name: str, *but: str) -> Object:
    """The extras of one format that stand on the wire by their own name."""
    return {key: value for key, value in extra.get(name, {}).items() if key not in but and not key.startswith(SPELLING)}


def _report(request: hub.Request, losses: list[Loss]) -> None:
    _report_extra(losses, "", request.extra)
    if request.reasoning is not None:
        _report_extra(losses, "reasoning", request.reasoning.extra)
    said = {
        "parallel_tools": request.parallel_tools is False,
        "verbosity": request.verbosity is not None,
        "user": request.user is not None,
        "cache_key": request.cache_key is not None,
    }
    for name, is_said in said.items():
        if is_said:
            lose(losses, name, f"Gemini has no {name}")
    if request.service_tier not in {None, "auto", *_TIERS}:
        lose(losses, "service_tier", f"Gemini has no service tier {request.service_tier!r}")


def _report_extra(losses: list[Loss], path: str, extra: Extra) -> None:
    for name, key in dropped(extra, NAME):
        lose(losses, f"{path}.{key}".lstrip("."), f"{key} is a word of {name}")
