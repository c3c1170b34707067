"""Confidence: whether so many of so many views can be chance.

A share of views is measured on few views at night and on many at prime time:
one failure of three views says nothing, 65 of 1000 say that the rate is above
5 %. A rule with a `confidence` breaches only where the one-sided interval of
Clopper and Pearson (1934) lies beyond the bound. Its end crosses a bound
exactly when the binomial tail at the bound falls below ``1 - confidence``, so
the tail is all there is to compute; unlike Wilson's, the interval is never
narrower than it says.

One look is right with that confidence, and windows are looked at on every
arrival: over a day, chance has many tries. `for` and a greater confidence are
what helps; ``benchmarks/small_samples.py`` measures how much.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.rules import Comparison

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
"""One column."""

_PERCENT: Final = 100.0
# A tie is a tie: 1 of 1 at 5 % has a tail of 0.05, whatever the last digit says.
_TIE: Final = 1e-9
_PRECISION: Final = 1e-13
_STEPS: Final = 20_000
# The error of Stirling's formula for 0 to 15; from 16 its series is exact.
_SMALL: Final = np.array(
    [0.0]
    + [
        math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
        for n in range(1, 16)
    ]
)


def is_sure(
    comparison: Comparison,
    limit: float,
    confidence: float,
    sums: NDArray[np.float64],
    views: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return where a share is beyond a bound with confidence.

    Parameters
    ----------
    limit
        The bound, per cent.
    confidence
        From 0.5 to below 1.
    sums
        Percentages times views, added up. A hundredth of that is how many
        views were hit; percentages arrive rounded, so it is taken to the
        nearest whole view.
    views
        Views in the window.

    Notes
    -----
    Exact to nine digits of the tail, up to 1e9 views and beyond. A few
    microseconds a share where the tail is far from ``1 - confidence``.
    """
    of = views.astype(np.float64)
    hit = np.clip(np.rint(sums / _PERCENT), 0.0, of)
    share = limit / _PERCENT
    if not comparison.is_upward:
        hit, share = of - hit, 1.0 - share
    is_strict = not comparison.holds(limit, limit)
    doubt = math.log1p(-confidence) + (-_TIE if is_strict else _TIE)
    # At the expected count or below it, the tail is at least a half.
    rows = np.flatnonzero(hit > of * share)
    sure = np.zeros(len(of), np.bool_)
    if share <= 0.0:
        sure[rows] = True
    elif len(rows):
        sure[rows] = _is_below(hit[rows], of[rows], share, doubt)
    return sure


def log_tail(hit: Floats, of: Floats, share: float) -> Floats:
    """Return the logarithm of the chance of so many hits or more.

    Parameters
    ----------
    hit, of
        Hits, more than expected, and how many tries; whole numbers.
    share
        The chance of one hit, above 0 and below 1.

    Notes
    -----
    The incomplete beta function by its continued fraction (Abramowitz and
    Stegun, Handbook of Mathematical Functions, 26.5.8), by Lentz's method. Its
    steps: 20 at 1,000 views, 90 at 100,000, and at most 2,000 at 1e9.
    """
    tail: Floats = (
        log_chance(hit, of, share)
        + math.log1p(-share)
        + np.log(_fraction(hit, of - hit + 1, share))
    )
    return tail


def log_chance(hit: Floats, of: Floats, share: float) -> Floats:
    """Return the logarithm of the chance of exactly so many hits, at least one.

    Notes
    -----
    Loader (2000), Fast and Accurate Computation of Binomial Probabilities: no
    difference of great numbers, as the logarithms of factorials would be.
    """
    missed = of - hit
    is_all = missed == 0
    rest = np.where(is_all, 1.0, missed)
    chance: Floats = (
        _stirling_error(of)
        - _stirling_error(hit)
        - _stirling_error(rest)
        - _deviance(hit, of * share)
        - _deviance(rest, of * (1.0 - share))
        + 0.5 * np.log(of / (2 * math.pi * hit * rest))
    )
    return np.where(is_all, of * math.log(share), chance)


def _is_below(hit: Floats, of: Floats, share: float, doubt: float) -> NDArray[np.bool_]:
    """Return where the tail is below a chance; most are decided by two bounds of it."""
    odds = share / (1.0 - share)
    first = log_chance(hit, of, share)
    # The terms of the tail fall by a ratio that falls itself.
    ratio = (of - hit) / (hit + 1.0) * odds
    below: NDArray[np.bool_] = first - np.log1p(-ratio) < doubt
    spread = np.ceil(np.sqrt(of * share * (1.0 - share)))
    later = np.maximum((of - hit - spread + 1.0) / (hit + spread) * odds, 0.0)
    above = first + np.log1p(-(later**spread)) - np.log1p(-later) > doubt
    open_rows = np.flatnonzero(~below & ~above)
    if len(open_rows):
        below[open_rows] = log_tail(hit[open_rows], of[open_rows], share) < doubt
    return below


def _fraction(a: Floats, b: Floats, x: float) -> Floats:
    numerator: Floats = np.ones_like(a)
    denominator: Floats = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = denominator
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            denominator = 1.0 / (1.0 + term * denominator)
            numerator = 1.0 + term / numerator
            value = value * numerator * denominator
        if (np.abs(numerator * denominator - 1.0) < _PRECISION).all():
            break
    return value


def _stirling_error(n: Floats) -> Floats:
    square = np.maximum(n, 16.0) ** 2
    series = 1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square
    series = (1 / 12 - (1 / 360 - series / square) / square) / np.maximum(n, 16.0)
    error: Floats = np.where(n < len(_SMALL), _SMALL[np.minimum(n, 15.0).astype(np.intp)], series)
    return error


def _deviance(n: Floats, expected: Floats) -> Floats:
    excess = (n - expected) / expected
    deviance: Floats = expected * ((1.0 + excess) * np.log1p(excess) - excess)
    return deviance
