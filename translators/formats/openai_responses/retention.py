"""Takes back the reasoning that we put into a client's history for other providers.

A reasoning item whose ``encrypted_content`` we made means nothing to a real Responses server, which refuses it; so the
whole item goes. Only the member ``input`` is written anew; the rest of the body keeps its bytes.
"""

from dataclasses import replace

import orjson

from translators.format import WireRequest
from translators.formats.openai_responses.reading import mapping, sequence, text
from translators.hub import JSON
from translators.jsontext import replace_member
from translators.signatures import PREFIX, is_ours


def disown(wire: WireRequest) -> WireRequest:
    if PREFIX.encode() not in wire.body:
        return wire
    try:
        body: JSON = orjson.loads(wire.body)
    except orjson.JSONDecodeError:
        return wire
    items = sequence(mapping(body).get("input"))
    kept: list[JSON] = [item for item in items if not is_ours(text(mapping(item).get("encrypted_content")))]
    if len(kept) == len(items):
        return wire
    cut = replace_member(wire.body, "input", kept)
    return wire if cut is None else replace(wire, body=cut)
