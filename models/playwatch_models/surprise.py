"""How surprising a count of failed views is, when the rate itself wanders.

Failures are modelled as Poisson around a mean that is itself gamma distributed:
``spread`` is the variance of that mean in units of its square. With no spread
this is plain counting noise; with spread, many views stop making a small
deviation certain, which is what over-dispersion means for a pager. For the
percentages that are paged on (a few percent of views) it agrees with the
beta-binomial model; near 50 % it is the more cautious of the two.

Both functions are elementwise over broadcast arrays and cost two logarithms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from playwatch_models.ratio_state import Floats

__all__ = ["DECADE", "shift_nats", "tail_nats"]

DECADE: Final = 2.302585
"""Nats in a factor of ten."""
TINY: Final = 1e-9
HEAVIER: Final = 0.3


def tail_nats(
    failures: Floats,
    expected: Floats,
    spread: Floats,
    keep: Floats | float = 0.0,
) -> Floats:
    """Bound how rare so many failures are, in nats; 0 where there are no more than expected.

    Parameters
    ----------
    failures, expected
        Failed views seen, and their mean; sums in which a view weighs at most 1.
    spread
        Variance of the mean in units of its square, above 0.
    keep
        What such a sum keeps from one interval to the next; 0 for a plain count.

    Returns
    -------
    NDArray
        ``x`` such that chance brings at least so many with probability ``exp(-x)``
        or less.

    Notes
    -----
    Chernoff's bound for the gamma-Poisson (negative binomial) distribution of
    shape ``a = 1 / spread``: ``k ln(k/m) - (k + a) ln((k + a) / (m + a))``. A sum
    that forgets holds more views than it weighs: near its mean it varies like a
    count ``1 + keep`` times as large, far above it like a plain count, for the
    newest interval alone can bring it there. The factor between, a fit, is within
    5 % of the exact rate function up to a thousand times the mean.
    """
    mean = np.maximum(expected, TINY)
    times = np.maximum(failures, mean) / mean
    logarithm = np.log(times)
    held = 1 + keep / (1 + HEAVIER * logarithm)
    shape = 1.0 / spread
    mean = held * mean
    seen = mean * times
    nats: Floats = seen * logarithm
    nats -= (seen + shape) * np.log1p((seen - mean) / (mean + shape))
    return np.maximum(nats, 0.0)


def shift_nats(
    failures: Floats,
    expected: Floats,
    ratio: Floats,
    spread: Floats,
) -> Floats:
    """Weigh a raised rate against the expected one, in nats; negative speaks against it.

    Parameters
    ----------
    ratio
        How many times the expected rate the raised one is, above 1.

    Notes
    -----
    Log-likelihood ratio of two gamma-Poisson distributions of equal shape ``a``:
    ``k ln r - (k + a) ln((r m + a) / (m + a))``.
    """
    shape = 1.0 / spread
    rise = (ratio - 1.0) * expected / (expected + shape)
    nats: Floats = failures * np.log(ratio) - (failures + shape) * np.log1p(rise)
    return nats
