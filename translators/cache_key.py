"""A ``prompt_cache_key`` for clients that have none of their own.

OpenAI sends requests of one key to the machine that holds their cached prefix. What a client says about its session (an
Anthropic ``user_id``) makes the key; a client that says nothing is known by how its conversation begins, which stays the
same from turn to turn.
"""

from hashlib import blake2b

from translators.hub import Request, Text


def session_key(request: Request) -> str | None:
    """The same for all requests of a session; None when nothing tells sessions apart."""
    known = request.user
    if known is None:
        asked = next((message for message in request.messages if message.role == "user"), None)
        told = [message for message in request.messages if message.role in ("system", "developer")][:1]
        texts = [part.text for message in (*told, asked) if message for part in message.parts if isinstance(part, Text)]
        known = "\0".join(texts)
    return blake2b(known.encode(errors="replace"), digest_size=16).hexdigest() if known else None
