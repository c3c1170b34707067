"""How rare a surprise is for this very group: its own tail, followed as it goes.

The level that one interval in fifty exceeds is tracked by stochastic approximation,
and the mean excess above it gives an exponential tail beyond. One score of 4 then means
one interval in 10,000 for a quiet group and for a noisy one. Without that, no single
bound fits two groups; it is the largest gain of all the stages.

An excursion of an hour is one event, not sixty: within a run of exceedances the q-th
counts ``q ** -weight`` (declustering, as in peaks over threshold).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.memory import Memory

    Floats = NDArray[np.float32]

__all__ = ["follow_tails", "rarity"]

_RATE = 0.02
_PACE = 0.01
_DECIBAN = np.float32(np.log10(np.e))
_BASE = np.float32(-np.log10(_RATE))
_UP = np.float32(_PACE * (1 - _RATE))
_DOWN = np.float32(1 - _PACE * _RATE)
_SMALLEST_EXCESS = np.float32(0.1)
_CALM = np.float32(0.25)
"""Four quiet intervals undo one exceedance of a run."""
_DECLUSTERING = np.array([0.5, 0.5, 0.0, 0.0, 2.0], np.float32)
_LOWEST = np.array([[1.5], [1.5], [1.5], [0.8], [1.5]], np.float32)


def rarity(memory: Memory, surprises: Floats) -> Floats:
    """Return ``-log10`` of how often each group is that surprising, 0 below 2 %.

    Parameters
    ----------
    surprises
        Absolute surprises of each tracker, shape ``(5, n)``.
    """
    beyond = surprises - memory.tails
    found: Floats = np.where(beyond > 0, _BASE + _DECIBAN * beyond / memory.excesses, np.float32(0))
    return found


def follow_tails(memory: Memory, surprises: Floats) -> None:
    """Move each tail towards what was seen.

    Parameters
    ----------
    surprises
        As given to `rarity`.
    """
    over = surprises > memory.tails
    tracker, column = np.nonzero(over)
    run = memory.runs[tracker, column] + np.float32(1)
    np.maximum(memory.runs - _CALM, 0, out=memory.runs)
    if len(run):
        memory.runs[tracker, column] = run
        weight = run ** -_DECLUSTERING[tracker]
        tail, excess = memory.tails[tracker, column], memory.excesses[tracker, column]
        moved = tail * (1 + _UP * weight)
        found = np.minimum(surprises[tracker, column] - moved, 4 * excess)
        excess += np.float32(0.02) * weight * (found - excess)
        memory.excesses[tracker, column] = np.maximum(excess, _SMALLEST_EXCESS)
        memory.tails *= _DOWN
        memory.tails[tracker, column] = moved
    else:
        memory.tails *= _DOWN
    np.maximum(memory.tails, _LOWEST, out=memory.tails)
