"""Switch one entry of a rule file on or off and leave every other byte as it is: comments, order, quotes, spaces.

The text is changed at the place that the YAML reader names, and what comes out is read again: unless its values are the
old ones with just this switch turned, the edit is refused. So a form that nobody thought of costs a refusal at most.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

import yaml

from omniroute_addon.config.document import read
from translators.hub import JSON

type Path = Sequence[str | int]

_KINDS: tuple[tuple[object, ...], ...] = (
    ("routes", int),
    ("accounts", int),
    ("keys", int),
    ("combos", str),
    ("combos", str, "targets", int),
    ("providers", str),
    ("providers", str, "models", str),
    ("policies", int),
    ("budgets", int),
)
"""What has ``enabled``; as the schema has it."""
_SWITCH = "enabled"


class NotSwitchableError(ValueError):
    """The file stays as it was; the message is for people."""


def switched(text: str, path: Path, on: bool) -> str:
    """The file's text with ``enabled`` of the entry at ``path`` turned. Raises NotSwitchableError."""
    if not any(_fits(path, kind) for kind in _KINDS):
        raise NotSwitchableError("only routes, combos, targets, providers, accounts, keys and policies have a switch")
    before = _values(text)
    try:
        node = _node(text, path)
        wanted = _turned(before, path, on)
    except (LookupError, TypeError, AttributeError) as error:
        raise NotSwitchableError("the file has no such entry") from error
    if wanted == before:
        return text
    edited = _edited(text, node, on)
    if _values(edited) != wanted:
        raise NotSwitchableError("this entry is written in a way that only an editor can change")
    return edited


def _fits(path: Path, kind: tuple[object, ...]) -> bool:
    return len(path) == len(kind) and all(
        type(step) is wanted if isinstance(wanted, type) else step == wanted
        for step, wanted in zip(path, kind, strict=True)
    )


def _values(text: str) -> JSON:
    """As the reader of rules sees them, variables as written."""
    document = read(text, "", {}, keep=lambda _: True)
    if document.problems:
        raise NotSwitchableError(f"the file has errors: {document.problems[0].message}")
    return document.value


def _node(text: str, path: Path) -> yaml.Node:
    found: yaml.Node | None = yaml.compose(text, yaml.SafeLoader)
    for step in path:
        match found:
            case yaml.MappingNode():
                found = next((value for key, value in found.value if key.value == step), None)
            case yaml.SequenceNode() if isinstance(step, int) and 0 <= step < len(found.value):
                found = found.value[step]
            case _:
                found = None
        if found is None:
            raise LookupError(step)
    assert found is not None
    return found


def _turned(values: JSON, path: Path, on: bool) -> JSON:
    turned = copy.deepcopy(values)
    at = cast("Any", turned)
    for step in path[:-1]:
        at = at[step]
    entry = at[path[-1]]
    if isinstance(entry, str):
        if not on:
            at[path[-1]] = {"target": entry, _SWITCH: False}
    elif bool(entry.get(_SWITCH, True)) is not on:
        entry[_SWITCH] = on
    return turned


def _edited(text: str, node: yaml.Node, on: bool) -> str:
    word = f"{_SWITCH}: {'true' if on else 'false'}"
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        return f"{text[:start]}{{target: {text[start:end]}, {word}}}{text[end:]}"
    assert isinstance(node, yaml.MappingNode)
    for key, value in node.value:
        if key.value == _SWITCH:
            return text[: key.start_mark.index] + word + text[value.end_mark.index :]
    if not node.value:
        return f"{text[:start]}{{{word}}}{text[end:]}"
    if node.flow_style:
        last = node.value[-1][1].end_mark.index
        return f"{text[:last]}, {word}{text[last:]}"
    key, value = node.value[0]
    margin = " " * key.start_mark.column
    newline = "\r\n" if "\r\n" in text else "\n"
    single = value.end_mark.line == key.start_mark.line
    if not single:
        at = key.start_mark.index
        return f"{text[:at]}{word}{newline}{margin}{text[at:]}"
    at = text.find("\n", value.end_mark.index)
    if at < 0:
        return f"{text}{newline}{margin}{word}{newline}"
    return f"{text[: at + 1]}{margin}{word}{newline}{text[at + 1 :]}"
