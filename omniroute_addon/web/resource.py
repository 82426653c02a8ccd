"""What a page is: a function that answers with a model, the address of its JSON, and the template that shows it.

One function feeds both, so they cannot differ. Its annotations are the one source of the validation, the JSON and the
OpenAPI document: ``site`` is what pages may see, ``asked`` the model of path and query, ``body`` the model of the JSON
that is sent, and what it returns the model of the answer (or a ``Download``)::

    async def usage(site: Site, asked: UsageQuery) -> Usage: ...

    RESOURCES = (Resource("GET", "usage", usage, page=Page("usage", "usage.html", "usage.title")),)
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_type_hints

from pydantic import BaseModel, ConfigDict

ROOT = "/omniroute"
_PARAMETER = re.compile(r"\{(\w+)\}")

type Serve = Callable[..., Awaitable[BaseModel | Download]]


class Asked(BaseModel):
    """The base of what is asked: path, query and bodies. What is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """The base of what is answered."""

    model_config = ConfigDict(frozen=True)


class Failure(Answer):
    """What went wrong, for whoever asked."""

    error: str


class RefusedError(Exception):
    """The answer is an error: its status, and words without secrets."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Download:
    """A file to keep."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """How a resource is shown."""

    path: str
    """After ``/omniroute/``; may have the resource's parameters."""
    template: str
    title: str
    """A key of the catalogue."""
    navigation: bool = True
    """Whether it is in the list of pages, in the order of ``pages.MODULES``."""
    while_new: bool = False
    """In the list only while there are no rules (and on itself)."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What the template can name besides ``data`` (the answer) and ``asked``."""


@dataclass(frozen=True)
class Resource:
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """After ``/omniroute/api/``, with parameters as ``{id}``."""
    serve: Serve
    page: Page | None = None
    download: str | None = None
    """The media type, when the answer is a ``Download``."""
    status: int = 200

    @cached_property
    def models(self) -> dict[str, type[BaseModel]]:
        """``asked``, ``body`` and ``return``, as far as the function has them; a download has no model."""
        hints = get_type_hints(self.serve)
        return {name: one for name in ("asked", "body", "return") if (one := hints.get(name)) not in (None, Download)}

    @cached_property
    def summary(self) -> str:
        return (inspect.getdoc(self.serve) or self.path).partition("\n")[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Of the path."""
        return tuple(_PARAMETER.findall(self.path))

    def asked(self, values: Mapping[str, str]) -> BaseModel | None:
        """What path and query say. Raises ValidationError."""
        model = self.models.get("asked")
        return None if model is None else model.model_validate(values)

    async def answer(self, site: object, asked: BaseModel | None, body: object = None) -> BaseModel | Download:
        """Raises ValidationError for a body that is not as it should be, and whatever the function raises."""
        given: dict[str, object] = {} if asked is None else {"asked": asked}
        if model := self.models.get("body"):
            given["body"] = model.model_validate(body)
        return await self.serve(site, **given)


def pattern(path: str) -> str:
    """The address of ``path`` as a regular expression; a parameter is one segment."""
    return rf"{ROOT}/{_PARAMETER.sub(r'(?P<\1>[^/]+)', path)}"
