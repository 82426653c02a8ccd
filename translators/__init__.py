"""Wire formats of LLM providers and the translation between them: pure Python, bytes in, bytes and values out.

    from translators import WireRequest, bridge

    b = bridge(client="anthropic-messages", upstream="openai-chat")
    wire = b.request(WireRequest(path="/v1/messages", body=…), model="glm-4.7")
    out = b.feed(chunk, content_type="text/event-stream")   # again and again
    out = b.close()

Nothing here does I/O, reads a clock, or imports anything but the standard library and orjson. Layers, each knowing only
those below it: ``bridge`` joins two ``formats``; ``tools``, ``memory``, ``fold`` and ``estimate`` work on ``hub`` values
alone; ``framing`` and ``jsontext`` on bytes alone.
"""

from translators import hub
from translators.bridge import Bridge, Passthrough, Translation, bridge
from translators.errors import FormatError, TranslationError, Unsupported
from translators.format import Format, Profile, WireRequest, WireResponse
from translators.formats import FORMATS
from translators.memory import BoundedMemory, Memory

__all__ = [
    "FORMATS",
    "BoundedMemory",
    "Bridge",
    "Format",
    "FormatError",
    "Memory",
    "Passthrough",
    "Profile",
    "Translation",
    "TranslationError",
    "Unsupported",
    "WireRequest",
    "WireResponse",
    "bridge",
    "hub",
]
