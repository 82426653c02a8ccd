"""The OpenAPI document, made of the same models that validate and answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from omniroute_addon import __version__
from omniroute_addon.web.handlers import Handler
from omniroute_addon.web.resource import ROOT, Failure, Resource
from omniroute_addon.web.site import Site

type Names = Mapping[Any, dict[str, Any]]
"""A model and what it is for → the reference to its schema."""

_REFERENCE = "#/components/schemas/{model}"


class Document(Handler):
    """``/omniroute/api/openapi.json``."""

    def initialize(self, site: Site, resources: Sequence[Resource] = ()) -> None:  # type: ignore[override]
        super().initialize(site)
        self._resources = resources

    def get(self) -> None:
        self.write(document(self._resources))


def document(resources: Sequence[Resource]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Failure, "serialization")]
    models += [found for one in resources for found in _models(one)]
    names, shared = models_json_schema(models, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for one in resources:
        paths.setdefault(f"{ROOT}/api/{one.path}", {})[one.method.lower()] = _operation(one, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "OmniRoute", "version": __version__, "description": "What the pages in mitmweb show."},
        "paths": paths,
        "components": {
            "schemas": shared.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _models(resource: Resource) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    given = resource.models
    found: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    if "body" in given:
        found.append((given["body"], "validation"))
    if "return" in given:
        found.append((given["return"], "serialization"))
    return found


def _operation(resource: Resource, names: Names) -> dict[str, Any]:
    given = resource.models
    answer: dict[str, Any]
    if "return" not in given:
        answer = {resource.download or "application/octet-stream": {"schema": {"type": "string"}}}
    else:
        answer = {"application/json": {"schema": names[given["return"], "serialization"]}}
    failure = {"application/json": {"schema": names[Failure, "serialization"]}}
    wrong = {"400": "not understood", "403": "not logged in", "404": "not there", "422": "asked wrongly"}
    if "body" in given:
        wrong |= {"415": "no JSON"}
    wrong |= {"409": "not possible now", "503": "no ledger"}
    operation: dict[str, Any] = {
        "operationId": f"{resource.method.lower()}_{resource.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": resource.summary,
        "parameters": _parameters(resource),
        "responses": {
            str(resource.status): {"description": resource.summary, "content": answer},
            **{status: {"description": words, "content": failure} for status, words in wrong.items()},
        },
    }
    if "body" in given:
        schema = names[given["body"], "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameters(resource: Resource) -> list[dict[str, Any]]:
    """The fields of ``asked``: those that the path names, and the query. They are plain, so nothing is shared."""
    if (model := resource.models.get("asked")) is None:
        return []
    schema = model.model_json_schema(mode="validation")
    found: list[dict[str, Any]] = []
    for name, field in schema.get("properties", {}).items():
        in_path = name in resource.parameters
        plain = {key: value for key, value in field.items() if key not in ("title", "description")}
        one: dict[str, Any] = {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or name in schema.get("required", ()),
            "schema": plain,
        }
        if words := field.get("description"):
            one["description"] = words
        found.append(one)
    return found
