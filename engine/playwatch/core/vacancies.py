"""Vacancies: rows of groups that nobody has heard of for days, for new groups to take.

Titles come and go. A rule that groups by them would fill its room in a few months,
and then watch no new one. So once an hour it gives up the series that have been
silent for `SILENT_MS`, and the groups that have none left and no incident. More than
a week, so that what is on every Monday is still known next Monday.

Silence counts only while something else was heard: after an outage of the whole
stream, of this engine too, it is counted from its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import NEVER

if TYPE_CHECKING:
    from playwatch.core.learned import LearnedWatch
    from playwatch.core.series import SeriesTable

SILENT_MS: Final = 8 * 86_400_000
OUTAGE_MS: Final = 86_400_000
"""A stream that was silent for so long was not listened to."""
EVERY_MS: Final = 3_600_000


class Vacancies:
    """Finds the rows that one learned rule may use again.

    Attributes
    ----------
    since_at, looked_at
        From when on the stream was heard without an outage, and until when.
    """

    def __init__(self) -> None:
        self.since_at = self.looked_at = NEVER
        self._due_ms = 0

    def look(self, watch: LearnedWatch, series: SeriesTable | None, monotonic_ms: int) -> None:
        """Give up what has been silent, once an hour; O(groups + series)."""
        if series is None or monotonic_ms < self._due_ms:
            return
        self._due_ms = monotonic_ms + EVERY_MS
        count = len(watch.groups)
        newest_at = int(watch.intervals.newest_at[:count].max(initial=NEVER))
        if newest_at == NEVER:
            return
        if newest_at - self.looked_at > OUTAGE_MS:
            self.since_at = newest_at
        self.looked_at = newest_at
        if newest_at - self.since_at >= SILENT_MS:
            vacate(watch, series, newest_at - SILENT_MS)


def vacate(watch: LearnedWatch, series: SeriesTable, before_at: int) -> None:
    """Give up the series that were silent since a time, and the groups that have none left."""
    count = len(watch.groups)
    kept = watch.intervals.newest_at[:count] >= before_at
    kept[watch.phases.active()] = True
    kept[list(watch.open)] = True
    silent = series.newest_at[np.array(watch.groups.leaves, np.intp)] < before_at
    groups, leaves = watch.groups.give_up(silent, kept)
    watch.leaves.forget(leaves)
    if watch.audience is not None:
        watch.audience.forget(leaves)
    for memory in (watch.intervals, watch.facts, watch.phases, watch.detector, watch.decider):
        memory.forget(groups)
