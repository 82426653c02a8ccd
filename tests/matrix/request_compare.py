"""What of a request has neither arrived nor been listed as a loss, and what was put in unasked."""

import json
import re
from collections.abc import Iterator, Sequence

from tests.matrix.request_facts import JSON, Answered, Called, Declared, Facts, Role, parsed, words
from translators.hub import Loss

_ALIASES = {
    "max_tokens": "max_tokens max_output_tokens max_completion_tokens maxOutputTokens",
    "top_p": "top_p topP",
    "top_k": "top_k topK",
    "stop": "stop stop_sequences stopSequences",
    "n": "n candidateCount",
    "user": "user metadata.user_id safety_identifier",
    "cache_key": "cache_key prompt_cache_key",
    "presence_penalty": "presence_penalty presencePenalty",
    "frequency_penalty": "frequency_penalty frequencyPenalty",
    "logprobs": "logprobs responseLogprobs include",
    "top_logprobs": "top_logprobs logprobs",
    "verbosity": "verbosity text.verbosity",
}
_SAYS_NOTHING = {"n": 1, "presence_penalty": 0, "frequency_penalty": 0, "logprobs": False, "top_logprobs": 0}
_CONVERSATION = ("messages", "system", "input", "contents", "instructions")
_INPUT = "input"
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool", "thought")
_LENIENT = re.compile(r"\s+")


