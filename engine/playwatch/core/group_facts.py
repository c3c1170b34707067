"""What was last found of each group of a learned rule, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from playwatch.core.series import NEVER, grown
from playwatch_models.classes import Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from playwatch_models.decision import Calls
    from playwatch_models.detector import Findings, Intervals

_FILL: Final[dict[str, float]] = {
    "value": np.nan,
    "views": np.nan,
    "expected": np.nan,
    "low": np.nan,
    "high": np.nan,
    "rarity": 0,
    "hit": 0,
    "impact": 0,
    "judged_at": NEVER,
    "since_at": NEVER,
    "first_at": NEVER,
    "intervals": 0,
    "evidence": 0,
    "is_upward": True,
    "calm_after": NEVER,
    "peeked_at": NEVER,
    "shift": 0,
    "back": 0,
    "calm": -1,
    "is_sceptical": False,
}


class GroupFacts:
    """The newest finding of every group, and what adds up beside the model.

    Attributes
    ----------
    rarity
        How rare as much evidence is by chance, in powers of ten of intervals.
    hit, impact
        Views hit beyond normal since the deviation began: in closed intervals,
        and with the open one at the newest look.
    judged_at, since_at, first_at
        End of the newest interval; begin of the deviation; first interval ever.
    intervals
        How many intervals were judged.
    calm_after
        A group that is not to open before it was calm, or before this time:
        its incident was ended from outside.
    peeked_at
        When an open interval last breached: older ones do not end an incident.
    shift, back, calm
        How bad it is in deviations; the evidence that it is over, in nats, and
        for how many intervals there was any, -1 without an incident.
    is_sceptical
        Evidence of a fault that is over opens nothing by itself.
    follower
        Called with the groups of each interval that has closed, while what was
        found of it stands here; None while nobody draws it.

    Notes
    -----
    100 bytes a group.
    """

    COLUMNS: ClassVar = tuple(_FILL)

    def __init__(self) -> None:
        self.value: NDArray[np.float32] = np.zeros(0, np.float32)
        self.views: NDArray[np.float32] = np.zeros(0, np.float32)
        self.expected: NDArray[np.float32] = np.zeros(0, np.float32)
        self.low: NDArray[np.float32] = np.zeros(0, np.float32)
        self.high: NDArray[np.float32] = np.zeros(0, np.float32)
        self.rarity: NDArray[np.float32] = np.zeros(0, np.float32)
        self.hit: NDArray[np.float64] = np.zeros(0)
        self.impact: NDArray[np.float64] = np.zeros(0)
        self.judged_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.since_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.first_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.intervals: NDArray[np.int32] = np.zeros(0, np.int32)
        self.evidence: NDArray[np.int8] = np.zeros(0, np.int8)
        self.is_upward: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.calm_after: NDArray[np.int64] = np.zeros(0, np.int64)
        self.peeked_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.shift: NDArray[np.float32] = np.zeros(0, np.float32)
        self.back: NDArray[np.float32] = np.zeros(0, np.float32)
        self.calm: NDArray[np.int16] = np.zeros(0, np.int16)
        self.is_sceptical: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.follower: Callable[[NDArray[np.int32]], None] | None = None

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups > len(self.value):
            capacity = max(groups, 2 * len(self.value), 64)
            for name, fill in _FILL.items():
                setattr(self, name, grown(getattr(self, name), capacity, fill))

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some groups as new."""
        for name, fill in _FILL.items():
            getattr(self, name)[group] = fill

    def note(
        self,
        intervals: Intervals,
        findings: Findings,
        calls: Calls,
        impact: NDArray[np.float64],
    ) -> None:
        """Keep what a look at some groups found; a peek is a look, too."""
        group = findings.group
        self.impact[group] = impact
        self.value[group] = intervals.value
        self.views[group] = intervals.views
        self.expected[group] = findings.expected
        self.low[group] = findings.low
        self.high[group] = findings.high
        self.rarity[group] = calls.rarity
        self.since_at[group] = calls.since_at
        self.evidence[group] = findings.evidence
        is_calm = self.rarity[group] < 1
        self.is_upward[group] = np.where(
            (self.calm[group] >= 0) & is_calm, self.is_upward[group], findings.is_upward
        )

    def close(self, findings: Findings) -> None:
        """Count a closed interval of some groups, which was noted just before."""
        group = findings.group
        self.judged_at[group] = findings.at
        self.intervals[group] += 1
        fresh = group[self.first_at[group] == NEVER]
        self.first_at[fresh] = self.judged_at[fresh]
        if self.follower is not None:
            self.follower(group)

    def count(
        self, group: NDArray[np.int32], hit: NDArray[np.float64], *, is_past: NDArray[np.bool_]
    ) -> None:
        """Add the views that an interval hit; none are left of a deviation that is past."""
        added = np.maximum(self.hit[group] + hit, 0.0)
        self.hit[group] = np.where(is_past, 0.0, added)

    def may_open_early(self, group: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which groups may open before their interval is over."""
        may: NDArray[np.bool_] = ~self.is_sceptical[group] & (self.calm_after[group] == NEVER)
        return may

    def is_worse(self, group: NDArray[np.int32], worse: Direction) -> NDArray[np.bool_]:
        """Return which groups are worse than expected at the newest look.

        Notes
        -----
        What adds up over many intervals outlives a fault by as many, and nobody
        is to be woken by an interval in which all is well.
        """
        away = self.value[group] - self.expected[group]
        if worse is Direction.EITHER:
            return np.ones(len(group), np.bool_)
        is_bad: NDArray[np.bool_] = ~(away >= 0) if worse is Direction.DOWN else ~(away <= 0)
        return is_bad

    def is_outside(self, group: int) -> bool:
        """Return whether the newest value is outside the band on its bad side; True without one."""
        if self.is_upward[group]:
            return not self.value[group] <= self.high[group]
        return not self.value[group] >= self.low[group]

    def wait_for_calm(self, group: int, until_at: int) -> None:
        """Let a group open nothing before it was calm, or before a time."""
        self.calm_after[group] = until_at
        self.hit[group] = 0
