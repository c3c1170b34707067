"""Windows: the recent past of every group, as rings of time buckets.

Each group has an event clock: the greatest accepted ``at`` of its samples,
moved on by the monotonic time that has passed since that time was first heard
of; a collector that corrects its newest value does not stop the clock. Windows
end there and lateness is measured against it, so a source that is five minutes
behind still has full windows, and a source that stops still grows old.

A window is a ring of `BUCKETS` buckets, the current one included, so it covers
between 95 % and 100 % of its length. What is older than the ring is late and
left out; what is younger corrects its bucket.

After a start the past may have a hole: samples that came between the snapshot
and the stop, and while nobody listened. Until the window has moved past it a
group is not *covered*, and may breach but not recover. A sum that is too small
is no breach either, until the window is *whole*: covered, and heard from the
group for its whole length. Missing samples make a sum small, never a mean.

The inelegant part: the clock can step back a little, when a sample arrives
later than its timestamp promised. Durations measured with it are never
negative by more than that delay, and wait that much longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np

from playwatch.core.places import Places, distinct
from playwatch.core.series import NEVER, grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.samples import SampleBatch

BUCKETS: Final = 20


class Totals(NamedTuple):
    """What the windows of some groups hold, in columns.

    Attributes
    ----------
    sums
        Sum of the contributions (value times views for a mean).
    views
        Sum of the views.
    samples
        How many samples.
    extreme
        The smallest or greatest value; NaN without one. None unless asked for.
    """

    sums: NDArray[np.float64]
    views: NDArray[np.int64]
    samples: NDArray[np.int64]
    extreme: NDArray[np.float64] | None = None


class EventClocks:
    """The event clock of every group of one rule, and what it still has to see."""

    COLUMNS: ClassVar = ("newest_at", "heard_ms", "resumed_from", "hole_until", "first_at")

    def __init__(self) -> None:
        self.newest_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.heard_ms: NDArray[np.int64] = np.zeros(0, np.int64)
        self.resumed_from: NDArray[np.int64] = np.zeros(0, np.int64)
        self.hole_until: NDArray[np.int64] = np.zeros(0, np.int64)
        self.first_at: NDArray[np.int64] = np.zeros(0, np.int64)

    def reserve(self, capacity: int) -> None:
        """Make room for so many groups."""
        self.newest_at = grown(self.newest_at, capacity, NEVER)
        self.heard_ms = grown(self.heard_ms, capacity, 0)
        self.resumed_from = grown(self.resumed_from, capacity, NEVER)
        self.hole_until = grown(self.hole_until, capacity, NEVER)
        self.first_at = grown(self.first_at, capacity, NEVER)

    def forget(self, group: NDArray[np.intp]) -> None:
        """Make the clocks of some groups as new."""
        for name in self.COLUMNS:
            getattr(self, name)[group] = 0 if name == "heard_ms" else NEVER

    def hear(
        self, places: Places, at: NDArray[np.int64], monotonic_ms: int, patience_ms: int
    ) -> None:
        """Move the clocks of the groups that samples came for.

        Parameters
        ----------
        places
            The group of each sample.
        patience_ms
            A silence up to this long across a restart is no hole.
        """
        waiting = places.of(self.resumed_from) != NEVER
        if waiting.any():
            self._resume(places.rows[waiting], at[waiting], patience_ms)
        is_newer = at > places.of(self.newest_at)
        is_first = places.of(self.first_at) == NEVER
        if is_first.any():
            first = places.rows[is_first]
            self.first_at[first] = np.iinfo(np.int64).max
            np.minimum.at(self.first_at, first, at[is_first])
        if is_newer.all():
            places.put(self.heard_ms, monotonic_ms)
        else:
            self.heard_ms[places.index[is_newer]] = monotonic_ms
        places.raise_to(self.newest_at, at)

    def _resume(self, group: NDArray[np.int32], at: NDArray[np.int64], patience_ms: int) -> None:
        # What is older than the stop does not tell whether anything was missed.
        is_later = at >= self.resumed_from[group]
        group, at = group[is_later], at[is_later]
        rows, where = np.unique(group, return_inverse=True)
        first = np.full(len(rows), np.iinfo(np.int64).max)
        np.minimum.at(first, where, at)
        has_hole = first > self.resumed_from[rows] + patience_ms
        self.hole_until[rows[has_hole]] = first[has_hole]
        self.resumed_from[rows] = NEVER

    def now(self, group: NDArray[np.int32], monotonic_ms: int) -> NDArray[np.int64]:
        """Return the event time of each group; `NEVER` for one without samples."""
        places = Places(group)
        newest = places.of(self.newest_at)
        now = monotonic_ms - places.of(self.heard_ms)
        np.maximum(now, 0, out=now)
        now += newest
        is_deaf = newest == NEVER
        if is_deaf.any():
            now[is_deaf] = NEVER
        return now

    def covers(self, group: NDArray[np.int32], since: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which groups have no hole after a time."""
        places = Places(group)
        known: NDArray[np.bool_] = places.of(self.resumed_from) == NEVER
        known &= since >= places.of(self.hole_until)
        return known

    def fills(self, group: NDArray[np.int32], since: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which groups have been heard of, without a hole, since a time."""
        return self.covers(group, since) & (since >= Places(group).of(self.first_at))


class RingWindows:
    """Windows of metrics whose samples add up: means, counts, medians.

    Parameters
    ----------
    window_s
        Length of the window, seconds.
    weighs_by_views
        True to add ``value * views`` (a mean), False to add ``value`` (a sum).

    Notes
    -----
    480 bytes a group. Adding costs O(n) for n samples plus O(`BUCKETS`) for
    each group whose clock moved to a new bucket; its totals are then summed
    anew, so that what rounding leaves in them lasts no longer than a bucket.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("head", "sums", "views", "samples")

    def __init__(self, window_s: float, *, weighs_by_views: bool) -> None:
        self.weighs_by_views = weighs_by_views
        self.bucket_ms = max(1, -int(-window_s * 1000 // BUCKETS))
        self.clocks = EventClocks()
        self.head: NDArray[np.int64] = np.zeros(0, np.int64)
        self.sums: NDArray[np.float64] = np.zeros((0, BUCKETS))
        self.views: NDArray[np.int64] = np.zeros((0, BUCKETS), np.int64)
        self.samples: NDArray[np.int32] = np.zeros((0, BUCKETS), np.int32)
        self.total_sums: NDArray[np.float64] = np.zeros(0)
        self.total_views: NDArray[np.int64] = np.zeros(0, np.int64)
        self.total_samples: NDArray[np.int64] = np.zeros(0, np.int64)

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups <= len(self.head):
            return
        capacity = max(groups, 5 * len(self.head) // 4, 64)
        self.clocks.reserve(capacity)
        self.head = grown(self.head, capacity, 0)
        self.sums = grown(self.sums, capacity, 0)
        self.views = grown(self.views, capacity, 0)
        self.samples = grown(self.samples, capacity, 0)
        self.total_sums = grown(self.total_sums, capacity, 0)
        self.total_views = grown(self.total_views, capacity, 0)
        self.total_samples = grown(self.total_samples, capacity, 0)

    def add(self, group: NDArray[np.int32], batch: SampleBatch, monotonic_ms: int) -> int:
        """Count samples in their groups; return how many were too late.

        Parameters
        ----------
        group
            The group of each sample of the batch; each must have room.
        """
        places = Places(group)
        self.clocks.hear(places, batch.at, monotonic_ms, self.bucket_ms)
        self._advance(places)
        return len(batch) - self._pour(places, batch, 1)

    def withdraw(self, group: NDArray[np.int32], batch: SampleBatch) -> None:
        """Take back samples that were counted before and have been replaced."""
        self._pour(Places(group), batch, -1)

    def empty(self, group: int | NDArray[np.intp]) -> None:
        """Leave out all that one window holds, or that some do."""
        for column in (self.sums, self.views, self.samples):
            column[group] = 0
        self.recount(group)

    def recount(self, rows: NDArray[np.integer] | int | slice = slice(None)) -> None:
        """Sum up anew what the rings of some groups hold, or all of them."""
        self.total_sums[rows] = self.sums[rows].sum(axis=-1)
        self.total_views[rows] = self.views[rows].sum(axis=-1)
        self.total_samples[rows] = self.samples[rows].sum(axis=-1, dtype=np.int64)

    def totals(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> Totals:
        """Return what the windows of some groups hold at their event times."""
        places = Places(group)
        if (at >= (places.of(self.head) + 1) * self.bucket_ms).any():
            first = at // self.bucket_ms - (BUCKETS - 1)
            inside = self._numbers(group) >= first[:, None]
            return Totals(
                np.where(inside, self.sums[group], 0.0).sum(axis=1),
                np.where(inside, self.views[group], 0).sum(axis=1),
                np.where(inside, self.samples[group], 0).sum(axis=1, dtype=np.int64),
            )
        return Totals(
            places.of(self.total_sums),
            places.of(self.total_views),
            places.of(self.total_samples),
        )

    def covers(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which windows have no hole that a restart left."""
        return self.clocks.covers(group, self._start(at))

    def is_whole(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which windows are covered and have been filled for their whole length."""
        return self.clocks.fills(group, self._start(at))

    def weights(self, batch: SampleBatch) -> NDArray[np.float64]:
        """Return what each sample adds to the sum of its bucket."""
        return batch.value * batch.views if self.weighs_by_views else batch.value

    def further(
        self, extreme: NDArray[np.float64] | None, batch: SampleBatch
    ) -> NDArray[np.float64] | None:
        """Return an extreme with some samples more; None where nobody asks for one."""
        del batch
        return extreme

    def _start(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        return (at // self.bucket_ms - (BUCKETS - 1)) * self.bucket_ms

    def _advance(self, places: Places) -> None:
        """Empty the buckets that the clocks have newly entered."""
        ends = (places.of(self.head) + 1) * self.bucket_ms
        is_ahead = places.of(self.clocks.newest_at) >= ends
        if not is_ahead.any():
            return
        rows = distinct(places.rows[is_ahead], len(self.head))
        head = self.clocks.newest_at[rows] // self.bucket_ms
        steps = np.minimum(head - self.head[rows], BUCKETS)
        slots = np.arange(BUCKETS)
        entered = (slots - self.head[rows, None] - 1) % BUCKETS < steps[:, None]
        self._clear(rows, entered)
        self.head[rows] = head

    def _clear(self, rows: NDArray[np.int32], entered: NDArray[np.bool_]) -> None:
        """Empty some buckets, a mask of shape ``(n, BUCKETS)``."""
        for column in (self.sums, self.views, self.samples):
            emptied = column[rows]
            emptied[entered] = 0
            column[rows] = emptied
        self.recount(rows)

    def _pour(self, places: Places, batch: SampleBatch, sign: int) -> int:
        """Add (or take back) what is inside the rings; return how many were."""
        bucket = batch.at // self.bucket_ms
        inside = bucket > places.of(self.head) - BUCKETS
        if not inside.all():
            places = Places(places.rows[inside])
            bucket, batch = bucket[inside], batch.take(inside)
        weight = self.weights(batch)
        views = batch.views
        if sign < 0:
            weight, views = -weight, -views
        slots = places.in_rings(bucket, BUCKETS)
        self._fill(slots, batch, weight, sign)
        places.add(self.total_sums, weight)
        places.add(self.total_views, views)
        places.add(self.total_samples, sign)
        return len(batch)

    def _fill(
        self,
        slots: Places,
        batch: SampleBatch,
        weight: NDArray[np.float64],
        sign: int,
    ) -> None:
        """Add samples to their buckets (or take them back), which are places in flat tables."""
        slots.add(self.sums.reshape(-1), weight)
        slots.add(self.views.reshape(-1), batch.views if sign > 0 else -batch.views)
        slots.add(self.samples.reshape(-1), sign)

    def _numbers(self, group: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return which bucket each slot holds, shape ``(n, BUCKETS)``."""
        head = self.head[group, None]
        return head - (head - np.arange(BUCKETS)) % BUCKETS
