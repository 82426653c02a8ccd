"""Makes what calls and answers say fit for the database and its journal: hostile ones hold what neither can take.

Text that was cut inside an emoji has half a surrogate pair, which is no UTF-8, and a count of tokens may be of any
length. One such value must not cost the records of the calls beside it.
"""

import json

import orjson

LARGEST = 10**15
"""No count is larger: thousands of them can still be added up in 64 bits."""


def storable(value: object) -> object:
    """The value, of a type that a row holds, as near as it can be stored."""
    match value:
        case bool():
            return value
        case int():
            return max(-LARGEST, min(value, LARGEST))
        case str():
            return value if value.isascii() else value.encode(errors="replace").decode()
        case list() | tuple():
            return [storable(one) for one in value]  # type: ignore[reportUnknownVariableType]
        case _:
            return value


def json_text(value: object) -> str:
    """As JSON that every reader takes."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()
