"""Takes the reasoning of other providers out of a client's history.

A reasoning item whose ``encrypted_content`` the server did not make means nothing to it, and is refused; so the whole
item goes, and so does one in clear that another server is known to have made. The ids of another's other items are
refused, too, for their spelling; calls do without one, messages need one and get ours. Only the member ``input`` is
written anew; the rest of the body keeps its bytes.
"""

import hashlib
from dataclasses import replace

from translators import jsonvalue
from translators.errors import FormatError
from translators.format import WireRequest
from translators.formats.openai_responses.reading import NAME, mapping, sequence, text
from translators.hub import JSON
from translators.jsontext import replace_member
from translators.signatures import Reader


def disown(wire: WireRequest, reader: Reader) -> WireRequest:
    if not reader.concerns(wire.body, b'"encrypted_content"', b'"reasoning"', b'"output_text"', b'"call_id"'):
        return wire
    try:
        body = jsonvalue.read(wire.body, "the body")
    except FormatError:
        return wire
    items = sequence(mapping(body).get("input"))
    kept: list[JSON] = [owned for item in items if (owned := _owned(item, reader)) is not None]
    if kept == items:
        return wire
    if reader.trust != "told":
        kept = [_unlinked(item) for item in kept]
    cut = replace_member(wire.body, "input", kept)
    return wire if cut is None else replace(wire, body=cut)


def _owned(item: JSON, reader: Reader) -> JSON:
    """The item as the upstream may have it; None when it may not."""
    members = mapping(item)
    sealed = text(members.get("encrypted_content"))
    if not sealed:
        return _renamed(members, reader) if reader.is_foreign(text(members.get("id"))) else item
    signature = reader.read(sealed)
    if signature is None or signature.origin != NAME:
        return None
    return item if signature.value == sealed else {**members, "encrypted_content": signature.value}


def _renamed(item: dict[str, JSON], reader: Reader) -> JSON:
    """An item of another server, which this one must not take for its own."""
    name = text(item.get("id"))
    if item.get("type") == "reasoning":
        reader.refused.append(name)
        return None
    if item.get("call_id"):
        return _unlinked(item)
    ours = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return {**item, "id": f"msg_{ours}"}


def _unlinked(item: JSON) -> JSON:
    """A call under no id: a server that has given it one wants the reasoning before it, which is gone."""
    members = mapping(item)
    return {name: value for name, value in members.items() if name != "id"} if members.get("call_id") else item
