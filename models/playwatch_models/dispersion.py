"""Over-dispersion: how much more than chance a rate wanders, at every time scale.

Counting noise is what a binomial gives. Real failure rates scatter more: some
minutes are worse than others (sessions fail in bursts), and so are some half
hours. A test that knows only one number for it is too sure at one of the
scales, so it is learned from the deviations over each of the windows that
evidence is gathered over, whatever the mechanism: the squared deviation
beyond counting noise, in units of the squared mean. What few views cannot
tell is borrowed from the class.

`WINDOW_STEPS` are the lengths in intervals. The windows are exponentially
weighted; multiplied by `EFFECTIVE` their sums have the variance of a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.ratio_state import Floats, RatioState

__all__ = ["EFFECTIVE", "FIRST_SPREAD", "KEEP", "class_spread", "learn_scatter", "spread"]

WINDOW_STEPS: Final = np.array([[1], [3], [10], [30]], np.float32)
KEEP: Final = 1 - 1 / WINDOW_STEPS
EFFECTIVE: Final = 1 + KEEP

FIRST_SPREAD: Final = 0.02
"""What a class is taken for before it has been seen."""
LEAST_SPREAD: Final = 1e-4
"""No rate is steadier than to one per cent."""
CREDIT: Final = 20 * WINDOW_STEPS
"""How many well-filled windows weigh as much as what the class does."""
MEMORY: Final = 4320
MOST_DEVIATIONS: Final = 4.0
"""Deviations are clipped there before they are learned from."""


def spread(state: RatioState, of_class: Floats) -> Floats:
    """Return each group's relative variance per window, shape ``(WINDOWS, groups)``.

    Parameters
    ----------
    of_class
        What to believe without evidence, shape ``(WINDOWS, 1)``.
    """
    learned = (state.scatter + CREDIT * of_class) / (state.scatter_weight + CREDIT)
    bounded: Floats = np.maximum(learned, LEAST_SPREAD)
    return bounded


def class_spread(whole: RatioState) -> Floats:
    """Return the mean over all groups, weighted by what each can tell."""
    weight = whole.scatter_weight.sum(axis=1, keepdims=True, dtype=np.float64) + CREDIT
    scatter = whole.scatter.sum(axis=1, keepdims=True, dtype=np.float64) + CREDIT * FIRST_SPREAD
    mean: Floats = np.maximum(scatter / weight, LEAST_SPREAD).astype(np.float32)
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
