"""What every section of ``omniroute.yaml`` is made of: frozen, unknown keys are errors; money is US dollars, times are
seconds, shares are 0 to 1. The public types are for fields, and read what people write: ``30s``, ``10%``, one or many.
"""

import re
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """Base: frozen, unknown keys are errors, values never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _share(value: object) -> object:
    if isinstance(value, str) and value.endswith("%"):
        try:
            return float(value[:-1]) / 100
        except ValueError:
            raise ValueError(f"{value!r} is not a percentage such as 10%") from None
    return value


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def duration(value: object) -> object:
    if isinstance(value, str):
        if not value or _DURATION.sub("", value):
            raise ValueError(f"{value!r} is not a duration such as 500ms, 30s, 5m, 2h30m, 90d, or a number of seconds")
        return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(value))
    return value


def _zone(value: object) -> object:
    if isinstance(value, str) and value not in available_timezones():
        raise ValueError(f"unknown time zone {value!r}; use an IANA name such as Europe/Berlin")
    return value


type _ShareInput = Annotated[float, Field(ge=0, le=1)] | Annotated[str, Field(pattern=r"^\d+(\.\d+)?%$")]
type DurationInput = Annotated[float, Field(ge=0)] | Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$")]

type Words = Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...])]
type Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_share, json_schema_input_type=_ShareInput)]
type Duration = Annotated[
    float, Field(ge=0, le=10 * 365 * 86400), BeforeValidator(duration, json_schema_input_type=DurationInput)
]
type Zone = Annotated[str, BeforeValidator(_zone)]
type Dollars = Annotated[float, Field(ge=0)]
type Count = Annotated[int, Field(gt=0)]


def zone(name: str | None) -> ZoneInfo | None:
    """The zone of a name; None is the machine's own."""
    return None if name is None else ZoneInfo(name)
