"""What the formats share whose body names the model and says whether to stream, found and changed as text."""

from dataclasses import replace

from translators.format import WireRequest
from translators.jsontext import member, replace_member


class ModelInBody:
    def retarget(self, wire: WireRequest, model: str) -> WireRequest:
        if member(wire.body, "model") == model:
            return wire
        body = replace_member(wire.body, "model", model)
        return wire if body is None else replace(wire, body=body)

    def asks_stream(self, wire: WireRequest) -> bool:
        return member(wire.body, "stream") is True

    def model_of(self, wire: WireRequest) -> str | None:
        model = member(wire.body, "model")
        return model if isinstance(model, str) else None
