"""Function calls that come in pieces (Vertex AI, ``streamFunctionCallArguments``).

The first piece names the call, the next ones bring values by JSON path (``$.edits[0].text``), texts in several pieces;
``willContinue`` says that more of the call follows, and its absence that the call is whole. The arguments are handed
on when they are whole: a path may still open an object that the text so far has closed.
"""

import re
from itertools import pairwise
from typing import Final

from translators.errors import FormatError
from translators.formats.gemini.wire import Object, as_list, as_object, opt_text, spelled
from translators.hub import JSON

_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,6})\]|\[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]"""
)
_VALUES: Final = ("stringValue", "numberValue", "boolValue", "nullValue")
_MAX_GAP: Final = 64
"""Items of a list that a path may pass over; their values are still to come."""
_MAX_DEPTH: Final = 100


class PartialCall:
    """One call; ``part`` is the part that began it."""

    def __init__(self, part: Object, call: Object) -> None:
        self._part = part
        self._call = call
        self._args: Object = {}
        self._growing: dict[str, list[str]] = {}
        """Texts of which more is to come, by path; only their first piece stands in the arguments."""

    def add(self, part: Object, call: Object) -> None:
        """Raises FormatError for a path that leads nowhere."""
        if isinstance(args := call.get("args"), dict):
            self._args |= args
        if "thoughtSignature" in part:
            self._part = {**self._part, "thoughtSignature": part["thoughtSignature"]}
        for item in as_list(call.get("partialArgs"), "functionCall.partialArgs"):
            self._put(spelled(as_object(item, "functionCall.partialArgs")))

    def continued_by(self, call: Object) -> bool:
        name, identity = call.get("name"), call.get("id")
        return not name or (identity is not None and identity == self._call.get("id"))

    def whole(self) -> tuple[Object, Object]:
        """The part, and its function call as if it had come at once."""
        for path, pieces in self._growing.items():
            self._set(path, "".join(pieces))
        self._growing.clear()
        call: Object = {k: v for k, v in self._call.items() if k not in {"args", "partialArgs", "willContinue"}}
        return self._part, {**call, "args": self._args or self._call.get("args")}

    def _put(self, piece: Object) -> None:
        path = opt_text(piece.get("jsonPath")) or ""
        kind = next((name for name in _VALUES if name in piece), None)
        if kind is None:
            return
        value = None if kind == "nullValue" else piece[kind]
        more = piece.get("willContinue") is True
        pieces = self._growing.pop(path, [])
        if pieces and isinstance(value, str):
            pieces.append(value)
            if not more:
                self._set(path, "".join(pieces))
        else:
            pieces = [value] if isinstance(value, str) else []
            self._set(path, value)
        if more:
            self._growing[path] = pieces

    def _set(self, path: str, value: JSON) -> None:
        steps = _steps(path)
        holder: JSON = self._args
        for step, following in pairwise(steps):
            holder = _entered(holder, step, following, path)
        _write(holder, steps[-1], value, path)


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 1 if path.startswith("$") else 0
    text = path if path.startswith(("$", ".", "[")) else f".{path}"
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            break
        steps.append(int(match["index"]) if match["index"] else match["name"] or match["quoted"])
        position = match.end()
    if not 0 < len(steps) <= _MAX_DEPTH or position < len(text):
        raise FormatError(f"the path {path[:80]!r} of a partial argument cannot be read", status_hint=502)
    return steps


def _entered(holder: JSON, step: str | int, following: str | int, path: str) -> JSON:
    inner = _read(holder, step)
    if inner is None:
        inner = list[JSON]() if isinstance(following, int) else dict[str, JSON]()
        _write(holder, step, inner, path)
    return inner


def _read(holder: JSON, step: str | int) -> JSON:
    match holder, step:
        case dict(), str():
            return holder.get(step)
        case list(), int() if step < len(holder):
            return holder[step]
        case _:
            return None


def _write(holder: JSON, step: str | int, value: JSON, path: str) -> None:
    match holder, step:
        case dict(), str():
            holder[step] = value
        case list(), int() if step <= len(holder) + _MAX_GAP:
            holder.extend([None] * (step + 1 - len(holder)))
            holder[step] = value
        case _:
            raise FormatError(f"the path {path[:80]!r} of a partial argument leads nowhere", status_hint=502)
