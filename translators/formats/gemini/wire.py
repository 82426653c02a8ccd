"""Words and addresses of Gemini's wire: JSON in and out, the two spellings of a field, and the model in the path.

Google's servers take every field of a request in camelCase and in snake_case, and its SDKs send both in one body.
``spelled`` brings the names that we know to camelCase, one object at a time: arguments, schemas and tool results are
the client's own and are never respelled. Unknown names stay as they were.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode

from translators import jsonvalue
from translators.errors import FormatError
from translators.hub import JSON, Loss

NAME = "gemini"
"""The key of extras and opaque parts, also for Code Assist: inside its envelope it speaks the same language."""
ENVELOPES = ("gemini-cli", "antigravity")
"""The keys of what stood in the envelope around a request."""
FAMILY = frozenset({"gemini", "gemini-cli"})
"""Formats whose thought signatures are Google's own."""
NO_SIGNATURE = "skip_thought_signature_validator"
"""Google's documented word for a call that another model has made."""
BASE_PATH = "/v1beta/models"

type Object = dict[str, JSON]

_NAMES = (
    "allowedFunctionNames audioTimestamp cachedContent candidateCount codeExecution codeExecutionResult computerUse "
    "displayName enableEnhancedCivicAnswers executableCode fileData fileSearch fileUri frequencyPenalty functionCall "
    "functionCallingConfig functionDeclarations functionResponse generateContentRequest generationConfig googleMaps "
    "boolValue jsonPath nullValue numberValue partialArgs stringValue streamFunctionCallArguments "
    "googleSearch googleSearchRetrieval imageConfig includeServerSideToolInvocations includeThoughts inlineData "
    "maxOutputTokens mcpServers mediaResolution mimeType parametersJsonSchema presencePenalty responseJsonSchema "
    "responseLogprobs responseMimeType responseModalities responseSchema retrievalConfig safetySettings serviceTier "
    "speechConfig stopSequences systemInstruction thinkingBudget thinkingConfig thinkingLevel thoughtSignature "
    "toolCall toolConfig toolResponse topK topP urlContext videoMetadata willContinue"
)
_CAMEL = {re.sub(r"[A-Z]", lambda match: "_" + match.group().lower(), name): name for name in _NAMES.split()}

_CREDENTIALS = frozenset({"key", "$key", "access_token", "oauth_token", "upload_protocol"})
_TARGET = re.compile(
    r"(?:.*?/)??(?:publishers/[^/:]+/models/|models/|(?=tunedModels/))(?P<model>.+):(?P<operation>[A-Za-z]+)"
)


def loads(data: bytes | str, what: str, *, status_hint: int = 400) -> JSON:
    """Raises FormatError."""
    return jsonvalue.read(data, what, status_hint)


def dumps(value: JSON) -> bytes:
    return jsonvalue.write(value)


def spelled(value: Object) -> Object:
    """The same object with the known names in camelCase; the object itself when there is nothing to do."""
    if not any("_" in key for key in value):
        return value
    return {_CAMEL.get(key, key): item for key, item in value.items()}


def as_object(value: JSON, path: str) -> Object:
    if not isinstance(value, dict):
        raise FormatError(f"{path} must be an object, not {str(value)[:80]!r}")
    return value


def as_list(value: JSON, path: str) -> list[JSON]:
    """A repeated field; a lone object counts as a list of it, as it does for Google."""
    match value:
        case list():
            return value
        case dict():
            return [value]
        case None:
            return []
        case _:
            raise FormatError(f"{path} must be a list, not {str(value)[:80]!r}")


def as_text(value: JSON, path: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{path} must be a string, not {str(value)[:80]!r}")
    return value


def opt_text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def opt_number(value: JSON, path: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise FormatError(f"{path} must be a number, not {str(value)[:80]!r}")


def opt_int(value: JSON, path: str) -> int | None:
    """Google's JSON writes whole numbers as numbers, as ``40.0`` and, for 64 bits, as strings."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value):
        return int(value)
    number = opt_number(value, path)
    return None if number is None else int(number)


def opt_bool(value: JSON) -> bool | None:
    return value if isinstance(value, bool) else None


def lose(losses: list[Loss], path: str, reason: str) -> None:
    """One loss per reason: a conversation repeats the same one in every turn."""
    if all(loss.reason != reason for loss in losses):
        losses.append(Loss(path, reason))


@dataclass(frozen=True, slots=True)
class Target:
    """What the path says; ``start`` and ``end`` are where the model stands in it."""

    model: str
    operation: str
    start: int
    end: int


def target_of(path: str) -> Target | None:
    match = _TARGET.fullmatch(path)
    if match is None:
        return None
    return Target(unquote(match["model"]), match["operation"], match.start("model"), match.end("model"))


def quoted(model: str) -> str:
    return quote(model, safe="/:@-._~", errors="replace")


def path_of(model: str, operation: str) -> str:
    model = model.removeprefix("models/")
    root = BASE_PATH.removesuffix("/models") if model.startswith("tunedModels/") else BASE_PATH
    return f"{root}/{quoted(model)}:{operation}"


def split_query(query: str) -> tuple[str | None, str]:
    """The value of ``alt``, and the parameters that are neither it nor a credential."""
    pairs = parse_qsl(query, keep_blank_values=True)
    alt = next((value for key, value in pairs if key in {"alt", "$alt"}), None)
    return alt, urlencode([pair for pair in pairs if pair[0] not in {"alt", "$alt"} and pair[0] not in _CREDENTIALS])


def without_credentials(query: str) -> str:
    return split_query(query)[1]
