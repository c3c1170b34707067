"""Intervals: what a model learns from, closed one after the other by event clocks.

A model is asked once an interval. Each group has two intervals open at a time,
the one that its clock is in and the one before, which closes `LATENESS_S`
later: samples that come no later than that count whatever their order, so the
same samples leave the same intervals however they were batched. An interval
without a sample is left out; it is never zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np

from playwatch.core.series import NEVER, grown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LATENESS_S: Final = 10.0
"""How long an interval stays open for samples after it is over."""

_SLOTS: Final = 2
_LATENESS_MS: Final = round(LATENESS_S * 1000)
_AT_ONCE: Final = np.iinfo(np.int64).min
_NEVER_DUE: Final = np.iinfo(np.int64).max


class Contributions(NamedTuple):
    """Samples as groups see them, columns of one length ``n``: one row a sample and group.

    Attributes
    ----------
    weight, views, samples
        What is added; negative for a sample that is taken back.
    heard_ms
        Monotonic time of arrival, in rising order.
    """

    group: NDArray[np.int32]
    at: NDArray[np.int64]
    weight: NDArray[np.float64]
    views: NDArray[np.int64]
    samples: NDArray[np.int32]
    heard_ms: NDArray[np.int64]

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Contributions:
        """Return the rows that a mask or an index picks."""
        return Contributions(
            self.group[index],
            self.at[index],
            self.weight[index],
            self.views[index],
            self.samples[index],
            self.heard_ms[index],
        )


class Sums(NamedTuple):
    """One interval of some groups, in columns.

    Attributes
    ----------
    ends_at
        End of each group's interval, milliseconds.
    weight
        Sum of the contributions: value times views for a mean.
    """

    group: NDArray[np.int32]
    ends_at: NDArray[np.int64]
    weight: NDArray[np.float64]
    views: NDArray[np.int64]
    samples: NDArray[np.int32]


class IntervalRings:
    """The open intervals of every group of one learned rule.

    Parameters
    ----------
    interval_s
        Length of an interval; a shorter one than `LATENESS_S` waits for its own length.
    skips_first
        True where the first interval of a group, of which nobody knows how
        much was missed, would be too small: sums, not means.

    Notes
    -----
    80 bytes a group. Adding is O(n); what is due is found in O(groups).
    """

    COLUMNS: ClassVar = ("newest_at", "heard_ms", "closed", "number", "weight", "views", "samples")

    def __init__(self, interval_s: float, *, skips_first: bool = False) -> None:
        self.interval_ms = round(interval_s * 1000)
        self._lateness_ms = min(self.interval_ms, _LATENESS_MS)
        self._skips_first = skips_first
        self.newest_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.heard_ms: NDArray[np.int64] = np.zeros(0, np.int64)
        self.closed: NDArray[np.int64] = np.zeros(0, np.int64)
        self.number: NDArray[np.int64] = np.zeros((0, _SLOTS), np.int64)
        self.weight: NDArray[np.float64] = np.zeros((0, _SLOTS))
        self.views: NDArray[np.int64] = np.zeros((0, _SLOTS), np.int64)
        self.samples: NDArray[np.int32] = np.zeros((0, _SLOTS), np.int32)
        self._due_ms = _AT_ONCE

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups <= len(self.closed):
            return
        capacity = max(groups, 2 * len(self.closed), 64)
        for name in self.COLUMNS:
            fill = NEVER if name in {"newest_at", "closed", "number"} else 0
            setattr(self, name, grown(getattr(self, name), capacity, fill))

    def now(self, group: NDArray[np.int32], monotonic_ms: int) -> NDArray[np.int64]:
        """Return the event time of each group; `NEVER` for one without samples."""
        newest = self.newest_at[group]
        elapsed = np.maximum(monotonic_ms - self.heard_ms[group], 0)
        return np.where(newest == NEVER, NEVER, newest + elapsed)

    def add(self, samples: Contributions) -> Iterator[Sums]:
        """Count samples; iterate over the intervals that they push out.

        A sample of an interval that is closed already is left out.
        """
        self._hear(samples)
        self._due_ms = _AT_ONCE
        number = samples.at // self.interval_ms
        for one in np.unique(number).tolist():
            part = samples.take(number == one)
            # With room for two, the one before the last is over for certain.
            held = self.number[part.group]
            is_over = ((held != NEVER) & (held <= one - _SLOTS)).any(axis=1)
            if is_over.any():
                yield from self._close(np.unique(part.group[is_over]), one - _SLOTS)
            self._pour(part, one)

    def due(self, groups: int, monotonic_ms: int) -> Iterator[Sums]:
        """Iterate over the intervals that are over, the oldest first.

        Notes
        -----
        Nothing until one can be: clocks that no sample moves only run.
        """
        if not self.is_due(monotonic_ms):
            return
        every = np.arange(groups, dtype=np.int32)
        over = (self.now(every, monotonic_ms) - self._lateness_ms) // self.interval_ms - 1
        held = self.number[:groups]
        rows = every[((held != NEVER) & (held <= over[:, None])).any(axis=1)]
        if len(rows):
            yield from self._close(rows, over[rows])
        self._due_ms = int(self.closes_ms(groups).min(initial=_NEVER_DUE))

    def is_due(self, monotonic_ms: int) -> bool:
        """Return whether an interval may be over."""
        return monotonic_ms >= self._due_ms

    def closes_ms(self, groups: int) -> NDArray[np.int64]:
        """Return when, on the monotonic clock, what is open will be over."""
        held = self.number[:groups]
        over_at = (held + 1) * self.interval_ms + self._lateness_ms
        closes = over_at - self.newest_at[:groups, None] + self.heard_ms[:groups, None]
        open_ones: NDArray[np.int64] = closes[held != NEVER]
        return open_ones

    def open(self, group: NDArray[np.int32]) -> Sums:
        """Return what the newest interval of some groups holds so far; nothing is closed."""
        number = self.number[group]
        slot = np.argmax(number, axis=1)
        place = (group, slot)
        return Sums(
            group,
            (number.max(axis=1) + 1) * self.interval_ms,
            self.weight[place],
            self.views[place],
            self.samples[place],
        )

    def resume(self, groups: int) -> None:
        """Go on after a hole: what was open is whole only where sums are means."""
        self._due_ms = _AT_ONCE
        if self._skips_first:
            rows = np.arange(groups, dtype=np.int32)
            newest = self.newest_at[rows]
            self.number[rows] = NEVER
            for column in (self.weight, self.views, self.samples):
                column[rows] = 0
            self.closed[rows] = np.where(newest == NEVER, NEVER, newest // self.interval_ms)

    def begin(self, group: int, at: int, monotonic_ms: int) -> None:
        """Start the clock of a group that nothing is known of."""
        if self.newest_at[group] == NEVER:
            self.newest_at[group] = at
            self.heard_ms[group] = monotonic_ms
            self.closed[group] = at // self.interval_ms - 1

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some groups as new."""
        self._due_ms = _AT_ONCE
        for name in self.COLUMNS:
            getattr(self, name)[group] = NEVER if name in {"newest_at", "closed", "number"} else 0

    def _hear(self, samples: Contributions) -> None:
        group, at = samples.group, samples.at
        if self._skips_first:
            fresh = self.newest_at[group] == NEVER
            np.maximum.at(self.closed, group[fresh], at[fresh] // self.interval_ms)
        is_newer = at > self.newest_at[group]
        np.maximum.at(self.newest_at, group, at)
        is_newest = is_newer & (at == self.newest_at[group])
        # Of several at the newest time the first one counts: written last.
        rows = np.flatnonzero(is_newest)[::-1]
        self.heard_ms[group[rows]] = samples.heard_ms[rows]

    def _pour(self, part: Contributions, number: int) -> None:
        part = part.take(self.closed[part.group] < number)
        slot = number % _SLOTS
        fresh = part.group[self.number[part.group, slot] != number]
        self.number[fresh, slot] = number
        place = part.group.astype(np.int64) * _SLOTS + slot
        np.add.at(self.weight.reshape(-1), place, part.weight)
        np.add.at(self.views.reshape(-1), place, part.views)
        np.add.at(self.samples.reshape(-1), place, part.samples)

    def _close(self, rows: NDArray[np.int32], up_to: int | NDArray[np.int64]) -> Iterator[Sums]:
        """Empty the intervals of some groups up to a number, the oldest first."""
        limit = np.broadcast_to(up_to, rows.shape)
        held = self.number[rows]
        is_over = (held != NEVER) & (held <= limit[:, None])
        for number in np.unique(held[is_over]).tolist():
            slot = number % _SLOTS
            chosen = rows[is_over[:, slot] & (held[:, slot] == number)]
            place = (chosen, np.full(len(chosen), slot))
            yield Sums(
                chosen,
                np.full(len(chosen), (number + 1) * self.interval_ms),
                self.weight[place],
                self.views[place],
                self.samples[place],
            )
            self.closed[chosen] = np.maximum(self.closed[chosen], number)
            for column in (self.weight, self.views, self.samples):
                column[place] = 0
            self.number[place] = NEVER
