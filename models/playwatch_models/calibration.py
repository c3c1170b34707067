"""How often would this happen by chance, and which level keeps a budget of pages.

Detectors answer with powers of ten, but no noise model is the truth. What
counts is how often quiet groups reach a score, so that is measured: a *run* is
a stretch of surprising intervals of one group, its *peak* the highest score in
it, and one run can be one page at most however its intervals depend on each
other. Peaks are pooled over all groups of a class, for no single group lives
long enough to show what happens once in a year.

The tail is fitted as an exponential in each of two pieces and continued with
the upper one (a generalised Pareto tail of shape 0; noise that differs from
series to series makes it flatter further up, hence two). Each piece is believed
as far as runs have been counted in it, and before that is what the detector's
scores were worth where nothing was wrong (`Worth`). Only runs that end within a
piece are looked at, for among those beyond both are the real incidents.

Where few series have many incidents, real ones stand within the pieces too, the
more the higher up, and nobody can tell them from chance: a tail that takes them
for it would ask for ever rarer evidence and tell nothing. Below, chance is by far
the more frequent. So the upper piece may make a score rarer than the lower one
foretells without bound, but never more than `MOST_DOUBT` less rare: at most twice
the pages asked for, against incidents that nobody is told of.

    level(budget) = log10(groups * intervals in the period / pages)

is then the rarity that a run must reach to be a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["WEEK_S", "Budget", "ChanceTail", "Worth"]

WEEK_S: Final = 7 * 86400.0

FROM: Final = 2.0
PIECE: Final = 1.5
"""Powers of ten from which the tail is fitted, and how long its lower piece is."""
NOMINAL_RATE: Final = 10**-FROM
RATE_CREDIT: Final = 2000.0
"""Intervals that the worth's rate counts for."""
SLOPE_CREDIT: Final = 50.0
"""Runs that the worth of a detector counts for."""
MOST_DOUBT: Final = 0.3
"""Powers of ten by which a score may be less rare than the lower piece foretells."""
LEAST_SLOPE: Final = 0.4
MOST_SLOPE: Final = 1.25
SLOPES: Final = np.linspace(LEAST_SLOPE, MOST_SLOPE, 100)
MEANS: Final = 1 / (SLOPES * np.log(10)) - PIECE / (10 ** (SLOPES * PIECE) - 1)
"""Mean of an exponential with each slope, of what of it lies within one piece."""
HALF_LIFE_S: Final = 14 * 86400.0


