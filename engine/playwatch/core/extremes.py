"""Windows of extremes: the smallest or the greatest single sample of a group.

Each bucket keeps its extreme, beside what `RingWindows` keeps. An extreme does
not tell what lay beneath it, so a sample that is replaced can be taken back
only from a bucket that held nothing else; where it did, the old extreme stays
until its bucket leaves the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from playwatch.core.series import grown
from playwatch.core.windows import BUCKETS, RingWindows, Totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.places import Places
    from playwatch.core.samples import SampleBatch


class ExtremeWindows(RingWindows):
    """Rings that know their smallest or greatest sample.

    Parameters
    ----------
    window_s
        Length of the window, seconds.
    takes_greatest
        True for the greatest, False for the smallest.
    needs_views
        True to leave out samples that summarise no views: they measure nothing.

    Notes
    -----
    160 bytes a group more than `RingWindows`.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (*RingWindows.COLUMNS, "extremes")

    def __init__(self, window_s: float, *, takes_greatest: bool, needs_views: bool) -> None:
        super().__init__(window_s, weighs_by_views=False)
        self._further = np.fmax if takes_greatest else np.fmin
        self._needs_views = needs_views
        self.extremes: NDArray[np.float64] = np.zeros((0, BUCKETS))

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        super().reserve(groups)
        if len(self.extremes) < len(self.head):
            self.extremes = grown(self.extremes, len(self.head), np.nan)

    def empty(self, group: int | NDArray[np.intp]) -> None:
        """Leave out all that one window holds, or that some do."""
        super().empty(group)
        self.extremes[group] = np.nan

    def totals(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> Totals:
        """Return what the windows of some groups hold at their event times."""
        first = at // self.bucket_ms - (BUCKETS - 1)
        inside = self._numbers(group) >= first[:, None]
        extreme = self._further.reduce(np.where(inside, self.extremes[group], np.nan), axis=1)
        return super().totals(group, at)._replace(extreme=extreme)

    def further(
        self, extreme: NDArray[np.float64] | None, batch: SampleBatch
    ) -> NDArray[np.float64] | None:
        """Return an extreme with some samples more; one without samples is NaN."""
        if extreme is None:
            return None
        return self._further.reduce(np.r_[extreme, self._measured(batch)], keepdims=True)

    def _measured(self, batch: SampleBatch) -> NDArray[np.float64]:
        """Return the values of samples; NaN for those that measure nothing."""
        return np.where(batch.views > 0, batch.value, np.nan) if self._needs_views else batch.value

    def _clear(self, rows: NDArray[np.int32], entered: NDArray[np.bool_]) -> None:
        super()._clear(rows, entered)
        emptied = self.extremes[rows]
        emptied[entered] = np.nan
        self.extremes[rows] = emptied

    def _fill(
        self,
        slots: Places,
        batch: SampleBatch,
        weight: NDArray[np.float64],
        sign: int,
    ) -> None:
        super()._fill(slots, batch, weight, sign)
        slot = slots.index
        extremes = self.extremes.reshape(-1)
        if sign < 0:
            extremes[slot[self.samples.reshape(-1)[slot] <= 0]] = np.nan
            return
        self._further.at(extremes, slot, self._measured(batch))