class Comparison:
    """``source`` and ``target`` are what both documents say, ``losses`` what the translation owned up to."""

    def __init__(self, source: Facts, target: Facts, losses: Sequence[Loss]) -> None:
        self._source = source
        self._target = target
        self._losses = losses
        self._names = _renamed(source.tools, target.tools)

    def problems(self) -> list[str]:
        return [
            *self._texts(),
            *self._media(),
            *self._tools(),
            *self._calls(),
            *self._answers(),
            *self._choice(),
            *self._reasoning(),
            *self._output(),
            *self._settings(),
            *self._opaque(),
        ]

    # ── losses ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lost(self, *names: str) -> bool:
        """A loss whose path names one of these members."""
        return any(
            name in re.split(r"[.\[\]]+", loss.path) or loss.path.endswith(name)
            for loss in self._losses
            for name in names
        )

    def _lost_in(self, where: Sequence[str], *about: str) -> bool:
        """A loss at such a place; ``about`` are words of which its path or its reason must have one."""
        return any(
            loss.path.startswith(tuple(where))
            and (not about or any(word in f"{loss.path} {loss.reason}".lower() for word in about))
            for loss in self._losses
        )

    # ── conversation ────────────────────────────────────────────────────────────────────────────────────────────────

    def _texts(self) -> Iterator[str]:
        for role in _ROLES:
            whole = _plain("\n".join(self._target.texts(role)))
            cursor = 0
            for text in self._source.texts(role):
                wanted = _plain(text)
                found = whole.find(wanted, cursor)
                if found >= 0:
                    cursor = found + len(wanted)
                elif wanted in whole:
                    if not self._lost_in(_CONVERSATION):
                        yield f"{role} text out of order: {text[:60]!r}"
                else:
                    yield from self._misplaced(role, text)
        yield from self._invented()

    def _misplaced(self, role: Role, text: str) -> Iterator[str]:
        """A text that its own role does not say in the target."""
        wanted = _plain(text)
        if any(wanted in _plain(other) for _, other in self._target.said):
            if not self._lost_in(_CONVERSATION, "text", "system", "result", "role"):
                yield f"{role} text under another role: {text[:60]!r}"
        elif role == "thought":
            if not self._lost_in(_CONVERSATION, "reasoning", "signature", "thinking"):
                yield f"thought lost: {text[:60]!r}"
        elif role != "tool" or not self._as_json(text):
            yield f"{role} text lost: {text[:60]!r}"

    def _as_json(self, text: str) -> bool:
        return any(answer.text == parsed(text) for answer in self._target.answers)

    def _invented(self) -> Iterator[str]:
        """Text of the target that the source does not have."""
        known = [*(text for _, text in self._source.said), *(one.content for one in self._source.shown)]
        known += [_written(answer.text) for answer in self._source.answers]
        pool = sorted((_plain(text) for text in known), key=len, reverse=True)
        for role, text in self._target.said:
            rest = _plain(text)
            for piece in pool:
                rest = rest.replace(piece, "") if piece else rest
            if rest and not self._lost_in((*_CONVERSATION, "tools"), "invented", "put in", "sent as", "text"):
                yield f"invented {role} text: {text[:60]!r}"

    def _media(self) -> Iterator[str]:
        shown = {_bare(one.content) for one in self._target.shown}
        said = "\n".join(text for _, text in self._target.said)
        for one in self._source.shown:
            if _bare(one.content) in shown or one.content in said:
                continue
            if not self._lost_in(
                _CONVERSATION,
                one.kind,
                "file",
                "media",
                "document",
                "image",
                "assistant",
                "upload",
                "see",
                "hear",
                "watch",
            ):
                yield f"{one.kind} lost: {one.content[:40]!r}"
        if len(self._target.shown) > len(self._source.shown):
            yield "media was invented"

    def _calls(self) -> Iterator[str]:
        wanted = [Called(self._names.get(call.name, call.name), call.arguments) for call in self._source.calls]
        made = list(self._target.calls)
        for call in wanted:
            found = next((one for one in made if one.name == call.name and _same(call.arguments, one.arguments)), None)
            if found is None:
                yield f"tool call lost: {call.name} {call.arguments!r:.60}"
            else:
                made.remove(found)
        yield from (f"tool call invented: {call.name}" for call in made)

    def _answers(self) -> Iterator[str]:
        made = list(self._target.answers)
        for answer in self._source.answers:
            same = [one for one in made if _answers_alike(answer, one)]
            found = next((one for one in same if one.error == answer.error), same[0] if same else None)
            if found is None:
                if not self._lost_in(_CONVERSATION, "result", "file", "image", "document", "understand", "vendor"):
                    yield f"tool result lost: {answer.text!r:.60}"
                continue
            made.remove(found)
            if answer.error and not found.error and not self._lost_in(_CONVERSATION, "error", "failed"):
                yield "the mark of a failed tool is lost"
        if made and not self._lost_in(
            _CONVERSATION, "no result", "put in", "sent as text", "result", "understand", "vendor", "media"
        ):
            yield f"tool result invented: {made[0].text!r:.60}"

    # ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tools(self) -> Iterator[str]:
        made = {tool.name: tool for tool in self._target.tools}
        for number, tool in enumerate(_once(self._source.tools)):
            found = made.pop(self._names.get(tool.name, tool.name), None)
            if found is None:
                if not self._lost_in(("tools",)):
                    yield f"tool lost: {tool.name}"
                continue
            yield from self._tool(tool, found, number)
        yield from (f"tool invented: {name}" for name in made)
        missing = len(self._source.server_tools) - len(self._target.server_tools)
        if missing > 0 and sum(loss.path.startswith("tools") for loss in self._losses) < 1:
            yield f"server tool lost: {self._source.server_tools}"

    def _tool(self, tool: Declared, found: Declared, number: int) -> Iterator[str]:
        if tool.description.strip() not in found.description:
            yield f"description of {tool.name} lost"
        if tool.deferred and not found.deferred and not self._lost_in(("tools",), "defer"):
            yield f"{tool.name} is shown at once"
        if tool.strict and not found.strict and not self._lost_in(("tools",), "strict"):
            yield f"{tool.name} is no longer strict"
        if tool.custom and not found.custom:
            if not self._lost_in(("tools",), "custom"):
                yield f"{tool.name} is no longer a custom tool"
            return
        if _same(tool.schema or {}, found.schema or {}) or not tool.schema:
            return
        missing = words(_standard(tool.schema)) ^ words(_standard(found.schema))
        if missing and not self._lost_in(("tools",), "schema"):
            yield f"schema of {tool.name} differs: {sorted(missing)[:4]}"

    def _choice(self) -> Iterator[str]:
        mode, names = _narrowed(self._source)
        wanted = (mode, tuple(sorted(self._names.get(name, name) for name in names)))
        made = _narrowed(self._target)
        only = ("tool", tuple(tool.name for tool in self._target.tools))
        if len(self._target.tools) == 1 and ("required", ()) in (wanted, made):
            wanted, made = (only if choice == ("required", ()) else choice for choice in (wanted, made))
        told = self._lost("tool_choice") or (self._lost_in(("tools",)) and mode == made[0])
        moot = mode in ("auto", "none") and not self._target.tools
        if wanted != made and not told and not moot:
            yield f"tool choice {wanted} became {made}"
        freed = not self._source.parallel and self._target.parallel and self._target.tools and mode != "none"
        if freed and not self._lost("parallel_tools", "parallel_tool_calls", "disable_parallel_tool_use"):
            yield "parallel calls are no longer off"

    # ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reasoning(self) -> Iterator[str]:
        asked, made = self._source, self._target
        silent = asked.thinks is None and asked.effort is None and asked.budget is None
        if silent and not asked.wants_thoughts and (made.thinks, made.effort, made.budget) != (None, None, None):
            yield "reasoning was invented"
        if silent or (asked.thinks and made.wants_thoughts) or self._lost_in(("reasoning", "thinking", "effort")):
            return
        if asked.thinks is False:
            if made.thinks is not False:
                yield "reasoning is no longer off"
        elif asked.effort is not None and made.effort is not None:
            if asked.effort != made.effort:
                yield f"effort {asked.effort} became {made.effort}"
        elif asked.budget is not None and made.budget is not None:
            if asked.budget != made.budget:
                yield f"budget {asked.budget} became {made.budget}"
        elif made.thinks is not True and made.effort is None and made.budget is None:
            yield f"reasoning lost: thinks={asked.thinks} effort={asked.effort} budget={asked.budget}"

    def _output(self) -> Iterator[str]:
        wanted, made = self._source.output, self._target.output
        if wanted is None and made is not None:
            yield "structured output was invented"
        elif wanted is not None and made is None:
            if not self._lost_in(("output", "response_format", "text", "generationConfig")):
                yield "structured output lost"
        elif isinstance(wanted, dict) and not _same(wanted, made):
            yield from self._output_schema(wanted, made)

    def _output_schema(self, wanted: JSON, made: JSON) -> Iterator[str]:
        if words(_standard(wanted)) ^ words(_standard(made)) and not self._lost_in(("output", "response_format")):
            yield "schema of the output differs"

    def _settings(self) -> Iterator[str]:
        for name, value in self._source.settings.items():
            if value == _SAYS_NOTHING.get(name) or value == []:
                continue
            if self._target.settings.get(name) != value and not self._lost(*_ALIASES.get(name, name).split()):
                yield f"{name} {value!r} became {self._target.settings.get(name)!r}"
        for name, value in self._target.settings.items():
            if name not in self._source.settings and value and not self._lost(*_ALIASES.get(name, name).split()):
                yield f"{name} {value!r} was invented"

    def _opaque(self) -> Iterator[str]:
        told = " ".join(f"{loss.path} {loss.reason}" for loss in self._losses).lower()
        for word in dict.fromkeys(word for word in self._source.opaque if word not in self._target.opaque):
            if not any(form in told for form in _forms(word)):
                yield f"{word} is nowhere mentioned"


