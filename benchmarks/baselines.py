"""Detectors to compare with: what is usually written first.

Each takes a closed interval of some series, as columns, and returns a score; none has
more than a handful of numbers a series. Their scores are on no common scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["BASELINES"]

_DAY_S = 86_400


class Baseline(Protocol):
    """Scores so many series, one interval at a time."""

    def score(self, row: int, at: NDArray[np.int64], value: Floats) -> Floats:
        """Return the score of each value, higher for stranger.

        Parameters
        ----------
        row
            Number of the interval.
        at
            Its end for each series, milliseconds.
        value
            Of the first so many series.
        """


class Silent:
    """Never pages."""

    def __init__(self, series: int, step_s: int) -> None:
        del series, step_s

    def score(self, row: int, at: NDArray[np.int64], value: Floats) -> Floats:
        """Return nothing."""
        del row, at
        return np.zeros(len(value))


class Fixed(Silent):
    """Compares the value with a fixed threshold: the score is the value."""

    def score(self, row: int, at: NDArray[np.int64], value: Floats) -> Floats:
        """Return the value."""
        del row, at
        return value


class EwmaZ:
    """Compares the value with an exponential mean of a day, in standard deviations."""

    def __init__(self, series: int, step_s: int) -> None:
        self._pace = 2.0 / (_DAY_S / step_s + 1)
        self._mean, self._variance = np.zeros((2, series))

    def score(self, row: int, at: NDArray[np.int64], value: Floats) -> Floats:
        """Return the absolute z of each value."""
        del at
        some = len(value)
        mean, variance = self._mean[:some], self._variance[:some]
        if row == 0:
            mean[:] = value
        pace = max(self._pace, 1.0 / (row + 2))
        off = value - mean
        z = np.abs(off) / (np.sqrt(variance) + 0.001 * np.abs(mean) + 1e-9)
        mean += pace * off
        variance += pace * (off * off - variance)
        return z if row * self._pace > 0.1 else np.zeros(some)  # noqa: PLR2004 - warm


class HoltWinters:
    """Additive level and season of one day, in mean absolute errors."""

    def __init__(self, series: int, step_s: int) -> None:
        self._step_ms = 1000 * step_s
        self._period = max(2, _DAY_S // step_s)
        self._level, self._error = np.zeros((2, series))
        self._season = np.zeros((self._period, series))

    def score(self, row: int, at: NDArray[np.int64], value: Floats) -> Floats:
        """Return how far the forecast was off."""
        some = len(value)
        level, error = self._level[:some], self._error[:some]
        slot = (at // self._step_ms % self._period, np.arange(some))
        season = self._season[slot]
        if row == 0:
            level[:] = value
        off = value - level - season
        z = np.abs(off) / (1.25 * error + 0.004 * np.abs(level) + 1e-9)
        pace = max(0.002, 1.0 / (row + 1))
        reach = 4 * error + 1e-9 if row > self._period else np.inf
        bounded = np.clip(off, -reach, reach)
        error += pace * (np.abs(bounded) - error)
        level += 0.05 * bounded
        self._season[slot] += (0.3 if row > self._period else 0.9) * 0.95 * bounded
        return z if row > self._period else np.zeros(some)


BASELINES: dict[str, Callable[[int, int], Baseline]] = {
    "silent": Silent,
    "fixed": Fixed,
    "ewma_z": EwmaZ,
    "holt_winters": HoltWinters,
}
"""By the names that `detection_quality.py` takes."""
