"""What every detector takes and answers, in columns.

A detector learns what is normal for many groups at once and says, interval by
interval, how surprising each of them is. It is pure: time comes with the data,
nothing is drawn at random, and the same intervals give the same findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AddsUp", "Detector", "Evidence", "Findings", "Intervals"]


class Evidence(IntEnum):
    """Which observation speaks loudest for a finding, or why none was judged."""

    NONE = 0
    """Nothing unusual."""
    SEASONAL = 1
    """Both residuals, against this time of the week and against the last hour, agree."""
    BURST = 2
    """More failed views than chance explains, over a few intervals."""
    DRIFT = 3
    """Small excesses that add up (cumulative sum)."""
    LEARNED = 4
    """The learned stage tells it from what recurs."""
    LEARNING = 5
    """Not judged: too little has been seen."""
    FEW_VIEWS = 6
    """Not judged: no outcome of so few views could be evidence."""
    OTHER_UNIT = 7
    """Not judged: off by almost exactly a factor that people convert units by."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """One closed interval of some groups, as columns of one length ``n``.

    Attributes
    ----------
    group
        Rows of the detector's state, each at most once, int32.
    at
        End of each group's interval, milliseconds since the epoch, int64.
    value
        The metric over the interval, in its own unit (ratios: 0 to 100).
        A group without samples is left out, never zero.
    views
        Views that the value summarises; NaN where the stream brings none.
    """

    group: NDArray[np.int32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    views: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a detector says of some groups, as columns of one length ``n``.

    Attributes
    ----------
    group, at
        As they were asked.
    score
        ``-log10`` of how often chance alone brings evidence as strong in one
        interval, on a scale common to all groups and detectors; 0 when nothing
        is unusual or nothing could be judged. Only the worse direction scores,
        for audiences both.
    expected, low, high
        The value expected and the band that normal values keep to, in the
        metric's unit; NaN while nothing is known.
    is_upward
        True where the value is above what was expected, bool.
    since_at
        When the deviation began, milliseconds; ``at`` where there is none.
    evidence
        Values of `Evidence`, int8.
    """

    group: NDArray[np.int32]
    at: NDArray[np.int64]
    score: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    is_upward: NDArray[np.bool_]
    since_at: NDArray[np.int64]
    evidence: NDArray[np.int8]

    def __len__(self) -> int:
        """Return how many groups were judged."""
        return len(self.group)


class Detector(Protocol):
    """Learns groups of one metric class, one closed interval at a time."""

    def resize(self, groups: int, parents: NDArray[np.int32]) -> None:
        """Keep state for so many groups; new ones know nothing yet.

        Parameters
        ----------
        groups
            How many rows there are from now on, never fewer than before.
        parents
            For each row the row that it borrows from until it has been seen
            for long enough, -1 for none, shape ``(groups,)``.
        """

    def step(self, intervals: Intervals, frozen: NDArray[np.bool_]) -> Findings:
        """Judge a closed interval of some groups, then learn from it.

        Parameters
        ----------
        frozen
            Groups with an open incident, shape ``(n,)``: judged without
            being learned, for as long as the detector thinks it wise.
        """

    def peek(self, intervals: Intervals) -> Findings:
        """Judge an interval that is still open; nothing is learned or kept."""

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some rows as new."""

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the whole state as named arrays, for a snapshot."""

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a state back.

        Raises
        ------
        ValueError
            If the arrays are not those of this detector and version, or not finite.
        """


@runtime_checkable
class AddsUp(Protocol):
    """A detector whose evidence adds up over many intervals, long after a fault."""

    def drop_evidence(self, group: NDArray[np.int32]) -> None:
        """Let what some rows hold of a fault be no evidence any more; what is normal stays."""
