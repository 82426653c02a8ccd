"""Says once for every kind of vendor field in a request that chat completions have no place for it."""

from translators.dropped import dropped, extras
from translators.format import Profile
from translators.formats.openai_chat.values import NAME
from translators.hub import Extra, Loss, Request, Text, ToolCall, ToolResult
from translators.kin import inherited


def foreign_losses(request: Request, profile: Profile) -> list[Loss]:
    losses: dict[tuple[str, str], Loss] = {}
    kept = inherited(request.extra, NAME)
    for path, extra, holder in extras(request):
        cached = profile.cache_control and isinstance(holder, Text | ToolResult)
        for format_name, name in dropped(_unmarked(extra) if cached else extra, NAME):
            if (format_name, name) in losses or (not path and name in kept):
                continue
            place = f"{path}.{name}" if path else name
            losses[format_name, name] = Loss(place, f"Only {format_name} has {name!r}.")
        if isinstance(holder, ToolCall) and holder.signature is not None and holder.signature.origin != NAME:
            signature = Loss(f"{path}.signature", "The signature of this tool call is another vendor's.")
            losses.setdefault((holder.signature.origin, "signature"), signature)
    return list(losses.values())


def _unmarked(extra: Extra) -> Extra:
    """The extras without the breakpoint of the prompt cache, which is sent."""
    return {
        origin: {name: value for name, value in fields.items() if name != "cache_control"}
        for origin, fields in extra.items()
    }