def _forms(word: str) -> set[str]:
    """How a loss may speak of a member."""
    snake = re.sub(r"[A-Z]", lambda match: "_" + match.group().lower(), word)
    forms = {word.lower(), snake}
    if word.lower() in ("signature", "thoughtsignature", "encrypted_content", "redacted_thinking"):
        forms |= {"signature", "reasoning"}
    return forms


def _plain(text: str) -> str:
    return _LENIENT.sub("", text)


def _bare(content: str) -> str:
    return content.rstrip("=")


def _written(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _answers_alike(source: Answered, target: Answered) -> bool:
    if isinstance(source.text, str) and isinstance(target.text, str):
        wanted, made = _plain(source.text), _plain(target.text)
        return wanted == made or (wanted != "" and wanted in made) or parsed(source.text) == parsed(target.text)
    return parsed(source.text) == parsed(target.text)


def _same(source: JSON, target: JSON) -> bool:
    """Equal, or the text of a custom tool under the one argument of the function that stands for it."""
    return source == target or (isinstance(source, str) and target == {_INPUT: source})


def _narrowed(facts: Facts) -> tuple[str, tuple[str, ...]]:
    """The choice; one between all tools is one without names."""
    mode, names = facts.choice
    if mode != "tool" and set(names) == {tool.name for tool in facts.tools}:
        return mode, ()
    return "tool" if mode == "required" and len(names) == 1 else mode, tuple(sorted(names))


def _once(tools: Sequence[Declared]) -> list[Declared]:
    return list({tool.name: tool for tool in reversed(tools)}.values())[::-1]


def _renamed(source: Sequence[Declared], target: Sequence[Declared]) -> dict[str, str]:
    """The target's names of the source's tools: the same name, else what stands at the same place."""
    theirs = [tool.name for tool in target]
    spare = [tool.name for tool in target if tool.name not in {one.name for one in source}]
    return {
        tool.name: tool.name if tool.name in theirs else spare.pop(0)
        for tool in _once(source)
        if tool.name in theirs or spare
    }


def _standard(schema: JSON) -> JSON:
    """Gemini's own spelling of a schema brought to the common one."""
    if isinstance(schema, list):
        return [_standard(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        {"any_of": "anyOf", "property_ordering": "propertyOrdering"}.get(name, name): _standard(inner)
        for name, inner in schema.items()
    }
    if isinstance(kind := made.get("type"), str):
        made["type"] = kind.lower()
    return made
