"""A YAML file as plain values that remember where they stood, with ``${ENV}`` put in. Reads safely: no tags, no bombs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import yaml

from omniroute_addon.config.models import Problem
from translators.hub import JSON

type KeyPath = tuple[str | int, ...]

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 200_000
MAX_DEPTH = 40

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


def written(path: KeyPath) -> str:
    """A key path as people write it: ``routes[0].match.model``."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


@dataclass(slots=True)
class Document:
    """One file."""

    file: str
    value: JSON = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int | None:
        """The line of a key or item, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def place(self, path: KeyPath) -> KeyPath:
        """The longest part of a path that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return path

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Something is wrong at a key path."""
        return Problem(self.file, self.line(path), written(path), message)

    def report(self, path: KeyPath, message: str) -> None:
        self.problems.append(self.problem(path, message))


def read(
    text: str, file: str, env: Mapping[str, str], *, keep: Callable[[KeyPath], bool] = lambda _: False
) -> Document:
    """Parse a file. Problems are collected in the document; its value is then not to be trusted.

    Strings at paths that ``keep`` names are left as written, variables and all.
    """
    document = Document(file)
    if len(text.encode(errors="replace")) > MAX_BYTES:
        document.report((), f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB")
        return document
    loader = _BASE(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            document.value = _Builder(loader, document, env, keep).build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(str(part) for part in (error.context, error.problem) if part)
        if mark is not None and any("\t" in line for line in text.splitlines()[mark.line : mark.line + 1]):
            what += "; indent by spaces, not by tabs"
        document.problems.append(Problem(file, mark.line + 1 if mark else None, "", f"not YAML: {what}"))
    except (yaml.YAMLError, ValueError) as error:
        document.problems.append(Problem(file, None, "", f"not YAML: {error}"))
    finally:
        loader.dispose()
    return document


class _TooLarge(yaml.MarkedYAMLError):
    """Aliases that unfold into more than anybody writes."""


class _Builder:
    def __init__(
        self, loader: yaml.SafeLoader, document: Document, env: Mapping[str, str], keep: Callable[[KeyPath], bool]
    ) -> None:
        self._loader = loader
        self._document = document
        self._env = env
        self._keep = keep
        self._nodes = 0

    def build(self, node: yaml.Node, path: KeyPath) -> JSON:
        self._nodes += 1
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise _TooLarge(problem="nested too deep or too large", problem_mark=node.start_mark)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            case _:
                return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> JSON:
        merged: set[int] = set()
        if any(key.tag == _MERGE for key, _ in node.value):
            own = {id(key) for key, _ in node.value}
            self._loader.flatten_mapping(node)  # puts what is merged before the mapping's own keys, which win
            merged = {id(key) for key, _ in node.value} - own
        out: dict[str, JSON] = {}
        weak: set[str] = set()
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._document.report(path, "a key must be a word")
                continue
            name = str(key.value)
            here = (*path, name)
            if name in weak:
                weak.discard(name)
            elif name in out:
                first = self._document.line(here)
                line = key.start_mark.line + 1
                self._document.problems.append(
                    Problem(self._document.file, line, written(here), f"named twice; the first is in line {first}")
                )
                continue
            self._document.lines[here] = key.start_mark.line + 1
            if id(key) in merged:
                weak.add(name)
            out[name] = self.build(child, here)
        return out

    def _scalar(self, node: yaml.Node, path: KeyPath) -> JSON:
        value: object = self._loader.construct_object(node)
        if isinstance(value, str):
            return value if self._keep(path) else self._expanded(value, path)
        if value is None or isinstance(value, bool | int | float):
            return value
        return str(node.value)

    def _expanded(self, text: str, path: KeyPath) -> str:
        def of(found: re.Match[str]) -> str:
            value = self._env.get(found[1])
            if value is None:
                self._document.report(path, f"environment variable {found[1]} is not set")
                return found[0]
            return value

        return VARIABLE.sub(of, text) if "${" in text else text
