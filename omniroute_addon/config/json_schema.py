"""The JSON schema of ``omniroute.yaml``, for editors: made of the models that validate the file.

Theory of operation. Shape, bounds and short forms are what pydantic says of the models. A field is described by the
docstring below it in the source, else by that of the value which it becomes (``LimitsSpec.max_error`` by
``Limits.max_error``), else by that of its own model. Names across the file (targets, providers, accounts) and the
meaning of times and zones are beyond a schema: those are for ``omniroute check``.

``config/omniroute.schema.json`` is this, written down by ``make schema``; a test holds them together.
"""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from textwrap import dedent
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from omniroute_addon.config import models
from omniroute_addon.config.combos import ComboDefaults
from omniroute_addon.config.schema import ComboSpec, ConfigSpec, ProfileSpec
from omniroute_addon.config.section import Section
from translators.format import Profile

MODELINE = "# yaml-language-server: $schema=omniroute.schema.json"
"""What makes an editor use the schema that lies beside the file."""

_BECOMES: Mapping[type[BaseModel], type] = {ProfileSpec: Profile, ComboSpec: ComboDefaults}
"""Specs of values with other names."""

_EVERYWHERE: Mapping[str, str] = {"enabled": "`false` switches it off and leaves it in the file."}
"""What is said of fields that mean the same wherever they stand."""

type _Node = dict[str, Any]


def json_schema() -> _Node:
    """The whole schema."""
    whole = ConfigSpec.model_json_schema(ref_template="#/definitions/{model}")
    definitions: dict[str, _Node] = whole.pop("$defs")
    specs = {spec.__name__: spec for spec in _specs(Section)}
    for name, node in definitions.items():
        _tidy(node)
        if name in specs and "properties" in node:
            _describe(node, specs[name])
    _tidy(whole)
    _describe(whole, ConfigSpec)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **whole,
        "title": "omniroute.yaml",
        "definitions": {name: definitions[name] for name in sorted(_reached(whole, definitions))},
    }


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _specs(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in base.__subclasses__():
        yield one
        yield from _specs(one)


def _tidy(node: object) -> None:
    """Leave out titles that only repeat names, and give every reference with words of its own a place to have them."""
    if isinstance(node, list):
        for one in node:
            _tidy(one)
        return
    if not isinstance(node, dict):
        return
    if isinstance(node.get("title"), str):
        del node["title"]
    for key, value in node.items():
        if key in {"properties", "patternProperties"}:
            for one in value.values():
                _tidy(one)
        elif key != "default":
            _tidy(value)
    if "$ref" in node and len(node) > 1:
        node["allOf"] = [{"$ref": node.pop("$ref")}]


def _describe(node: _Node, spec: type[BaseModel]) -> None:
    """Words and default of every property."""
    if spec.__doc__ and "description" in node:
        node["description"] = _plain(spec.__doc__)
    names = {field.alias or name: name for name, field in spec.model_fields.items()}
    for key, property_ in node["properties"].items():
        words = description(spec, names[key])
        if "$ref" in property_ and (words or "default" in property_):
            property_["allOf"] = [{"$ref": property_.pop("$ref")}]
        if words:
            property_["description"] = words
        _set_default(property_, spec, names[key])


def _set_default(property_: _Node, spec: type[BaseModel], name: str) -> None:
    """The default that counts. A section that is like a fresh one has those of its fields."""
    field = spec.model_fields[name]
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return
    if isinstance(default, BaseModel) and _is_fresh(default):
        property_.pop("default", None)
    elif default is None and (of_value := _default_of_value(spec, name)) is not MISSING:
        property_["default"] = of_value
    else:
        property_["default"] = json.loads(json.dumps(default, default=_as_json))


def _as_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    assert isinstance(value, frozenset)
    return sorted(value)


def _is_fresh(section: BaseModel) -> bool:
    required = any(field.is_required() for field in type(section).model_fields.values())
    return not required and section == type(section)()


def _default_of_value(spec: type[BaseModel], name: str) -> object:
    """What stands in for a value that is not given, if it is a plain one."""
    owner = _value_of(spec)
    if owner is None or not is_dataclass(owner):
        return MISSING
    default = next((field.default for field in fields(owner) if field.name == name), MISSING)
    return (
        default
        if isinstance(default, int | float | str)
        else str(default)
        if isinstance(default, models.Address)
        else MISSING
    )


def description(spec: type[BaseModel], name: str) -> str | None:
    """What the source says of a field."""
    owner = _value_of(spec)
    for one in (*spec.__mro__, *([owner] if owner is not None else [])):
        if one.__module__.startswith(("omniroute_addon.", "translators.")) and (found := _docstrings(one).get(name)):
            return found
    if name in _EVERYWHERE:
        return _EVERYWHERE[name]
    own = spec.model_fields[name].annotation
    return _plain(own.__doc__) if isinstance(own, type) and issubclass(own, Section) and own.__doc__ else None


def _value_of(spec: type[BaseModel]) -> type | None:
    return _BECOMES.get(spec) or getattr(models, spec.__name__.removesuffix("Spec"), None)


@cache
def _docstrings(owner: type) -> Mapping[str, str]:
    """The fields of a class that have a docstring, with it."""
    (tree,) = ast.parse(dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for before, after in zip(tree.body, tree.body[1:], strict=False):
        match before, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = _plain(words)
            case _:
                pass
    return found


def _plain(docstring: str) -> str:
    """In the Markdown of editors, on one line."""
    return " ".join(docstring.split()).replace("``", "`")


def _reached(node: object, definitions: Mapping[str, _Node], found: set[str] | None = None) -> set[str]:
    """The definitions that a node needs."""
    found = set() if found is None else found
    if isinstance(node, list):
        for one in node:
            _reached(one, definitions, found)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                name = value.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    _reached(definitions[name], definitions, found)
            else:
                _reached(value, definitions, found)
    return found