class Worth(NamedTuple):
    """What a detector's scores are worth where nothing is wrong.

    Attributes
    ----------
    lower, upper
        Powers of ten of rarity for one of score, in either piece; 1 for a
        detector that keeps its promise.
    rate
        How many runs an interval begins that reach `FROM`.
    """

    lower: float = 1.0
    upper: float = 1.0
    rate: float = NOMINAL_RATE

    def beyond(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much rarer than `FROM` a run is that reaches each score."""
        above = score - FROM
        return self.lower * np.minimum(above, PIECE) + self.upper * np.maximum(above - PIECE, 0)

    def reached(self, beyond: float) -> float:
        """Return the score that is by so much rarer than `FROM`."""
        inside = min(beyond / self.lower, PIECE)
        return FROM + inside + max(beyond - self.lower * PIECE, 0) / self.upper


PERFECT: Final = Worth()


@dataclass(frozen=True, slots=True)
class Budget:
    """False pages that one can live with, over all groups together.

    Attributes
    ----------
    pages
        How many, above 0.
    per_s
        In how long, seconds.
    """

    pages: float
    per_s: float = WEEK_S

    def level(self, groups: float, step_s: float) -> float:
        """Return how rare a run must be to be a page, in powers of ten.

        Parameters
        ----------
        groups
            How many are judged in each interval.
        """
        chances = max(groups, 1.0) * self.per_s / step_s
        return float(np.log10(max(chances / self.pages, 10.0)))


class ChanceTail:
    """How rare a run's peak is, learned from the runs of all groups of a class.

    Parameters
    ----------
    step_s
        Length of an interval, seconds.
    worth
        What the scores were worth before these groups were seen.

    Notes
    -----
    Six numbers, whatever the number of groups; O(n) an interval.
    """

    def __init__(self, step_s: float, worth: Worth = PERFECT) -> None:
        self._worth = worth
        self._keep = 0.5 ** (step_s / HALF_LIFE_S)
        self._intervals = 0.0
        self._runs = 0.0
        self._lengths = np.zeros(2)
        self._ended = np.zeros(2)

    def learn(self, intervals: int, peaks: NDArray[np.float64]) -> None:
        """Count an interval and the runs that ended in it.

        Parameters
        ----------
        intervals
            How many groups were judged.
        peaks
            Highest score of each run that ended, powers of ten.
        """
        above = peaks[peaks >= FROM] - FROM
        inside = [above[above < PIECE], above[(above >= PIECE) & (above < 2 * PIECE)] - PIECE]
        self._intervals = self._keep * self._intervals + intervals
        self._runs = self._keep * self._runs + len(above)
        self._lengths = self._keep * self._lengths + [piece.sum() for piece in inside]
        self._ended = self._keep * self._ended + [len(piece) for piece in inside]

    @property
    def rate(self) -> float:
        """Runs that reach `FROM`, per group and interval."""
        return (self._runs + self._worth.rate * RATE_CREDIT) / (self._intervals + RATE_CREDIT)

    @property
    def slopes(self) -> tuple[Worth, Worth]:
        """What the lower piece foretells of the scores, and what both pieces say."""
        lower = self._fitted(0, self._worth.lower)
        # A lower piece that differs from its worth is a reason to doubt the upper one's.
        foretold = lower * self._worth.upper / self._worth.lower
        return Worth(lower, foretold), Worth(lower, self._fitted(1, foretold))

    def _fitted(self, piece: int, usual: float) -> float:
        """Return the slope of a piece, as usual until enough runs ended in it."""
        length = self._lengths[piece] + SLOPE_CREDIT * float(np.interp(usual, SLOPES, MEANS))
        mean = length / (self._ended[piece] + SLOPE_CREDIT)
        return float(np.interp(-mean, -MEANS, SLOPES))

    def rarity(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``-log10`` of the chance that a run of an interval reaches each score.

        Notes
        -----
        Below `FROM` the score itself, capped where the fit begins, so that rarity
        never falls when the score rises.
        """
        start = -float(np.log10(self.rate))
        foretold, seen = self.slopes
        beyond = np.maximum(seen.beyond(score), foretold.beyond(score) - MOST_DOUBT)
        rarity: NDArray[np.float64] = np.where(
            score >= FROM, start + np.maximum(beyond, 0), np.minimum(score, start)
        )
        return rarity

    def strength(self, rarity: float) -> float:
        """Return the score that is so rare, for a rarity beyond the fit's beginning."""
        asked = rarity + float(np.log10(self.rate))
        foretold, seen = self.slopes
        return min(seen.reached(asked), foretold.reached(asked + MOST_DOUBT))

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return what was counted, for a snapshot."""
        return {"tail": np.array([self._intervals, self._runs, *self._lengths, *self._ended])}

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take the counts back.

        Raises
        ------
        ValueError
            If they are not six finite numbers, 0 or more.
        """
        tail = np.asarray(columns.get("tail", np.zeros(0)), np.float64)
        if tail.shape != (6,) or not np.isfinite(tail).all() or (tail < 0).any():
            message = "the column tail is not one of a calibration: six numbers, 0 or more"
            raise ValueError(message)
        self._intervals, self._runs = tail[:2].tolist()
        self._lengths, self._ended = tail[2:4].copy(), tail[4:].copy()
