"""Vectors of texts on loopback: each word is a direction, so that texts are as alike as their words are the same."""

import json
import math
import re
from zlib import crc32

from tests.servers.provider import Provider, Received
from tests.servers.steps import Whole

PATH = "/v1/embeddings"
_DIMENSIONS = 512


def vector(text: str) -> list[float]:
    found = [0.0] * _DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        found[crc32(word.encode()) % _DIMENSIONS] += 1
    length = math.hypot(*found) or 1
    return [one / length for one in found]


def embeds(request: Received) -> Whole:
    """A provider's answer, as OpenAI gives it."""
    text = request.json["input"]
    document = {
        "object": "list",
        "model": request.json["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": vector(text)}],
        "usage": {"prompt_tokens": len(text.split()), "total_tokens": len(text.split())},
    }
    return Whole(200, {"content-type": "application/json"}, json.dumps(document).encode())


def asked(provider: Provider) -> list[str]:
    """The texts of which vectors were wanted."""
    return [one.json["input"] for one in provider.received if one.path == PATH]
