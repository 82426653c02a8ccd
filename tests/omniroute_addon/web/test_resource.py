import asyncio
import re

import pytest
from pydantic import ValidationError

from omniroute_addon.web.resource import Answer, Asked, Resource, pattern


class Query(Asked):
    id: str
    limit: int = 3


class Body(Asked):
    words: str


class Said(Answer):
    words: str


async def say(_site: object, asked: Query, body: Body) -> Said:
    """Say something.

    More of it.
    """
    return Said(words=f"{asked.id} {asked.limit} {body.words}")


RESOURCE = Resource("POST", "things/{id}", say)


def test_the_annotations_are_the_models() -> None:
    assert RESOURCE.models == {"asked": Query, "body": Body, "return": Said}
    assert (RESOURCE.summary, RESOURCE.parameters) == ("Say something.", ("id",))


def test_what_is_asked_is_validated_and_given_to_the_function() -> None:
    asked = RESOURCE.asked({"id": "x", "limit": "7"})
    assert asyncio.run(RESOURCE.answer(None, asked, {"words": "hi"})) == Said(words="x 7 hi")


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError):
        RESOURCE.asked({"id": "x", "limits": "7"})


def test_a_parameter_is_one_segment() -> None:
    found = re.fullmatch(pattern("calls/{id}/har"), "/omniroute/calls/abc/har")
    assert (found and found["id"], re.fullmatch(pattern("calls/{id}"), "/omniroute/calls/a/b")) == ("abc", None)
