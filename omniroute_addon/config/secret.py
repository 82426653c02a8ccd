"""Secrets in the file: where one comes from, and getting it from there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from omniroute_addon.config.document import VARIABLE
from omniroute_addon.config.section import Section

type Secrets = Callable[[str], str | None]
"""Name of a vault entry → its secret; None when there is none."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where keys come from."""

    env: Mapping[str, str]
    secrets: Secrets | None


class KeySpec(Section):
    """Where a key comes from; exactly one is set."""

    value: str | None = Field(None, repr=False)
    """As written, ``${ENV}`` and all."""
    env: str | None = None
    """An environment variable."""
    vault: str | None = None
    """An entry of ``omniroute vault``."""


def _long(value: object) -> object:
    return {"value": value} if isinstance(value, str) else value


def _one_source(key: KeySpec) -> KeySpec:
    if sum(source is not None for source in (key.value, key.env, key.vault)) != 1:
        raise ValueError('must be "${NAME}", {env: NAME} or {vault: NAME}')
    return key


type Secret = Annotated[
    KeySpec, BeforeValidator(_long, json_schema_input_type=str | KeySpec), AfterValidator(_one_source)
]


def secret_of(key: KeySpec | None, sources: Sources) -> tuple[str | None, str | None]:
    """The secret, and why it is missing; neither where none is asked for."""
    if key is None:
        return None, None
    if key.vault is not None:
        found = sources.secrets(key.vault) if sources.secrets is not None else None
        return (found, None) if found else (None, f"the vault has no {key.vault!r}")
    names = [key.env] if key.env is not None else VARIABLE.findall(key.value or "")
    for name in names:
        if not sources.env.get(name):
            return None, f"environment variable {name} is not set"
    if key.env is not None:
        return sources.env[key.env].strip(), None
    said = VARIABLE.sub(lambda found: sources.env[found[1]], key.value or "").strip()
    return (said, None) if said else (None, "the key is empty")
