"""Departures: series that nobody has heard of for days give their rows to new ones.

Titles come and go. A metric has room for so many series, and the names of those that
are gone would fill it in a few months; new titles would then be refused. So once an
hour series that have been silent for `SILENT_MS` give up their rows, a part at a time.

What still counts is kept: a series that a learned rule knows (until it gives it up
itself, see `playwatch.core.vacancies`), and one whose latest value is in a window. Of
all others nothing is left that a verdict could need: windows belong to groups, and a
sample that could replace the newest one would be refused for its age. A series that
is heard again is interned anew, also by a publisher who speaks of it by a number.

Groups of threshold rules that have been silent for as long go with them, when their
phase is normal and nothing is left in their window. One that comes back begins as any
new one does: a sum or an audience below its bound has to fill its window first.

Silence counts only while something else was heard, as it does for learned groups;
series that are refused for want of room count as heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import FREE, NEVER
from playwatch.core.vacancies import EVERY_MS, OUTAGE_MS, SILENT_MS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.intake import Intake
    from playwatch.core.lookout import Lookout
    from playwatch.core.samples import Instant
    from playwatch.core.series import SeriesTable

AT_ONCE: Final = 5_000
"""How many rows are given up in one step; the others follow a minute later each."""
_SOON_MS: Final = 60_000


class Departures:
    """Finds the rows of series that may be used again.

    Parameters
    ----------
    silent_ms
        For how long a series must have been silent; more than the greatest age
        of a sample that is taken.
    """

    def __init__(self, silent_ms: int = SILENT_MS) -> None:
        self._silent_ms = silent_ms
        self._due_ms = NEVER

    def look(
        self, series: SeriesTable, lookout: Lookout, intake: Intake, now: Instant
    ) -> NDArray[np.intp]:
        """Give up rows, once an hour; return them. To be called between two reads.

        Notes
        -----
        O(series) at memory speed. Where rows are given up, also O(spellings) and
        O(keys of tables): 30 ms for `AT_ONCE` of 200,000.
        """
        if now.monotonic_ms < self._due_ms:
            return _NONE
        self._due_ms = now.monotonic_ms + EVERY_MS
        crowded, series.crowded = series.crowded, set()
        # Who is refused for want of room is heard too.
        newest_at = self._heard(series, now.at if crowded else NEVER)
        before_at = newest_at - self._silent_ms
        if newest_at == NEVER or before_at < series.heard_since:
            return _NONE
        count = len(series)
        is_silent = series.newest_at[:count] < before_at
        rows = np.flatnonzero(is_silent & (series.metric[:count] != FREE))
        lookout.give_up(rows, newest_at, self._silent_ms, crowded)
        rows = rows[~lookout.holds(rows)]
        if len(rows) > AT_ONCE:
            self._due_ms = now.monotonic_ms + _SOON_MS
            rows = rows[:AT_ONCE]
        if len(rows):
            is_given_up = np.zeros(count, np.bool_)
            is_given_up[rows] = True
            intake.forget(is_given_up)
            lookout.forget(rows)
            series.give_up(rows)
        return rows

    @staticmethod
    def _heard(series: SeriesTable, at_least: int) -> int:
        """Return the newest time of the stream; note since when it is heard."""
        newest_at = int(series.newest_at[: len(series)].max(initial=at_least))
        if newest_at != NEVER:
            if newest_at - series.heard_until > OUTAGE_MS:
                series.heard_since = newest_at
            series.heard_until = newest_at
        return newest_at


_NONE: Final = np.zeros(0, np.intp)
