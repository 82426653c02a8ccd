"""What each cell of the matrix must come to.

``right``    the first target's answer, as the client's format has it
``second``   the other target's answer, and not a word of the first
``error``    an error of the client's own format instead of an answer, with one of ``statuses``
``broken``   what the first target said before it failed, and then an error of the client's own format
``refused``  an error as above, although there is another target: nobody would take the request
"""

from collections.abc import Container

from tests.faults.cells import Cell

_GOOGLE = ("gemini", "gemini-cli")
_NO_FAULT = ("type-plain", "type-missing", "type-swapped", "big-event", "trickle", "http10", "429-throttle-once")
_ENCODINGS = ("gzip", "br", "deflate", "zstd")
_IN_THE_MIDDLE = (
    "error-event-middle",
    "silence-middle",
    "reset-middle",
    "close-middle",
    "no-finish",
    "half-a-call",
    "bad-json-middle",
    "bad-json-late",
    "half-an-event",
    "http10-cut",
    *(f"{encoding}-{how}" for encoding in _ENCODINGS for how in ("breaks", "stops")),
)


def outcomes(cell: Cell) -> frozenset[str]:
    """Mostly one. A stream that fails in the middle may still be held back then, or may have reached the client."""
    before = "second" if cell.spare else "error"
    match cell.fault:
        case "400-malformed":
            return frozenset(["refused"])
        case fault if fault in _NO_FAULT or fault in _ENCODINGS:
            return frozenset(["right"])
        case "manner-swapped" if cell.crossed:
            return frozenset(["right"])
        case "garbage-middle" if cell.stream:
            return frozenset(["right"])
        case fault if fault in _IN_THE_MIDDLE and cell.stream:
            return frozenset([before, "broken"])
        case _:
            return frozenset([before])


def statuses(cell: Cell) -> frozenset[int]:
    """That let the client's own retries, log-in and compaction do the sensible thing."""
    google = cell.client in _GOOGLE
    match cell.fault:
        case "401" | "403" | "404":
            return frozenset([int(cell.fault)])
        case "400-overflow" | "400-malformed":
            return frozenset([400])
        case "402":
            # Codex knows a used-up plan as 429 alone; Google says 403 of its own.
            return {"openai-responses": frozenset([429])}.get(cell.client, frozenset([402, 403] if google else [402]))
        case "413":
            return frozenset([400 if cell.client == "openai-responses" else 413])
        case "429-throttle" | "429-quota":
            return frozenset([429])
        case "408" | "silence" | "headers-then-silence" | "late-first-event":
            return frozenset([504])
        case _ if cell.client == "anthropic-messages":
            return frozenset([503, 529])
        case _:
            return frozenset([500, 503] if google else [503])


def times(cell: Cell) -> Container[int] | None:
    """What ``retry-after`` may say; None where the provider has named no time."""
    match cell.fault:
        case "429-throttle":
            return range(35, 41)
        case "429-quota" if cell.upstream != "openai-chat":
            return range(3500, 3601)
        case _:
            return None
