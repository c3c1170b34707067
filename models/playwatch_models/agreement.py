"""Metrics of one scope bear each other out.

When a service is ill, several of its metrics show it; when one metric is odd alone, it
mostly is the metric. The mean of the five strongest scores keeps what several agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["agree"]

_STRONGEST = 5


def agree(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the evidence that a scope is unusual, shape ``(n,)``.

    Parameters
    ----------
    scores
        Of each of its metrics, shape ``(n, metrics)``; fewer than five metrics are
        averaged as they are.
    """
    metrics = scores.shape[1]
    few = min(_STRONGEST, metrics)
    strongest = np.partition(scores, metrics - few, axis=1)[:, metrics - few :]
    mean: NDArray[np.float64] = strongest.mean(axis=1)
    return mean
