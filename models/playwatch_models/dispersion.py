"""Over-dispersion: how much more than chance a rate wanders, at every time scale.

Counting noise is what a binomial gives. Real failure rates scatter more: some
minutes are worse than others (sessions fail in bursts), and so are some half
hours. A test that knows only one number for it is too sure at one of the
scales, so it is learned from the deviations over each of the windows that
evidence is gathered over, whatever the mechanism: the squared deviation
beyond counting noise, in units of the squared mean. What few views cannot
tell is borrowed from the class: as clusters (variance in proportion to the mean)
where few failures are expected, as spread (to its square) where many are.

`WINDOW_STEPS` are the lengths in intervals. The windows are exponentially
weighted; multiplied by `EFFECTIVE` their sums have the variance of a count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.ratio_state import Floats, RatioState

__all__ = ["EFFECTIVE", "KEEP", "ClassNoise", "learn_scatter", "spread"]

WINDOW_STEPS: Final = np.array([[1], [3], [10], [30]], np.float32)
KEEP: Final = 1 - 1 / WINDOW_STEPS
EFFECTIVE: Final = 1 + KEEP

FIRST_SPREAD: Final = 0.02
FIRST_CLUSTER: Final = 0.1
"""What a class is taken for before it has been seen."""
LEAST_SPREAD: Final = 1e-4
"""No rate is steadier than to one per cent."""
CREDIT: Final = 20 * WINDOW_STEPS
"""How many well-filled windows weigh as much as what the class does."""
MEMORY: Final = 4320
TINY: Final = 1e-6
MOST_CLUSTER: Final = 5.0
MOST_DEVIATIONS: Final = 4.0
"""Deviations are clipped there before they are learned from."""


@dataclass(slots=True, eq=False)
class ClassNoise:
    """What all groups of a class have in common, per window, shape ``(WINDOWS, 1)``.

    Attributes
    ----------
    spread
        Relative variance of the rate, as large groups show it.
    cluster
        Variance beyond counting noise in units of the mean, as small groups
        show it: failures that come in clusters.
    """

    spread: Floats
    cluster: Floats

    @classmethod
    def first(cls) -> Self:
        """Return what is believed before anything has been seen."""
        one = np.ones_like(WINDOW_STEPS)
        return cls(FIRST_SPREAD * one, FIRST_CLUSTER * one)

    def update(self, whole: RatioState) -> None:
        """Take the means over all groups, weighted by what each can tell."""
        weight, scatter = whole.scatter_weight, whole.scatter
        is_small = (weight < whole.scatter_mean) & (whole.seen > 0)
        self.spread = _mean(scatter, weight, ~is_small, CREDIT, FIRST_SPREAD)
        self.spread = np.maximum(self.spread, LEAST_SPREAD)
        self.cluster = _mean(scatter, whole.scatter_mean, is_small, CREDIT, FIRST_CLUSTER)
        self.cluster = np.clip(self.cluster, 0, MOST_CLUSTER)


def spread(state: RatioState, expected: Floats, noise: ClassNoise) -> Floats:
    """Return each group's relative variance per window, shape ``(WINDOWS, groups)``.

    Parameters
    ----------
    expected
        Effective counts expected in the windows.
    noise
        What to believe without evidence. A window of few failures is told by
        the clusters, one of many by the spread.
    """
    mean = np.maximum(expected, TINY)
    credit = CREDIT * mean / (1 + mean)
    believed = noise.spread * mean + noise.cluster
    learned = (state.scatter + credit * believed / mean) / (state.scatter_weight + credit)
    bounded: Floats = np.maximum(learned, LEAST_SPREAD)
    return bounded


def _mean(
    scatter: Floats, weight: Floats, counts: NDArray[np.bool_], credit: Floats, first: float
) -> Floats:
    total = np.where(counts, scatter, 0).sum(axis=1, keepdims=True, dtype=np.float64)
    among = np.where(counts, weight, 0).sum(axis=1, keepdims=True, dtype=np.float64)
    mean: Floats = ((total + credit * first) / (among + credit)).astype(np.float32)
    return mean


def learn_scatter(
    state: RatioState,
    taught: NDArray[np.bool_],
    failures: Floats,
    expected: Floats,
    known: Floats,
) -> None:
    """Learn from how far the windows are from what was expected.

    Parameters
    ----------
    taught
        Which groups learn.
    failures, expected
        Effective counts of the windows, shape ``(WINDOWS, groups)``.
    known
        The spread so far, which says where a deviation is clipped.
    """
    variance = expected + known * expected * expected
    squared = np.minimum((failures - expected) ** 2, MOST_DEVIATIONS**2 * variance)
    # A window tells as much as it holds: nothing when empty, 1 when well filled.
    weight = taught / (1 + expected) ** 2
    keep = np.where(taught, np.float32(1 - 1 / MEMORY), 1)
    state.scatter = keep * state.scatter + weight * (squared - expected)
    state.scatter_weight = keep * state.scatter_weight + weight * expected * expected
    state.scatter_mean = keep * state.scatter_mean + weight * expected
