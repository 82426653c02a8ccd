"""The ``logs:`` section of ``omniroute.yaml``: what is written down for people to read, and how much of it is kept."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import ByteSize, Field

from omniroute_addon.config.section import Count, Duration, Section

ENABLE_REQUESTS = "ENABLE_REQUEST_LOGS"
"""The environment variable that switches the request log on, whatever the file says."""


class RequestLog(Section):
    """Seven files for every attempt, from the tool's request to the tool's answer."""

    enabled: bool = False
    """Write them; bodies are in them."""
    max_calls: Count = 200
    """Folders, one for each attempt."""
    max_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(128 * 1024 * 1024)
    """Of all folders."""
    max_age: Duration = 7 * 86400.0
    """How long a folder is kept."""
    max_file: Annotated[ByteSize, Field(gt=0)] = ByteSize(1024 * 1024)
    """Of one file; the rest of it is cut off."""


class LinesLog(Section):
    """The console and the audit log."""

    enabled: bool = True
    max_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(8 * 1024 * 1024)
    """Of each of the two."""
    max_age: Duration = 30 * 86400.0
    """How long a line is kept."""


class Logs(Section):
    requests: RequestLog = RequestLog()
    """The seven stages of every call."""
    console: LinesLog = LinesLog()
    """What the proxy says."""
    audit: LinesLog = LinesLog()
    """Who changed what."""

    def under(self, env: Mapping[str, str]) -> "Logs":
        """With what the environment switches on."""
        if env.get(ENABLE_REQUESTS, "").strip().lower() not in ("1", "true", "yes", "on"):
            return self
        return self.model_copy(update={"requests": self.requests.model_copy(update={"enabled": True})})
