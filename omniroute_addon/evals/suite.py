"""A suite: cases in a YAML file, validated whole, with file, line and key path for every problem.

Suites ship in ``config/evals``, the user's lie in ``evals/`` of the data dir; a path names any other.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from omniroute_addon.config.document import read
from omniroute_addon.config.models import ConfigError, Problem
from omniroute_addon.config.paths import data_file
from omniroute_addon.config.section import Section
from omniroute_addon.config.validate import validate

SHIPPED = ("golden",)
FOLDER = "evals"
_CALL = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*")

type Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
type Strategy = Literal["exact", "contains", "regex", "custom"]


class Expected(Section):
    strategy: Strategy
    value: str | None = None
    """The text, the part of it (in any case), or the regular expression (searched for)."""
    call: str | None = None
    """For ``custom``: ``module:function``, in ``module.py`` beside the suite. It gets the answer and returns true or false."""

    @model_validator(mode="after")
    def _one(self) -> "Expected":
        custom = self.strategy == "custom"
        if custom and (self.call is None or not _CALL.fullmatch(self.call)):
            raise ValueError("custom needs call: module:function")
        if not custom and self.value is None:
            raise ValueError(f"{self.strategy} needs a value")
        return self

    @field_validator("value")
    @classmethod
    def _some(cls, value: str | None) -> str | None:
        if value == "":
            raise ValueError("must not be empty")
        return value


class Case(Section):
    id: Id
    name: str = ""
    model: str | None = None
    """Whom it is asked when no target is named."""
    input: dict[str, JsonValue]
    """A chat request without model: ``messages``, and whatever else it should have (``max_tokens``, ``temperature``)."""
    expected: Expected
    tags: tuple[str, ...] = ()

    @field_validator("input")
    @classmethod
    def _asks(cls, asked: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if not isinstance(asked.get("messages"), list) or not asked["messages"]:
            raise ValueError("must have messages")
        if asked.get("stream") or "model" in asked:
            raise ValueError("must not name a model or ask for a stream")
        return asked

    @property
    def title(self) -> str:
        return self.name or self.id


class Suite(Section):
    id: Id
    name: str = ""
    description: str = ""
    model: str | None = None
    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=10_000)]

    @property
    def title(self) -> str:
        return self.name or self.id

    @property
    def runs_code(self) -> bool:
        return any(case.expected.strategy == "custom" for case in self.cases)


def load(path: Path) -> Suite:
    """The suite of a file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError((Problem(str(path), None, "", f"cannot be read: {said}"),)) from error
    document = read(text, str(path), {}, keep=lambda _: True)
    suite = validate(document, Suite)
    if suite is not None:
        seen: set[str] = set()
        for index, case in enumerate(suite.cases):
            if case.id in seen:
                document.report(("cases", index, "id"), f"named twice: {case.id!r}")
            seen.add(case.id)
            if case.expected.strategy == "regex" and (problem := _not_a_regex(case.expected.value or "")):
                document.report(("cases", index, "expected", "value"), problem)
    if suite is None or document.problems:
        raise ConfigError(tuple(sorted(document.problems, key=lambda problem: problem.line or 0)))
    return suite


def _not_a_regex(text: str) -> str | None:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    return None


def available(home: Path) -> dict[str, Path]:
    """Suites by name: the shipped ones, and over them those of the data dir."""
    own = sorted((home / FOLDER).glob("*.yaml")) if (home / FOLDER).is_dir() else []
    return {name: data_file(f"evals/{name}.yaml") for name in SHIPPED} | {path.stem: path for path in own}


def find(name: str, home: Path) -> Path | None:
    """The file of a suite's name, or the path itself."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name).expanduser()
    return available(home).get(name)
