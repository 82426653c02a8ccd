"""The JSON schema for editors: what the loader says of a file's shape, the schema says too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from omniroute_addon.config import ConfigError, json_schema, parse
from omniroute_addon.config.paths import data_file

SCHEMA: dict[str, Any] = json_schema.json_schema()
CONFIG = data_file("omniroute.schema.json").parent
SHIPPED = sorted([*CONFIG.glob("omniroute.*.yaml"), *CONFIG.glob("recipes/*.yaml")], key=str)


def complaints(text: str) -> list[str]:
    """What an editor underlines."""
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(yaml.safe_load(text))]


def properties() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every key that a file can have, and whether it must."""
    for name, node in (("", SCHEMA), *SCHEMA["definitions"].items()):
        for key, one in node.get("properties", {}).items():
            yield f"{name}.{key}", one, key in node.get("required", ())


def test_the_file_is_what_the_models_say() -> None:
    written = data_file("omniroute.schema.json").read_text(encoding="utf-8")
    assert json.loads(written) == SCHEMA, "run `make schema`"


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_every_key_is_described() -> None:
    assert [name for name, one, _ in properties() if not one.get("description")] == []


def test_every_key_that_may_be_left_out_has_a_default() -> None:
    sections = {f"#/definitions/{name}" for name, node in SCHEMA["definitions"].items() if "properties" in node}
    bare = [
        name
        for name, one, required in properties()
        if not required and "default" not in one and one.get("allOf", [{}])[0].get("$ref") not in sections
    ]
    assert bare == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_rules_fit(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_rules_name_it_for_editors(path: Path) -> None:
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    word, _, named = first.partition("=")
    assert word == json_schema.MODELINE.partition("=")[0]
    assert (path.parent / named).resolve() == data_file("omniroute.schema.json").resolve()


@pytest.mark.parametrize(
    "rules",
    [
        "routes: [{to: origin}]",
        "routes: [{to: [origin, origin], match: {client: codex, has: images, hours: '22:00-06:00', days: [sat, sun]}}]",
        "combos: {a: {targets: [origin, {target: glm/x, weight: 2}], strategy: weighted, retry_delay: 500ms}}",
        "quota: {keep: 10%, windows: [{window: 5h, requests: 10}]}",
        "quota: {keep: 0.1}",
        "sessions: {ttl: 2h30m}",
        "providers: {x: {base_url: 'http://h/v1/messages', auth: {header: x-key}, models: {m: null}}}",
        "providers: {x: {base_url: 'http://h/v1/messages', auth: bearer, models: [m]}}",
        "accounts: [{name: a, provider: glm, key: '${X}'}, {name: b, provider: glm, key: {vault: b}}]",
        "listen: {proxy: null, web: '127.0.0.1:0'}",
        "view: {max_bytes: 64MiB, max_body: 100}",
        "resilience: {api-key: {failures: 3, reset: 1m}}",
        "budgets: [{name: b, match: {tier: free}, each: client, daily: 1.5, timezone: Europe/Berlin}]",
    ],
)
def test_short_forms_fit(rules: str) -> None:
    parse(f"version: 1\n{rules}", None, env={})
    assert complaints(f"version: 1\n{rules}") == []


@pytest.mark.parametrize(
    "rules",
    [
        "route: []",
        "routes: [{match: {}}]",
        "routes: [{to: origin, match: {has: pictures}}]",
        "routes: [{to: origin, match: {days: monday}}]",
        "routes: [{to: origin, match: {hours: '9-17'}}]",
        "combos: {a: {targets: []}}",
        "combos: {a: {targets: [origin], strategy: fastest}}",
        "combos: {a: {targets: [{target: origin, wieght: 2}]}}",
        "quota: {keep: 110}",
        "sessions: {ttl: soon}",
        "rates: {rpm: 0}",
        "rates: {rpm: many}",
        "resilience: {local: {failures: 3}}",
        "budgets: [{name: b, daily: -1}]",
        "providers: {x: {base_url: 'http://h/v1/messages', auth: cookie}}",
        "providers: {x: {base_url: 'http://h/v1/messages', format: json}}",
        "listen: {web: here}",
    ],
)
def test_a_wrong_shape_does_not_fit(rules: str) -> None:
    with pytest.raises(ConfigError):
        parse(f"version: 1\n{rules}", None, env={})
    assert complaints(f"version: 1\n{rules}") != []
