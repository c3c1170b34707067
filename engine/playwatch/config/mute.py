"""Mute windows, and what silences match, as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from playwatch.config.fields import Dimension, Strict, mistake
from playwatch.config.hours import (  # noqa: TC001 - pydantic reads them
    DaysField,
    HoursField,
    ZoneField,
)
from playwatch.config.matching import PatternField, read_pattern
from playwatch.config.rules import Name  # noqa: TC001 - pydantic reads it
from playwatch.core.hours import DAY_MINUTES, EVERY_DAY, ActiveHours
from playwatch.core.silences import MuteWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.core.rules import Matcher


class MuteSettings(Strict):
    """Days and hours in which nobody is told of certain incidents.

    ``where`` is over dimensions and ``rule``, ``metric``, ``alert_type``, ``severity``.
    """

    name: Name
    where: dict[Dimension, PatternField] = Field(default_factory=dict)
    time_zone: ZoneField
    days: DaysField = EVERY_DAY
    hours: HoursField = (0, DAY_MINUTES)

    @field_validator("hours")
    @classmethod
    def _ends(cls, hours: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        is_always = hours == (0, DAY_MINUTES) and info.data.get("days") == EVERY_DAY
        if is_always and not info.data.get("where"):
            message = "mutes everything for ever"
            raise mistake(message, "give days, hours or where")
        return hours

    def core_window(self) -> MuteWindow:
        """Return the window as the core takes it."""
        return MuteWindow(
            self.name,
            ActiveHours(ZoneInfo(self.time_zone), self.days, *self.hours),
            tuple(pattern.matcher(name) for name, pattern in self.where.items()),
        )


def matchers_of(written: Mapping[str, object]) -> tuple[Matcher, ...]:
    """Return the matchers of a mapping such as ``{"rule": "x", "country": ["DE", "!US"]}``.

    Raises
    ------
    ValueError
        If a value is no text, no list of texts and not None; says which.
    """
    matchers = []
    for name, value in written.items():
        try:
            if not name.strip():
                message = "a name is empty"
                raise mistake(message)
            matchers.append(read_pattern(value).matcher(name))
        except ValueError as error:
            message = f"{name}: {error}"
            raise ValueError(message) from None
    return tuple(matchers)
