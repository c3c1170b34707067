"""Leaves: how much each single series adds to a deviation, to find where it comes from.

A model watches groups; the cause may lie across them, such as one CDN in one
country. So each series keeps two short memories, of the last minutes and of the
last day, and what the first holds beyond the second is its part of an excess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from playwatch.core.groups import NO_GROUP
from playwatch.core.series import NEVER, grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.intake_buffer import Waiting

RECENT_INTERVALS: Final = 3.0
"""Half-life of the short memory: a fault must fill it soon after it was seen."""
USUAL_S: Final = 86_400.0
"""Half-life of the long one."""

_PRIOR_VIEWS: Final = 50.0
"""Views of its own after which a series weighs as much as all others together."""
_PRIOR_INTERVALS: Final = 10.0


class LeafMemory:
    """The recent and the usual sums of every series of one learned rule.

    Parameters
    ----------
    interval_s
        How often the memories move on.
    is_mean
        True where values are weighed by views, False where they add up.

    Notes
    -----
    40 bytes a series; moving on is O(series) once an interval.
    """

    COLUMNS: ClassVar = (
        "recent_weight", "recent_views", "usual_weight", "usual_views", "usual_intervals",
    )  # fmt: skip

    def __init__(self, interval_s: float, *, is_mean: bool) -> None:
        self._interval_ms = round(interval_s * 1000)
        self._is_mean = is_mean
        self._recent_keep = 0.5 ** (1 / RECENT_INTERVALS)
        self._usual_keep = 0.5 ** (interval_s / USUAL_S)
        self.number = NEVER
        self.recent_weight: NDArray[np.float64] = np.zeros(0)
        self.recent_views: NDArray[np.float64] = np.zeros(0)
        self.usual_weight: NDArray[np.float64] = np.zeros(0)
        self.usual_views: NDArray[np.float64] = np.zeros(0)
        self.usual_intervals: NDArray[np.float64] = np.zeros(0)

    def reserve(self, leaves: int) -> None:
        """Make room for so many series."""
        if leaves > len(self.recent_views):
            capacity = max(leaves, 2 * len(self.recent_views), 64)
            for name in self.COLUMNS:
                setattr(self, name, grown(getattr(self, name), capacity, 0))

    def forget(self, leaf: NDArray[np.intp]) -> None:
        """Make some series as new."""
        for name in self.COLUMNS:
            getattr(self, name)[leaf] = 0

    def add(
        self,
        leaf: NDArray[np.int32],
        weight: NDArray[np.float64],
        views: NDArray[np.int64],
    ) -> None:
        """Add samples to the short memory."""
        np.add.at(self.recent_weight, leaf, weight)
        np.add.at(self.recent_views, leaf, views)

    def hear(self, waiting: Waiting, *, learns: bool) -> None:
        """Take samples interval by interval, so that a backlog is no moment of its own."""
        numbers = waiting.at // self._interval_ms
        for number in np.unique(numbers).tolist():
            part = waiting.take(numbers == number)
            self.move_on(number * self._interval_ms, learns=learns)
            self.add(part.leaf, part.weight, part.views)

    def move_on(self, newest_at: int, *, learns: bool) -> None:
        """Let the memories fade up to a time.

        Parameters
        ----------
        learns
            False while something is wrong: the long memory holds what is usual.
        """
        number = newest_at // self._interval_ms
        passed = min(number - self.number, 1000) if self.number != NEVER else 0
        self.number = max(self.number, number)
        if passed <= 0:
            return
        if learns:
            # An interval's worth of the short memory, which holds some four.
            part = (1 - self._recent_keep) * passed
            spoke = self.recent_views > 0
            kept = self._usual_keep**passed
            self.usual_weight = kept * self.usual_weight + part * self.recent_weight
            self.usual_views = kept * self.usual_views + part * self.recent_views
            self.usual_intervals = kept * self.usual_intervals + spoke * float(passed)
        fade = self._recent_keep**passed
        self.recent_weight *= fade
        self.recent_views *= fade

    def excess(self, leaves: int, *, is_upward: bool) -> NDArray[np.float64]:
        """Return what each series has beyond what is usual, shape ``(leaves,)``.

        Notes
        -----
        Below 0 where it has less, so that what chance brings to hundreds of small
        series evens out in their sum. A series that was hardly seen is expected to
        be as all of them together.
        """
        recent, expected = self.parts(leaves)
        return recent - expected if is_upward else expected - recent

    def parts(self, leaves: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each series had lately, and what is usual for it."""
        recent, views = self.recent_weight[:leaves], self.recent_views[:leaves]
        usual, usual_views = self.usual_weight[:leaves], self.usual_views[:leaves]
        if self._is_mean:
            whole = usual.sum() / max(usual_views.sum(), 1.0)
            rate = (usual + _PRIOR_VIEWS * whole) / (usual_views + _PRIOR_VIEWS)
            expected = rate * views
        else:
            length = 1 / (1 - self._recent_keep)
            expected = usual / (self.usual_intervals[:leaves] + _PRIOR_INTERVALS) * length
        return recent, expected

    def weights(self, leaves: int) -> NDArray[np.float64]:
        """Return how much each series counted lately, whatever its values."""
        return self.recent_views[:leaves]


def shares(
    groups_of: NDArray[np.int32], excess: NDArray[np.float64], inside: NDArray[np.bool_], size: int
) -> NDArray[np.float64]:
    """Return which part of each group's excess lies in a set of series.

    Parameters
    ----------
    groups_of
        The groups of each series, shape ``(leaves, groupings)``.
    excess, inside
        Each series' part, and whether it is in the set, shape ``(leaves,)``.
    size
        How many groups there are.

    Returns
    -------
    ndarray
        Shape ``(size,)``, about 0 to 1; of a group without any excess the part of its
        series that is in the set.
    """
    whole, part, held, among = np.zeros((4, size))
    for column in groups_of.T:
        mine = column != NO_GROUP
        rows = column[mine]
        whole += np.bincount(rows, excess[mine], size)
        part += np.bincount(rows, (excess * inside)[mine], size)
        held += np.bincount(rows, minlength=size)
        among += np.bincount(rows, inside[mine], size)
    share: NDArray[np.float64] = np.divide(among, held, out=np.zeros(size), where=held > 0)
    np.divide(part, whole, out=share, where=whole > 0)
    return share
