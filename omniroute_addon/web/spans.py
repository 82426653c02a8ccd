"""The times that pages are asked about: what may be said, as a pattern for the OpenAPI document, and what it means."""

from collections.abc import Mapping

from pydantic import Field

from omniroute_addon.ledger import reports
from omniroute_addon.ledger.reports import Selection
from omniroute_addon.web.resource import Asked, RefusedError

_DAY = (
    "20[0-9]{2}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    "|20(?:[02468][048]|[13579][26])-02-29"
)
_PATTERN = rf"^(?:now|today|yesterday|(?:[0-9]{{1,5}}[mhdw]){{1,4}}|(?:{_DAY})(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9])?)$"


class SpanAsked(Asked):
    """The base of what asks for a time."""

    since: str = Field(
        default="7d",
        pattern=_PATTERN,
        description="`7d`, `12h`, `today`, `yesterday`, `2026-11-01` or `2026-11-01T12:00`",
    )
    until: str = Field(default="now", pattern=_PATTERN, description="The same; not included")

    def chosen(self, where: Mapping[str, str | None] | None = None) -> Selection:
        """Raises RefusedError."""
        try:
            return reports.select(self.since, self.until, where or {})
        except (ValueError, OverflowError) as error:
            raise RefusedError(422, str(error)) from error
