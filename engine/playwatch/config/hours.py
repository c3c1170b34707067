"""Days, hours and time zones as people write them: ``[mon-fri]``, ``"08:00-23:00"``."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from playwatch.config.fields import Strict, Text, mistake
from playwatch.core.hours import DAY_MINUTES, EVERY_DAY, ActiveHours

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_LAST_MINUTE: Final = 59


def read_days(value: object) -> frozenset[int]:
    """Return the days of a list of days and spans: ``[mon-fri, sun]``; Monday is 0."""
    if isinstance(value, frozenset):
        return value
    if not isinstance(value, list | tuple) or not value:
        message = "is not a list of days"
        raise mistake(message, "write [mon-fri], [sat, sun] and the like")
    return frozenset(day for number, item in enumerate(value) for day in _span(item, number))


def _span(item: object, number: int) -> list[int]:
    first, _, last = str(item).lower().partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        message = f"'{item}' is no day"
        raise mistake(message, f"days are {', '.join(DAYS)}", (number,))
    start = DAYS.index(first)
    length = (DAYS.index(last or first) - start) % len(DAYS)
    return [(start + step) % len(DAYS) for step in range(length + 1)]


def write_days(days: frozenset[int]) -> list[str]:
    """Return days as people write them."""
    return [DAYS[day] for day in sorted(days)]


def read_hours(value: object) -> tuple[int, int]:
    """Return first and last minute of ``08:00-23:00``; the end may be 24:00."""
    if isinstance(value, tuple):
        return value
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        message = f"'{value}' is not a span of hours"
        raise mistake(message, 'write "08:00-23:00", in quotes')
    first_hour, first_minute, end_hour, end_minute = map(int, found.groups())
    first, end = first_hour * 60 + first_minute, end_hour * 60 + end_minute
    has_minutes = max(first_minute, end_minute) <= _LAST_MINUTE
    if not has_minutes or first >= DAY_MINUTES or end > DAY_MINUTES:
        message = f"'{value}' names a time that does not exist"
        raise mistake(message, "a day is 00:00-24:00")
    if first == end:
        message = f"'{value}' is no time at all"
        raise mistake(message, "a whole day is 00:00-24:00")
    return first, end


def write_hours(hours: tuple[int, int]) -> str:
    """Return hours as people write them."""
    first, end = hours
    return f"{first // 60:02}:{first % 60:02}-{end // 60:02}:{end % 60:02}"


def read_zone(value: object) -> str:
    """Return a name of the time zone database that this machine knows."""
    name = str(value)
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        message = f"'{name}' is not a known time zone"
        hint = f"did you mean {near[0]}?" if near else "write a name such as Europe/Stockholm"
        raise mistake(message, hint) from None
    return name


DaysField = Annotated[
    frozenset[int],
    PlainValidator(read_days),
    PlainSerializer(write_days),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1}),
]
HoursField = Annotated[
    tuple[int, int],
    PlainValidator(read_hours),
    PlainSerializer(write_hours),
    WithJsonSchema({"type": "string", "pattern": _HOURS.pattern}),
]
ZoneField = Annotated[Text, BeforeValidator(read_zone)]


class HoursSettings(Strict):
    """When incidents may open and rise; those that are open end at any time."""

    time_zone: ZoneField
    days: DaysField = EVERY_DAY
    hours: HoursField = (0, DAY_MINUTES)

    @field_validator("hours")
    @classmethod
    def _says_something(cls, hours: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        if hours == (0, DAY_MINUTES) and info.data.get("days") == EVERY_DAY:
            message = "names every hour of every day"
            raise mistake(message, "leave active out")
        return hours

    def core_hours(self) -> ActiveHours:
        """Return the hours as the core takes them."""
        return ActiveHours(ZoneInfo(self.time_zone), self.days, *self.hours)
