"""Server-sent events handed on whole: the bytes of an event wait until its end has come.

A client can do nothing with half an event, and once it has one, no error can follow that it would understand: what is
put behind the half is read as part of it. So a stream that breaks off inside of an event ends, for the client, behind
the event before. The bytes are never changed, and nothing waits for another event.
"""

import re

import orjson

MAX_HELD = 64 * 1024
"""Bytes that wait; of a longer event they are handed on as they come."""

_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
_EVENT = re.compile(rb".*?(?:\r\n\r?\n|\n\r?\n|\r\r|\Z)", re.DOTALL)
_DATA = re.compile(rb"^data:?(.*)$", re.MULTILINE)
_NO_JSON = (b"", b"[DONE]")


class WholeEvents:
    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """All events that are whole now."""
        if not self._held and data.endswith(b"\n\n"):
            return data
        data = self._held + data
        end = max(found + len(blank) if (found := data.rfind(blank)) >= 0 else 0 for blank in _ENDS)
        if len(data) - end > MAX_HELD:
            end = len(data)
        self._held = data[end:]
        return data[:end]

    def close(self) -> bytes:
        """What the end of the stream has cut off; some providers leave out the last blank line."""
        held, self._held = self._held, b""
        return held


def readable(data: bytes) -> int:
    """How many of the bytes, all of whole events, stand before the first event whose data is no JSON."""
    at = 0
    for event in _EVENT.finditer(data):
        said = b"\n".join(
            line.strip() for line in _DATA.findall(event[0].replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        )
        if said not in _NO_JSON and not _json(said):
            return at
        at = event.end()
    return len(data)


def _json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True
