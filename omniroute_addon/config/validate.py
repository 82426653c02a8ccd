"""A document against a pydantic model: the value, or problems with file, line, key path and what may have been meant."""

import difflib
import re
from collections.abc import Iterator
from typing import TypeAliasType, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from omniroute_addon.config.document import Document, KeyPath
from translators.hub import JSON

_QUOTED = re.compile(r"'([^']+)'")
_PLAIN = {
    "missing": "is missing",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def validate[T: BaseModel](document: Document, model: type[T]) -> T | None:
    """The document as a model; None when it has problems, which are then in the document."""
    value = document.value
    if document.problems:
        return None
    if not isinstance(value, dict):
        document.report((), "the file must be a mapping of keys to values")
        return None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=False):
            _report(document, model, details)
        return None


def meant(word: str, known: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """``; did you mean …?`` for a word that is nearly a known one, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _report(document: Document, model: type[BaseModel], details: ErrorDetails) -> None:
    path: KeyPath = details["loc"]
    kind = details["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(model, path)
        hint = meant(str(path[-1]), known) or f"; known keys are {', '.join(known)}"
        document.report(document.place(path), f"unknown key {str(path[-1])!r}{hint}")
        return
    if kind == "missing":
        name = str(path[-1])
        document.report(document.place(path), f"key {name!r} is missing")
        return
    text = _PLAIN.get(kind) or details["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ", 1)
    given = _given(document, path)
    if kind == "literal_error" and isinstance(given, str):
        text += meant(given, _QUOTED.findall(text))
    elif given is None and text.startswith("must be a"):
        text = f"is empty; it {text}, or leave the line out"
    document.report(document.place(path), text)


def _given(document: Document, path: KeyPath) -> JSON:
    """What the file has at a path."""
    value = document.value
    for part in path:
        match value:
            case dict() if part in value:
                value = value[str(part)]
            case list() if isinstance(part, int) and part < len(value):
                value = value[part]
            case _:
                break
    return value


def _keys_beside(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that could stand where the last one of a path does."""
    current: list[type[BaseModel]] = [model]
    direct = True
    for part in path[:-1]:
        annotations = [one.model_fields[part].annotation for one in current if direct and part in one.model_fields]
        if not annotations:
            direct = True  # an index or a key of a mapping: its models are the ones we have
            continue
        current = [found for annotation in annotations for found in _models(annotation)]
        direct = any(isinstance(one, type) and issubclass(one, BaseModel) for one in map(_plain, annotations))
    return sorted({field.alias or name for one in current for name, field in one.model_fields.items()})


def _plain(annotation: object) -> object:
    """An annotation without its name, ``| None`` and ``Annotated``."""
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    inner = [arg for arg in get_args(annotation) if arg is not type(None)]
    return annotation if isinstance(annotation, type) or not inner else inner[0]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
