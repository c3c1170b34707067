"""Has this been seen here before: excursions counted by the height they reached.

What recurs is not news, however far it sticks out; what was never seen is. An excursion
ends when the surprise stayed low for half an hour, and then counts at every height that
its peak reached. Counts are forgotten with a half-life of ten days.

What is several times as high as all that was seen here stands beyond what any training
could show: each e-fold above the highest excursion makes it ten times as rare.

The same holds for verdicts: a group that was found strange yesterday has to be stranger
today. Each strong verdict of the last days makes the next one count for less. That is
for scores by the tails alone: the learned stage is shown the counts and weighs them itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.memory import HEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.memory import Memory

    Floats = NDArray[np.float32]

__all__ = ["Habituation", "record"]

_HALF_LIFE_S = 10 * 86_400.0
_QUIET_S = 1800.0
_TIRED_HALF_LIFE_S = 2 * 86_400.0
_STRONG = 3.5
"""A score that counts as a verdict: once in 3,000 intervals."""
_TIRING = np.float32(0.5)
_NEVER_H = np.float32(400.0)
_ORDINARY = np.float32(4.5)
"""A height that noise alone reaches, so that a new group has no records to break."""


def record(height: Floats, highest: Floats) -> Floats:
    """Return by how many e-folds heights exceed the highest so far, at least 0.

    Parameters
    ----------
    height, highest
        Absolute surprises, shape ``(n,)``.
    """
    ordinary = np.maximum(highest + np.float32(1), _ORDINARY)
    beyond: Floats = np.log(np.maximum(height / ordinary, np.float32(1)))
    return beyond


class Habituation:
    """Counts the excursions of groups.

    Parameters
    ----------
    step_s
        Seconds between intervals.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = np.float32(step_s)
        self._quiet_s = np.float32(max(_QUIET_S, 3 * step_s))
        self._fade = np.float32(0.5 ** (step_s / _HALF_LIFE_S))
        self._tired_fade = np.float32(0.5 ** (step_s / _TIRED_HALF_LIFE_S))
        self._slow_fade = np.float32(0.5 ** (step_s / _HALF_LIFE_S / 2))

    def familiar(
        self, memory: Memory, column: NDArray[np.intp], height: Floats, hour: Floats
    ) -> tuple[Floats, Floats]:
        """Return how many excursions reached such heights, and hours since the last.

        Parameters
        ----------
        column
            Columns of the memory, shape ``(m,)``.
        height
            Heights asked for, at least the lowest of `HEIGHTS`.
        hour
            Hours since the epoch now.
        """
        rung = np.maximum(np.searchsorted(HEIGHTS, height, side="right") - 1, 0)
        since = np.minimum(hour - memory.lasts[rung, column], _NEVER_H)
        return memory.counts[rung, column], np.maximum(since, np.float32(0))

    def count(self, memory: Memory, height: Floats, hour: Floats) -> None:
        """Follow excursions and count those that end.

        Parameters
        ----------
        height
            Absolute agreed surprise of each column, shape ``(n,)``.
        hour
            Hours since the epoch, shape ``(n,)``.
        """
        memory.counts *= self._fade
        memory.highest *= self._slow_fade
        memory.peak_age_s += self._step_s
        out = height >= HEIGHTS[0]
        ended = np.flatnonzero(~out & (memory.peak > 0) & (memory.peak_age_s >= self._quiet_s))
        if len(ended):
            self._close(memory, ended, hour)
        if out.any():
            memory.peak_age_s[out] = 0
            memory.peak[out] = np.maximum(memory.peak[out], height[out])

    def tired(self, memory: Memory, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores less what the verdicts of the last days take from them.

        Parameters
        ----------
        score
            As found, shape ``(n,)``; not changed.
        """
        hit = np.flatnonzero((score > 0) & (memory.verdicts > 0))
        if not len(hit):
            return score
        less = score.copy()
        less[hit] = np.maximum(less[hit] - _TIRING * np.log10(1 + memory.verdicts[hit]), 0)
        return less

    def tire(self, memory: Memory, score: NDArray[np.float64]) -> None:
        """Follow verdicts and count those that end.

        Parameters
        ----------
        score
            As found, before `tired`.
        """
        memory.verdicts *= self._tired_fade
        going = memory.verdict_age_s >= 0
        memory.verdict_age_s[going] += self._step_s
        strong = score >= _STRONG
        ended = going & ~strong & (memory.verdict_age_s > self._quiet_s)
        memory.verdicts[ended] += 1
        memory.verdict_age_s[ended] = -1
        memory.verdict_age_s[strong] = 0

    def _close(self, memory: Memory, ended: NDArray[np.intp], hour: Floats) -> None:
        """Count excursions at every height that they reached."""
        peak = memory.peak[ended]
        reached = peak >= HEIGHTS[:, None]
        rung, which = np.nonzero(reached)
        memory.counts[rung, ended[which]] += 1
        memory.lasts[rung, ended[which]] = (
            hour[ended] - memory.peak_age_s[ended] / np.float32(3600)
        )[which]
        memory.highest[ended] = np.maximum(memory.highest[ended], peak)
        memory.peak[ended] = 0
