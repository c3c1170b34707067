"""Windows of latest values: each series counts with its newest sample.

How many people watch now is not a thing to average over a minute: each series
counts with its latest value, and one that has been silent for longer than the
window is forgotten, at the next tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from playwatch.core.places import Places
from playwatch.core.series import NEVER, grown
from playwatch.core.windows import BUCKETS, EventClocks, Totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.samples import SampleBatch


class LatestWindows:
    """The latest value of every series, and their sums by group.

    Parameters
    ----------
    window_s
        How long a silent series still counts, seconds.
    weighs_by_views
        True to sum ``value * views`` (for a mean over series), False to sum ``value``.

    Notes
    -----
    28 bytes a series and 56 a group. `forget` looks at every series: O(series)
    once a tick, never on arrival, and only when something arrived or one may be silent.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("sums", "views", "samples")
    SERIES_COLUMNS: ClassVar = ("series_at", "series_value", "series_views", "series_group")

    def __init__(self, window_s: float, *, weighs_by_views: bool = False) -> None:
        self._weighs_by_views = weighs_by_views
        self._window_ms = round(window_s * 1000)
        self._forget_at_ms = NEVER
        self.clocks = EventClocks()
        self.sums: NDArray[np.float64] = np.zeros(0)
        self.views: NDArray[np.int64] = np.zeros(0, np.int64)
        self.samples: NDArray[np.int64] = np.zeros(0, np.int64)
        self.series_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.series_value: NDArray[np.float64] = np.zeros(0)
        self.series_views: NDArray[np.int64] = np.zeros(0, np.int64)
        self.series_group: NDArray[np.int32] = np.zeros(0, np.int32)

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups <= len(self.sums):
            return
        capacity = max(groups, 2 * len(self.sums), 64)
        self.clocks.reserve(capacity)
        self.sums = grown(self.sums, capacity, 0)
        self.views = grown(self.views, capacity, 0)
        self.samples = grown(self.samples, capacity, 0)

    def reserve_series(self, series: int) -> None:
        """Make room for so many series."""
        if series > len(self.series_at):
            capacity = max(series, 2 * len(self.series_at), 64)
            self.series_at = grown(self.series_at, capacity, NEVER)
            self.series_value = grown(self.series_value, capacity, 0)
            self.series_views = grown(self.series_views, capacity, 0)
            self.series_group = grown(self.series_group, capacity, 0)

    def add(self, group: NDArray[np.int32], batch: SampleBatch, monotonic_ms: int) -> int:
        """Let samples replace the latest values; return how many were too late."""
        self.reserve_series(int(batch.series.max(initial=-1)) + 1)
        self._forget_at_ms = NEVER
        # Every silence across a restart is a hole: series may have been forgotten.
        self.clocks.hear(Places(group), batch.at, monotonic_ms, self._window_ms // BUCKETS)
        in_window = batch.at > self.clocks.newest_at[group] - self._window_ms
        # Sorted by series, time and arrival, the last of each series is its latest.
        order = np.lexsort((batch.at, batch.series))
        is_last = np.r_[batch.series[order][1:] != batch.series[order][:-1], True]
        latest = order[is_last]
        latest = latest[
            in_window[latest] & (batch.at[latest] >= self.series_at[batch.series[latest]])
        ]
        series = batch.series[latest]
        self._count(series, -1)
        self.series_at[series] = batch.at[latest]
        self.series_value[series] = batch.value[latest]
        self.series_views[series] = batch.views[latest]
        self.series_group[series] = group[latest]
        self._count(series, 1)
        return len(batch) - int(in_window.sum())

    def withdraw(self, group: NDArray[np.int32], batch: SampleBatch) -> None:
        """Do nothing: a newer sample takes the place of the old one anyway."""

    def holds(self, series: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which series still count."""
        is_here = series < len(self.series_at)
        is_here[is_here] = self.series_at[series[is_here]] != NEVER
        return is_here

    def forget(self, monotonic_ms: int) -> None:
        """Drop every series that has been silent for longer than the window."""
        if monotonic_ms < self._forget_at_ms:
            return
        counted = np.flatnonzero(self.series_at != NEVER).astype(np.int32)
        now = self.clocks.now(self.series_group[counted], monotonic_ms)
        left_ms = self.series_at[counted] + self._window_ms - now
        silent = counted[left_ms <= 0]
        self._count(silent, -1)
        self.series_at[silent] = NEVER
        # Clocks that no sample moves only run: nothing can be silent before that.
        soonest = left_ms[left_ms > 0].min(initial=self._window_ms)
        self._forget_at_ms = monotonic_ms + int(soonest)

    def empty(self, group: int) -> None:
        """Leave out all that one window holds."""
        self.series_at[self.series_group == group] = NEVER
        self.recount()

    def recount(self) -> None:
        """Sum the latest values anew; O(series)."""
        self._forget_at_ms = NEVER
        for column in (self.sums, self.views, self.samples):
            column[:] = 0
        self._count(np.arange(len(self.series_at), dtype=np.int32), 1)

    def totals(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> Totals:
        """Return the sums of the latest values, and over how many series."""
        del at
        return Totals(self.sums[group], self.views[group], self.samples[group])

    def covers(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which windows have no hole that a restart left."""
        return self.clocks.covers(group, at - self._window_ms)

    def is_whole(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which groups every series had the time to speak in."""
        return self.clocks.fills(group, at - self._window_ms)

    def _count(self, series: NDArray[np.int32], sign: int) -> None:
        """Add each series to its group, or take it out; those never heard do not count."""
        series = series[self.series_at[series] != NEVER]
        group = self.series_group[series]
        views, value = self.series_views[series], self.series_value[series]
        np.add.at(self.sums, group, sign * (value * views if self._weighs_by_views else value))
        np.add.at(self.views, group, sign * views)
        np.add.at(self.samples, group, sign)
