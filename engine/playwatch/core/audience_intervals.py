"""Intervals of an audience: how many watched at a time, over all series of a group.

Samples of an audience do not add up over time, so each series counts with its
mean over the interval. A series that is silent counts with what it had last,
for `HELD` intervals: a collector that misses a turn has not lost its viewers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from playwatch.core.groups import NO_GROUP
from playwatch.core.series import NEVER, grown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from playwatch.core.intake_buffer import Waiting
    from playwatch.core.intervals import Sums
    from playwatch.core.lattice import Lattice

HELD: Final = 5
"""Intervals for which a silent series still counts."""
_SLOTS: Final = 2


class AudienceMemory:
    """What each series had on average in its newest two intervals, and last.

    Notes
    -----
    44 bytes a series; closing an interval is O(series groupings).
    """

    COLUMNS: ClassVar = ("number", "total", "samples", "last_number", "last_value")

    def __init__(self, interval_s: float) -> None:
        self._interval_ms = round(interval_s * 1000)
        self.number: NDArray[np.int64] = np.zeros((0, _SLOTS), np.int64)
        self.total: NDArray[np.float64] = np.zeros((0, _SLOTS))
        self.samples: NDArray[np.int32] = np.zeros((0, _SLOTS), np.int32)
        self.last_number: NDArray[np.int64] = np.zeros(0, np.int64)
        self.last_value: NDArray[np.float64] = np.zeros(0)

    def reserve(self, leaves: int) -> None:
        """Make room for so many series."""
        if leaves > len(self.last_value):
            capacity = max(leaves, 2 * len(self.last_value), 64)
            for name in self.COLUMNS:
                fill = NEVER if name in {"number", "last_number"} else 0
                setattr(self, name, grown(getattr(self, name), capacity, fill))

    def forget(self, leaf: NDArray[np.intp]) -> None:
        """Make some series as new."""
        for name in self.COLUMNS:
            getattr(self, name)[leaf] = NEVER if name in {"number", "last_number"} else 0

    def parts(self, waiting: Waiting) -> Iterator[Waiting]:
        """Iterate over the samples interval by interval, each part counted when it comes."""
        numbers = waiting.at // self._interval_ms
        for number in np.unique(numbers).tolist():
            part = waiting.take(numbers == number)
            self._add(part, number)
            yield part

    def _add(self, waiting: Waiting, number: int) -> None:
        slot = number % _SLOTS
        is_current = self.number[waiting.leaf, slot] <= number
        leaf = waiting.leaf[is_current]
        self._turn(np.unique(leaf[self.number[leaf, slot] < number]), slot, number)
        np.add.at(self.total[:, slot], leaf, waiting.weight[is_current])
        np.add.at(self.samples[:, slot], leaf, waiting.samples[is_current])

    def filled(self, sums: Sums, lattice: Lattice) -> Sums:
        """Return closed intervals with the audience of each group as their weight."""
        numbers = sums.ends_at // self._interval_ms - 1
        weight = np.zeros(len(sums.group))
        leaves = len(lattice.leaves)
        groups_of = lattice.groups_of(np.arange(leaves, dtype=np.int32))
        for number in np.unique(numbers).tolist():
            value = self._at(number, leaves)
            audience = np.zeros(len(lattice))
            for column in groups_of.T:
                mine = column != NO_GROUP
                audience += np.bincount(column[mine], value[mine], len(lattice))
            is_now = numbers == number
            weight[is_now] = audience[sums.group[is_now]]
        return sums._replace(weight=weight)

    def _turn(self, leaf: NDArray[np.int32], slot: int, number: int) -> None:
        """Keep what a slot held as the last value, and start an interval in it."""
        held = self.samples[leaf, slot] > 0
        rows = leaf[held]
        is_later = self.number[rows, slot] > self.last_number[rows]
        rows = rows[is_later]
        self.last_value[rows] = self.total[rows, slot] / self.samples[rows, slot]
        self.last_number[rows] = self.number[rows, slot]
        self.number[leaf, slot] = number
        self.total[leaf, slot] = 0
        self.samples[leaf, slot] = 0

    def _at(self, number: int, leaves: int) -> NDArray[np.float64]:
        """Return what each series had in an interval, or last before it; 0 for one long gone."""
        value = np.zeros(leaves)
        since = np.full(leaves, NEVER)
        sources = [
            (self.number[:leaves, slot], self.total[:leaves, slot], self.samples[:leaves, slot])
            for slot in range(_SLOTS)
        ]
        last = np.ones(leaves, np.int32)
        sources.append((self.last_number[:leaves], self.last_value[:leaves], last))
        for numbers, total, samples in sources:
            is_better = (samples > 0) & (numbers <= number) & (numbers > since)
            is_better &= numbers > number - HELD
            value[is_better] = total[is_better] / samples[is_better]
            since[is_better] = numbers[is_better]
        return value
