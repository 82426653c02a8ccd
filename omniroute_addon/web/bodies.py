"""The four bodies of a call: so much of them as a browser bears, raw and as a conversation, and each whole as a file.

A body may have many megabytes. What is made of one is made in a thread (:func:`shown`, :func:`whole` touch nothing but
the messages), and of a very large one no conversation is made.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import orjson
from mitmproxy import http

from omniroute_addon.addons.inspect import KEY
from omniroute_addon.web.conversation import Talk, of_answer, of_request, shortened
from omniroute_addon.web.resource import Answer

LONGEST = 200_000
"""Characters of a raw body in a page."""
LARGE = 8 * 1024 * 1024
"""Bytes of a body that is not read but only shown."""

Side = Literal["client_request", "upstream_request", "upstream_answer", "client_answer"]
type Hide = Callable[[str], str]
type Found = tuple[Side, str, http.Request | http.Response]
"""A side, the format that it speaks, and what was sent."""

SIDES: tuple[Side, ...] = get_args(Side)


class Header(Answer):
    name: str
    value: str


class Body(Answer):
    """A request or an answer of one side."""

    side: Side
    line: str
    """Method and address, or the status."""
    headers: tuple[Header, ...]
    size: int
    raw: str
    cut: bool
    """Whether ``raw`` is only the beginning; ``calls/{id}/bodies/{side}`` has all of it."""
    talk: Talk | None
    """None for what is no message of a known format, or too large to be read."""


def of_flows(client: http.HTTPFlow | None, attempt: http.HTTPFlow | None) -> list[Found]:
    """What there is of a call and one of its attempts, in the order of ``SIDES``."""
    found: list[Found] = []
    for flow, request, answer in (
        (client, SIDES[0], SIDES[3]),
        (attempt, SIDES[1], SIDES[2]),
    ):
        if flow is None:
            continue
        form = flow.metadata[KEY]["format"]
        found.append((request, form, flow.request))
        if flow.response is not None:
            found.append((answer, form, flow.response))
    return sorted(found, key=lambda one: SIDES.index(one[0]))


def shown(found: Sequence[Found], hide: Hide) -> tuple[Body, ...]:
    return tuple(_body(side, form, message, hide) for side, form, message in found)


def whole(message: http.Request | http.Response, hide: Hide) -> bytes:
    """All of a body, without its keys."""
    return hide((message.get_content(strict=False) or b"").decode("utf-8", "replace")).encode()


def _body(side: Side, form: str, message: http.Request | http.Response, hide: Hide) -> Body:
    content = message.get_content(strict=False) or b""
    talk = None
    if len(content) > LARGE:
        text = hide(content[: 4 * LONGEST].decode("utf-8", "replace"))
    else:
        text = hide(readable(content))
        talk = _talk(form, message, text.encode())
    return Body(
        side=side,
        line=f"{message.method} {message.pretty_url}"
        if isinstance(message, http.Request)
        else f"{message.status_code} {message.reason}",
        headers=tuple(Header(name=name, value=value) for name, value in message.headers.items(multi=True)),
        size=len(content),
        raw=text[:LONGEST],
        cut=len(text) > LONGEST,
        talk=talk,
    )


def _talk(form: str, message: http.Request | http.Response, content: bytes) -> Talk | None:
    try:
        if isinstance(message, http.Request):
            return shortened(of_request(form, message.path, content))
        return shortened(of_answer(form, message.status_code, message.headers.get("content-type", ""), content))
    except (ValueError, KeyError):
        return None


def readable(content: bytes) -> str:
    """JSON with indents, anything else as text."""
    try:
        return orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()
    except ValueError:
        return content.decode("utf-8", "replace")
