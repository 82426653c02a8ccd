"""Fields that a format does not document, taken out of whole answers that are passed on: ``shaping.sanitize``. Pure.

Gateways and clones add their own to OpenAI's and Anthropic's answers (``x_groq``, ``usage_breakdown``, ``provider``), and
strict clients refuse what they do not know. Only an answer of another provider in the client's own format is passed on
with such fields: a translated one has none, and the answer of the tool's own provider is not ours to change. A chat
answer with tool calls is also made to say so (``finish_reason``), and Anthropic's words for usage become OpenAI's.
Every byte outside of what is changed stays.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import orjson

from omniroute_addon.config.governance import Shaping
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.reading import Reading
from omniroute_addon.routing.candidate import Candidate
from translators.bridge import Passthrough
from translators.hub import JSON
from translators.jsontext import MISSING, Missing, edit_member


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DOCUMENTED: Mapping[str, frozenset[str]] = {
    "openai-chat": _words("id object created model choices usage system_fingerprint service_tier metadata moderation"),
    "anthropic-messages": _words(
        "id type role model content stop_reason stop_sequence stop_details usage container context_management "
        "diagnostics input_transformations"
    ),
    "openai-responses": _words(
        "id object created_at completed_at status background conversation error incomplete_details instructions "
        "max_output_tokens max_tool_calls metadata model moderation output output_text parallel_tool_calls "
        "previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention "
        "prompt_cache_diagnostics reasoning safety_identifier service_tier store temperature text tool_choice "
        "tool_usage tools top_logprobs top_p truncation usage user billing frequency_penalty presence_penalty "
        "access_programs image input_transformations"
    ),
    "gemini": _words("candidates promptFeedback usageMetadata modelVersion responseId createTime modelStatus"),
}
"""The members of a whole answer, by format."""

_CHOICE = _words("index message finish_reason logprobs")
_MESSAGE = _words(
    # The last three are not OpenAI's, but how chat clients and providers pass reasoning back and forth.
    "role content refusal tool_calls function_call annotations audio reasoning_content reasoning reasoning_details"
)
_CHAT_USAGE = _words("prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details")
_USAGE = _words(
    "input_tokens output_tokens output_tokens_details cache_creation_input_tokens cache_read_input_tokens "
    "cache_creation server_tool_use service_tier inference_geo speed iterations fallback_credit"
)


def sanitized(reading: Reading, call: Call, candidate: Candidate, rules: Shaping) -> Sequence[bytes]:
    """What is held of an answer, as the client gets it."""
    if (
        not rules.sanitize
        or candidate.origin
        or call.operation != "generate"
        or reading.bridge.streaming
        or not isinstance(reading.bridge, Passthrough)
    ):
        return reading.held
    return [clean(b"".join(reading.held), call.format)]


def clean(body: bytes, form: str) -> bytes:
    """A whole answer with documented fields alone; what cannot be read stays as it is."""
    known = DOCUMENTED.get(form)
    try:
        read = orjson.loads(body)
    except ValueError:
        return body
    if known is None or not isinstance(read, dict):
        return body
    for name in cast("dict[str, JSON]", read).keys() - known:
        body = edit_member(body, (name,), lambda _: MISSING)
    match form:
        case "openai-chat":
            body = edit_member(body, ("choices",), _each(_choice))
            return edit_member(body, ("usage",), _chat_usage)
        case "anthropic-messages":
            return edit_member(body, ("usage",), lambda old: _only(old, _USAGE))
        case _:
            return body


def _only(old: JSON | Missing, known: frozenset[str]) -> JSON | Missing:
    return {name: value for name, value in old.items() if name in known} if isinstance(old, dict) else old


def _each(change: Callable[[dict[str, JSON]], JSON]) -> Callable[[JSON | Missing], JSON | Missing]:
    def changed(old: JSON | Missing) -> JSON | Missing:
        return [change(one) if isinstance(one, dict) else one for one in old] if isinstance(old, list) else old

    return changed


def _choice(old: dict[str, JSON]) -> JSON:
    choice = {name: value for name, value in old.items() if name in _CHOICE}
    message = choice.get("message")
    if isinstance(message, dict):
        choice["message"] = {name: value for name, value in message.items() if name in _MESSAGE}
        if message.get("tool_calls") and choice.get("finish_reason") in (None, "stop"):
            choice["finish_reason"] = "tool_calls"
    return choice


def _chat_usage(old: JSON | Missing) -> JSON | Missing:
    if not isinstance(old, dict):
        return old
    usage = {name: value for name, value in old.items() if name in _CHAT_USAGE}
    for name, other in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
        if name not in usage and other in old:
            usage[name] = old[other]
    return usage
