"""Active hours: when incidents of a rule may open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from datetime import tzinfo

    from numpy.typing import NDArray

DAY_MINUTES: Final = 1440
EVERY_DAY: Final = frozenset(range(7))

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class ActiveHours:
    """Certain days, between two times of the day, on the wall clock of a zone.

    Attributes
    ----------
    zone
        Whose wall clock counts. An hour that the change to summer time skips
        does not come; one that the change back repeats comes twice.
    days
        Monday is 0.
    first, end
        Minutes of the day; the end is not part of it. ``(1320, 360)`` is 22:00
        to 06:00 and belongs to the day on which it begins; ``(0, 1440)`` is
        all day.
    """

    zone: tzinfo
    days: frozenset[int] = EVERY_DAY
    first: int = 0
    end: int = DAY_MINUTES

    def covers(self, at: int) -> bool:
        """Return whether a moment, milliseconds since the epoch, is within the hours."""
        local = (_EPOCH + timedelta(milliseconds=at)).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.first < self.end:
            return self.first <= minute < self.end and local.weekday() in self.days
        if minute >= self.first:
            return local.weekday() in self.days
        return minute < self.end and (local.weekday() - 1) % 7 in self.days

    def cover(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the same of many moments.

        Notes
        -----
        The clock is asked once for each minute that occurs: about 2 µs each.
        """
        minutes, where = np.unique(at // _MINUTE_MS, return_inverse=True)
        inside = [self.covers(minute * _MINUTE_MS) for minute in minutes.tolist()]
        return np.array(inside, np.bool_)[where]
