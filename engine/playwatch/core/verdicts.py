"""Verdicts: what a rule says of its groups at one moment, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Verdict(IntEnum):
    """What a rule says of one group."""

    CLEAR = 0
    """Recovered: beyond the resolve bound, with enough views and no hole in the window."""
    HOLD = 1
    """Neither: between the bounds, too few views, or not yet known again after a start."""
    BREACH = 2
    """Over at least one tier's bound, with enough views."""
    ABSENT = 3
    """No sample in the window."""


@dataclass(frozen=True, slots=True, eq=False)
class VerdictBatch:
    """What one rule says of some of its groups, as columns of one length ``n``.

    Attributes
    ----------
    group
        Rows of the rule's group table, each at most once, int32.
    at
        Each group's event clock, milliseconds since the epoch.
    verdict
        Values of `Verdict`, int8.
    tier
        Highest tier whose bound is crossed, counted from 0; -1 without a breach.
    value
        The metric over the window; NaN where absent.
    bound
        The limit of that tier, or of the lowest one without a breach.
    views
        Views in the window (for audience metrics: the mean per sample).
    is_upward
        True when greater values are worse.
    """

    group: NDArray[np.int32]
    at: NDArray[np.int64]
    verdict: NDArray[np.int8]
    tier: NDArray[np.int8]
    value: NDArray[np.float64]
    bound: NDArray[np.float64]
    views: NDArray[np.float64]
    is_upward: bool = True

    def __len__(self) -> int:
        """Return how many groups were judged."""
        return len(self.group)

    def take(self, mask: NDArray[np.bool_]) -> VerdictBatch:
        """Return the groups that a mask picks."""
        return VerdictBatch(
            self.group[mask],
            self.at[mask],
            self.verdict[mask],
            self.tier[mask],
            self.value[mask],
            self.bound[mask],
            self.views[mask],
            is_upward=self.is_upward,
        )

    @property
    def score(self) -> NDArray[np.float64]:
        """How far each value is beyond its bound, in units of the bound."""
        excess = self.value - self.bound if self.is_upward else self.bound - self.value
        score: NDArray[np.float64] = excess / np.where(self.bound == 0, 1.0, np.abs(self.bound))
        return score
