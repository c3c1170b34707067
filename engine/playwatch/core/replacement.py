"""A sample at its series' newest time replaces the one that stands there.

Collectors send a value again when they know it better. Without a sequence
number the only honest sign of that is the same series at the same time, so the
newer message wins: the old contribution is withdrawn and the new one counted.
A sample older than the newest always counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.places import Places
from playwatch.core.samples import FEW, SampleBatch
from playwatch.core.series import NEVER, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.series import SeriesTable


_NONE: Final = SampleBatch.of()


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A batch after replacement.

    Attributes
    ----------
    counted
        The samples that count, in the order of their arrival.
    withdrawn
        Samples counted by an earlier batch that no longer count.
    """

    counted: SampleBatch
    withdrawn: SampleBatch


def settle(series: SeriesTable, batch: SampleBatch, few: int = FEW) -> Settled:
    """Return what of a batch counts, and bring the newest samples up to date.

    Parameters
    ----------
    few
        Up to so many samples are settled by a loop, if they replace none.

    Notes
    -----
    O(n) while no series stands twice in the batch, or its samples are in the
    order of time, or all of one time; O(n log n) otherwise.
    """
    if len(batch) <= few and _settle_few(series, batch):
        return Settled(batch, _NONE)
    places = Places(batch.series)
    counted, prior, is_newest = _counted(series, batch, places)
    if counted is not batch:
        places = Places(counted.series)
    replaces = is_newest & (counted.at == prior)
    withdrawn = _standing(series, counted.series[replaces]) if replaces.any() else _NONE
    newest = counted
    if not is_newest.all():
        newest = counted.take(is_newest)
        places = Places(newest.series)
    # Rows that stand twice among the newest are in rising time: the last wins.
    places.put(series.newest_at, newest.at)
    places.put(series.newest_value, newest.value)
    places.put(series.newest_views, newest.views)
    return Settled(counted, withdrawn)


def _counted(
    series: SeriesTable, batch: SampleBatch, places: Places
) -> tuple[SampleBatch, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the samples that count, the newest time before each, and which are newest."""
    prior = places.of(series.newest_at)
    is_newest = batch.at >= prior
    if places.are_rising or _is_in_order(batch):
        return batch, prior, is_newest
    position = np.arange(len(batch), dtype=np.int32)
    if len(series.stamp) < len(series.metric):
        series.stamp = np.zeros(len(series.metric), np.int32)
    series.stamp[places.index] = position
    is_last = series.stamp.take(places.index) == position
    if is_last.all():
        return batch, prior, is_newest
    if is_newest.all() and (batch.at == batch.at[0]).all():
        return batch.take(is_last), prior[is_last], is_newest[is_last]
    return _sorted_out(series, batch)


def _is_in_order(batch: SampleBatch) -> bool:
    """Return whether samples rise in time, and in series where they are of one time.

    So do the messages of a collector one after the other. No sample replaces another then.
    """
    rows, at = batch.series, batch.at
    is_next = (at[1:] == at[:-1]) & (rows[1:] > rows[:-1])
    is_next |= at[1:] > at[:-1]
    return bool(is_next.all())


def _standing(series: SeriesTable, rows: NDArray[np.int32]) -> SampleBatch:
    """Return the newest samples that the table holds."""
    return SampleBatch(
        rows,
        series.newest_at.take(rows),
        series.newest_value.take(rows),
        series.newest_views.take(rows),
    )


def _settle_few(series: SeriesTable, batch: SampleBatch) -> bool:
    """Bring the newest samples up to date, unless one of them is replaced."""
    newest: dict[int, tuple[int, float, int]] = {}
    table = cells(series.newest_at)
    columns = (batch.series.tolist(), batch.at.tolist(), batch.value.tolist(), batch.views.tolist())
    for row, at, value, views in zip(*columns, strict=True):
        known_at = newest[row][0] if row in newest else table[row]
        if at == known_at:
            return False
        if at > known_at:
            newest[row] = at, value, views
    values, weights = cells(series.newest_value), cells(series.newest_views)
    for row, (at, value, views) in newest.items():
        table[row], values[row], weights[row] = at, value, views
    return True


def _sorted_out(
    series: SeriesTable, batch: SampleBatch
) -> tuple[SampleBatch, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the samples that count, the newest time before each, and which are newest.

    A sample is a record when no earlier one of its series is newer. Of records
    with the same series and time, only the last one counts, and only the first
    time can equal what the table holds.
    """
    order = np.argsort(batch.series, kind="stable")
    rows, at = batch.series[order], batch.at[order]
    starts = np.r_[True, rows[1:] != rows[:-1]]
    before = np.where(starts, series.newest_at[rows], NEVER)
    prior = _running_maximum(starts, before, at)
    is_record = at >= prior
    records = np.flatnonzero(is_record)
    same_as_next = np.zeros(len(records), bool)
    same_as_next[:-1] = (rows[records[1:]] == rows[records[:-1]]) & (
        at[records[1:]] == at[records[:-1]]
    )
    keep = np.ones(len(order), bool)
    keep[records[same_as_next]] = False
    # What a kept record replaces in the table: only where its time is the table's.
    table_at = series.newest_at[rows]
    arrival = np.argsort(order[keep], kind="stable")
    kept = order[keep][arrival]
    return batch.take(kept), table_at[keep][arrival], is_record[keep][arrival]


def _running_maximum(
    starts: NDArray[np.bool_], before: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return, for each sorted sample, the newest time of its series before it."""
    segment = np.cumsum(starts) - 1
    first = int(at.min())
    span = int(at.max()) - first + 2
    # One accumulate over all series: each segment is lifted above the one before.
    lifted = (at - first + 1) + segment * span
    reached = np.maximum.accumulate(lifted) - segment * span + first - 1
    earlier = np.r_[NEVER, reached[:-1]]
    earlier[starts] = NEVER
    prior: NDArray[np.int64] = np.maximum(earlier, before[starts][segment])
    return prior


def by_metric(series: SeriesTable, settled: Settled) -> list[tuple[int, Settled]]:
    """Split a batch by metric; one that has a single metric goes through whole."""
    metric = series.metric.take(settled.counted.series)
    first = int(metric[0]) if len(metric) else NEVER
    withdrawn = series.metric.take(settled.withdrawn.series)
    if (metric == first).all() and (withdrawn == first).all():
        return [(first, settled)]
    return [
        (
            int(one),
            Settled(settled.counted.take(metric == one), settled.withdrawn.take(withdrawn == one)),
        )
        for one in np.unique(np.r_[metric, withdrawn])
    ]
