"""What an interval teaches, once it has been judged.

Every update is bounded, so that an incident teaches little. While one is open nothing of
what is normal is learned at all, but not for ever: after six hours the new state of
things is the state of things.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.residuals import learn_levels
from playwatch_models.tails import follow_tails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.habituation import Habituation
    from playwatch_models.memory import Memory
    from playwatch_models.profile import Profile
    from playwatch_models.residuals import Pace, Residuals

    Floats = NDArray[np.float32]

__all__ = ["UNJUDGED", "Lesson", "hold", "learn"]

_LONGEST_FREEZE_S = 6 * 3600.0
_ODD = np.float32(2.0)
_CLIP = np.float32(6.0)
UNJUDGED = 30
"""Intervals that a group is only learned."""
_GROWN = np.float32(300.0)
_F = np.float32


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Intervals of some groups, each field of shape ``(n,)``.

    Attributes
    ----------
    rows
        The groups' rows.
    at, time_s, hour
        The interval's end in milliseconds, its start in seconds and in hours.
    raw, value
        The metric in its unit, and on the scale on which its noise is even.
    views
        Views behind it, NaN where unknown.
    """

    rows: NDArray[np.int32]
    at: NDArray[np.int64]
    time_s: NDArray[np.int64]
    hour: Floats
    raw: NDArray[np.float64]
    value: Floats
    views: NDArray[np.float64]


def hold(memory: Memory, frozen: NDArray[np.bool_], step_s: float) -> NDArray[np.intp]:
    """Return the columns that may not learn, and count for how long they have not."""
    if not frozen.any():
        memory.frozen_s[:] = 0
        return np.empty(0, np.intp)
    memory.frozen_s[:] = np.where(frozen, memory.frozen_s + _F(step_s), 0)
    return np.flatnonzero(frozen & (memory.frozen_s <= _LONGEST_FREEZE_S))


def learn(
    memory: Memory,
    lesson: Lesson,
    found: Residuals,
    surprises: Floats,
    minds: tuple[Profile, Habituation, Pace],
) -> None:
    """Update everything that is known of the groups.

    Parameters
    ----------
    found, surprises
        What the intervals were judged by.
    minds
        The profile, what counts excursions, and how fast levels follow.
    """
    profile, habituation, pace = minds
    # What stands out while nothing is known yet is no record to be broken later.
    height = np.where(memory.seen > UNJUDGED, surprises[2], _F(0))
    habituation.count(memory, height, lesson.hour)
    memory.lasting[:] = np.where(height > _ODD, memory.lasting + 1, 0)
    memory.recent *= pace.hour
    np.maximum(memory.recent, height, out=memory.recent)
    memory.before[:] = found.local
    memory.seen += 1
    learn_levels(memory, found, lesson.value, pace)
    follow_tails(memory, surprises)
    _learn_profile(memory, lesson, found, profile)
    _learn_views(memory, lesson.views)
    memory.settling -= memory.settling > 0


def _learn_profile(memory: Memory, lesson: Lesson, found: Residuals, profile: Profile) -> None:
    """Add the values to their bins of the day; teach the bins that closed."""
    where = profile.bin_of(lesson.time_s)
    moved = memory.bin != where
    if moved.any():
        closed = np.flatnonzero(moved & (memory.bin_count > 0))
        if len(closed):
            profile.learn(
                lesson.rows[closed],
                memory.bin[closed].astype(np.intp),
                memory.bin_sum[closed] / memory.bin_count[closed],
                memory.season_noise[closed],
            )
        memory.bin[moved] = where[moved]
        memory.bin_sum[moved] = 0
        memory.bin_count[moved] = 0
    reach = np.where(memory.seen > _GROWN, _CLIP * found.season_scale, _F(np.inf))
    memory.bin_sum += found.expected + np.clip(found.off, -reach, reach)
    memory.bin_count += 1


def _learn_views(memory: Memory, views: NDArray[np.float64]) -> None:
    """Follow how many views a group has."""
    told = np.flatnonzero(views > 0)
    if len(told):
        mean, now = memory.mean_views[told], views[told].astype(np.float32)
        memory.mean_views[told] = np.where(mean > 0, mean + _F(0.01) * (now - mean), now)
