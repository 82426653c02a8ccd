"""What the loopback provider does in a soak: the order stands in the question's own words, so it survives every translation.

``do=NAME; nonce=WORD;`` in a question gets an answer with that nonce in its text and in the arguments of its tool call: an
answer that went to another call's client is seen.
"""

import json
import re
from itertools import cycle

from tests.servers import faults
from tests.servers.answers import Answer, Call
from tests.servers.provider import Received
from tests.servers.steps import Gate, Hangup, Say, Silence, Step, Stream, Whole

_ORDER = re.compile(rb"do=([a-z]+); nonce=([a-z0-9]+);")
_FILLING = re.compile(rb"x{1000,}")
PIECES = 40
LONG_PIECE = "0123456789abcdef" * 256


def order(name: str, nonce: str) -> str:
    """The words of a question."""
    return f"Please do={name}; nonce={nonce}; and thank you."


def text(nonce: str) -> str:
    return f"The word is {nonce}, said once."


def arguments(nonce: str) -> dict[str, str]:
    return {"path": f"{nonce}.txt"}


def answer(nonce: str, *, tools: bool = True, pieces: tuple[str, ...] | None = None) -> Answer:
    said = pieces or ("The word is ", nonce, ", said", " once.")
    calls = (Call(f"call_{nonce}", "read_file", json.dumps(arguments(nonce))),) if tools else ()
    return Answer(pieces=said, calls=calls)


class Upstream:
    """The behaviour; ``gate`` holds the streams of ``do=hold``."""

    def __init__(self) -> None:
        self.gate = Gate()
        self._faults = cycle(range(5))

    def __call__(self, request: Received) -> Step:
        found = _ORDER.search(request.body)
        if found is None:
            return Whole(400, {"content-type": "application/json"}, b'{"error":{"message":"no order","type":"x"}}')
        name, nonce = found[1].decode(), found[2].decode()
        form = request.format
        assert form is not None
        if _broken(request.body):
            return faults.failure(form, 400, _INVALID.get(form, "invalid_request_error"), "that is no JSON")
        if name == "fall" and request.model == "first":
            return self._failure(form, stream=request.stream)
        return self._answer(name, nonce, form, request.body)

    def _answer(self, name: str, nonce: str, form: str, body: bytes) -> Step:
        match name:
            case "plain":
                return Say(answer(nonce, tools=False))
            case "hold":
                return Say(answer(nonce, tools=False), gates={3: self.gate})
            case "silence":
                return Silence()
            case "long":
                return Say(answer(nonce, tools=False, pieces=(LONG_PIECE,) * PIECES + (nonce,)))
            case "count":
                filling = _FILLING.search(body)
                return Say(answer(nonce, pieces=(f"{len(filling[0]) if filling else 0} for ", nonce)))
            case "refuse":
                return faults.failure(form, 400, _INVALID.get(form, "invalid_request_error"), f"refused {nonce}")
            case "cut":
                return Say(answer(nonce, tools=False), cut=4)
            case "gzip":
                return Say(answer(nonce), encoding="gzip")
            case _:
                return Say(answer(nonce))

    def _failure(self, form: str, *, stream: bool) -> Step:
        match next(self._faults):
            case 0:
                return faults.server_error(form)
            case 1:
                return Hangup()
            case 2:
                return faults.HTML
            case 3 if stream:
                return Stream((faults.error_event(form),))
            case _:
                return faults.EMPTY


def _broken(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return True
    return False


_INVALID = {"gemini": "INVALID_ARGUMENT", "gemini-cli": "INVALID_ARGUMENT"}
