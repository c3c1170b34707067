"""Minutes: samples as one value for each series and minute, until somebody writes them down.

A minute is a set of columns with a row for each series, to which samples are
added in the order of memory. So a sample costs nanoseconds, and however many
come within a minute take the memory of one for each series. Minutes beyond the
first few, as when a collector sends what it has kept for an hour, are rows for
each sample, made fewer when they are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.metrics import Merge
from playwatch.core.places import Places
from playwatch.core.samples import SampleBatch
from playwatch.core.series import grown
from playwatch.runtime.trails import MINUTE_MS
from playwatch.store.history_blocks import Rows, joined, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from playwatch.core.metrics import Catalogue
    from playwatch.core.replacement import Settled
    from playwatch.core.series import SeriesTable

AT_ONCE: Final = 4096
"""Samples that wait to be added together: a handful by itself would cost much more."""
MOST_OPEN: Final = 4
"""Minutes with columns of their own."""

_ODD_ROWS: Final = 1_000_000


class Minutes:
    """What was counted and not written yet.

    Notes
    -----
    Some 2 ns a sample in large batches of series that follow one another, 15 ns
    otherwise; 17 bytes a series and open minute.
    """

    def __init__(self) -> None:
        self._kept: list[Settled] = []
        self._waiting = 0
        self._open: dict[tuple[int, Merge], _Minute] = {}
        self._odd: dict[Merge, list[Rows]] = {merge: [] for merge in Merge}
        self._odd_limit = dict.fromkeys(Merge, _ODD_ROWS)

    def count(self, settled: Settled, series: SeriesTable, catalogue: Catalogue) -> None:
        """Take over what a batch counted, and what it took back."""
        self._kept.append(settled)
        self._waiting += len(settled.counted) + len(settled.withdrawn)
        if self._waiting >= AT_ONCE:
            self.pour(series, catalogue)

    def pour(self, series: SeriesTable, catalogue: Catalogue) -> None:
        """Add the samples that wait to their minutes."""
        kept, self._kept, self._waiting = self._kept, [], 0
        merges = [metric.merge for metric in catalogue]
        for sign, batches in (
            (-1, [one.withdrawn for one in kept if len(one.withdrawn)]),
            (1, [one.counted for one in kept if len(one.counted)]),
        ):
            if batches:
                self._add(SampleBatch.joined(batches), sign, series, merges)

    def take(self) -> Iterator[Rows]:
        """Return what was poured as rows by the series' rows, and begin anew.

        Notes
        -----
        The work is done as they are asked for, which may be in another thread.
        """
        taken, self._open = self._open, {}
        odd, self._odd = self._odd, {merge: [] for merge in Merge}
        self._odd_limit = dict.fromkeys(Merge, _ODD_ROWS)
        return _rows_of(taken, odd)

    def _add(self, batch: SampleBatch, sign: int, series: SeriesTable, merges: list[Merge]) -> None:
        metric = Places(batch.series).of(series.metric)
        merge = merges[int(metric[0])]
        if (metric == metric[0]).all():
            self._add_by_minute(batch, sign, merge, len(series.metric))
            return
        for merge in Merge:
            ids = [number for number, one in enumerate(merges) if one is merge]
            part = batch.take(np.isin(metric, ids))
            if len(part):
                self._add_by_minute(part, sign, merge, len(series.metric))

    def _add_by_minute(self, batch: SampleBatch, sign: int, merge: Merge, capacity: int) -> None:
        first, last = int(batch.at.min()) // MINUTE_MS, int(batch.at.max()) // MINUTE_MS
        if first == last:
            self._add_to(first, batch, sign, merge, capacity)
        elif last - first < MOST_OPEN:
            number = batch.at // MINUTE_MS
            for minute in range(first, last + 1):
                self._add_to(minute, batch.take(number == minute), sign, merge, capacity)
        else:
            self._keep_odd(batch, sign, merge)

    def _add_to(
        self, minute: int, batch: SampleBatch, sign: int, merge: Merge, capacity: int
    ) -> None:
        known = self._open.get((minute, merge))
        if known is None:
            if len({number for number, _ in self._open} | {minute}) > MOST_OPEN:
                self._keep_odd(batch, sign, merge)
                return
            known = self._open[minute, merge] = _Minute(merge)
        known.add(batch, sign, capacity)

    def _keep_odd(self, batch: SampleBatch, sign: int, merge: Merge) -> None:
        if not len(batch) or (merge is Merge.LATEST and sign < 0):
            return
        value = batch.value * sign if merge is Merge.SUM else batch.value
        minute = batch.at // MINUTE_MS
        odd = self._odd[merge]
        odd.append(Rows.of(batch.series, minute, value, batch.views * sign))
        if sum(map(len, odd)) > self._odd_limit[merge]:
            self._odd[merge] = [merged(joined(odd), merge)]
            self._odd_limit[merge] = max(_ODD_ROWS, 2 * len(self._odd[merge][0]))


class _Minute:
    """One minute of the series of one kind."""

    def __init__(self, merge: Merge) -> None:
        self._merge = merge
        self._total: NDArray[np.float64] = np.zeros(0)
        self._weight: NDArray[np.int64] = np.zeros(0, np.int64)
        self._is_heard: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(self, batch: SampleBatch, sign: int, capacity: int) -> None:
        """Add samples, or take them back; the latest value cannot be taken back."""
        if capacity > len(self._total):
            self._total = grown(self._total, capacity, 0)
            self._weight = grown(self._weight, capacity, 0)
            self._is_heard = grown(self._is_heard, capacity, 0)
        places = Places(batch.series)
        views = batch.views if sign > 0 else -batch.views
        if self._merge is Merge.LATEST:
            if sign < 0:
                return
            places.put(self._total, batch.value)
            places.put(self._weight, views)
        else:
            signed = batch.value if sign > 0 else -batch.value
            is_mean = self._merge is Merge.MEAN
            places.add(self._total, batch.value * views if is_mean else signed)
            places.add(self._weight, views)
        places.put(self._is_heard, 1)

    def rows(self, minute: int) -> Rows:
        """Return one row for each series; a mean over no views is left out."""
        rows = np.flatnonzero(self._is_heard)
        value, weight = self._total[rows], self._weight[rows]
        if self._merge is Merge.MEAN:
            has_views = weight != 0
            rows, weight = rows[has_views], weight[has_views]
            value = value[has_views] / weight
        return Rows.of(rows, np.full(len(rows), minute), value, weight)


def _rows_of(
    taken: dict[tuple[int, Merge], _Minute], odd: dict[Merge, list[Rows]]
) -> Iterator[Rows]:
    for (minute, _), one in taken.items():
        yield one.rows(minute)
    for rows in odd.values():
        yield from rows
