"""A rule file's text without the secrets in it, line for line the same, also when it is broken YAML.

Two looks, so that what one misses the other finds: where the YAML has a key's value, and where a line looks like one
(comments, files that cannot be read). ``${VARIABLE}``, ``{env: …}`` and ``{vault: …}`` name a secret and stay.
"""

import re
from collections.abc import Iterator

import yaml

MASK = "[hidden]"
_NAMED = re.compile(r"\s*(['\"]?)\$\{[A-Za-z_]\w*\}\1\s*$")
_LINE = re.compile(
    r"""(?P<before>(?<![\w-])["']?
        (?:key|value|token|secret|password|authorization|cookie|(?:[\w-]*-)?(?:api-?key|token|secret|auth))["']?\s*:[ \t]*)
        (?P<value>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\n]|'')*'?|[^\s{\[#&*,}\]][^,}\]\n]*?(?=\s+\#|[,}\]\n]|\s*$))""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_OPEN = re.compile(
    r"^(?P<margin>[ \t-]*)[\"']?(?:key|value|token|secret|password|authorization)[\"']?\s*:\s*(?:[|>][-+\d]*)?\s*$"
)
_USER = re.compile(r"(?<=://)[^\s/@\"']+@")
_SHORTEST = 6
"""Shorter values are masked where they stand, and not looked for elsewhere."""


def masked(text: str) -> str:
    """The text to show."""
    found: set[str] = set()
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        nodes = [] if root is None else [node for node in _secrets(root) if not _NAMED.match(node.value)]
    except (yaml.YAMLError, RecursionError, ValueError):
        shown = _without_blocks(text, found)
        shown = _LINE.sub(lambda one: _hidden(one, found), shown)
    else:
        found |= {node.value for node in nodes}
        spans = sorted({(node.start_mark.index, node.end_mark.index) for node in nodes}, reverse=True)
        shown = text
        for start, end in spans:
            whole = shown[start:end]
            kept = whole[len(whole.rstrip()) :] if "\n" in whole else ""
            shown = shown[:start] + MASK + "\n" * (whole.count("\n") - kept.count("\n")) + kept + shown[end:]
        shown = "\n".join(_comment(line, found) for line in shown.split("\n"))
    for value in sorted({value.strip(" \t\n\"'") for value in found}, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            shown = shown.replace(value, MASK)
    return _USER.sub(f"{MASK}@", shown)


def _secrets(node: yaml.Node, path: tuple[str, ...] = (), deep: int = 0) -> Iterator[yaml.ScalarNode]:
    if deep > 20:
        return
    match node:
        case yaml.ScalarNode() if _is_secret(path):
            yield node
        case yaml.MappingNode():
            for key, value in node.value:
                yield from _secrets(value, (*path, str(key.value)), deep + 1)
        case yaml.SequenceNode():
            for value in node.value:
                yield from _secrets(value, (*path, "*"), deep + 1)
        case _:
            pass


def _is_secret(path: tuple[str, ...]) -> bool:
    match path:
        case (("accounts" | "keys"), *_, "key") | (("accounts" | "keys"), *_, "key", "value"):
            return True
        case ("providers", _, "headers", _) | ("providers", _, "query"):
            return True
        case (*_, ("token" | "secret" | "password" | "api_key" | "api-key" | "authorization")):
            return True
        case _:
            return False


def _comment(line: str, found: set[str]) -> str:
    start = line.find("#")
    return line if start < 0 else line[:start] + _LINE.sub(lambda one: _hidden(one, found), line[start:])


def _hidden(one: re.Match[str], found: set[str]) -> str:
    value = one["value"]
    if _NAMED.match(value) or MASK in value:
        return one[0]
    found.add(value)
    return one["before"] + MASK


def _without_blocks(text: str, found: set[str]) -> str:
    """Values that begin in the line after their key."""
    lines: list[str] = []
    margin: int | None = None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" \t-"))
        if margin is not None and line.strip():
            if indent > margin:
                found.add(line.strip())
                lines.append(" " * indent + MASK)
                continue
            margin = None
        if (opened := _OPEN.match(line)) is not None:
            margin = len(opened["margin"])
        lines.append(line)
    return "\n".join(lines)
