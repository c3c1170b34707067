"""What the learned stage looks at: numbers without units, the same for every series.

Nothing here names a series: its step, its age and its share of zeros were tried and
left out, since a forest learns them by heart instead of what an incident looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.memory import HEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.habituation import Habituation
    from playwatch_models.memory import Memory
    from playwatch_models.residuals import Residuals

    Floats = NDArray[np.float32]

__all__ = ["FEATURES", "gate", "tabulate"]

FEATURES = (
    "agreed",
    "season",
    "local",
    "rarity_season",
    "rarity_local",
    "rarity_agreed",
    "rarity_slow",
    "rarity_fresh",
    "quick",
    "slow",
    "novelty",
    "share_season",
    "share_local",
    "jump",
    "noise_ratio",
    "season_strength",
    "noise_share",
    "tail_season",
    "tail_local",
    "tail_agreed",
    "excess_season",
    "excess_local",
    "excess_agreed",
    "times_seen",
    "hours_since",
    "restlessness",
    "day_spread",
    "lasting",
    "peak_share",
    "recent",
)
"""Columns of the table, in order. A model file is only good for one such list."""

_SLOW_GATE = np.float32(2.2)
_TINY = np.float32(1e-9)
_AGREED, _SLOW = 2, 3
_RESTLESS = 1
_FIRST = 3
_FIVE = np.float32(5.0)
_F = np.float32


def gate(rarities: Floats) -> NDArray[np.intp]:
    """Return the columns odd enough to be looked at: one or two in a hundred.

    Parameters
    ----------
    rarities
        Of each tracker, shape ``(5, n)``.
    """
    return np.flatnonzero((rarities[_AGREED] > 0) | (rarities[_SLOW] > _SLOW_GATE))


def tabulate(
    memory: Memory,
    found: Residuals,
    rarities: Floats,
    context: tuple[Floats, Floats, Habituation],
    at: NDArray[np.intp],
    *,
    is_log: bool = False,
) -> Floats:
    """Return the features of some columns, shape ``(m, len(FEATURES))``.

    Parameters
    ----------
    memory
        Before it learned the value; smoothed surprises after it.
    context
        The values, the hours since the epoch, and what is familiar.
    at
        Columns to look at, shape ``(m,)``.
    is_log
        Whether values are logarithms, so that a difference is a share already.
    """
    value, hour, habituation = context
    agreed = found.agreed[at]
    sign = np.where(agreed >= 0, _F(1), _F(-1))
    height = np.abs(agreed)
    floor, x = found.floor[at], value[at]
    mean = np.ones_like(x) if is_log else np.abs(memory.mean[at])
    span = memory.high[at] - memory.low[at] + floor
    novelty = np.maximum(x - memory.high[at], memory.low[at] - x) / span
    times, since = habituation.familiar(memory, at, height, hour[at])
    low = height < HEIGHTS[0]
    columns = (
        height,
        found.season[at] * sign,
        found.local[at] * sign,
        *rarities[:, at],
        memory.quick[at] * sign,
        memory.slow[at] * sign,
        np.minimum(novelty, _FIVE),
        *_shares(memory, found, at, is_log=is_log),
        (found.local[at] - memory.before[at]) * sign,
        _log_ratio(memory.recent_noise[at], memory.local_noise[at]),
        np.log((memory.season_noise[at] + floor) / (memory.size[at] + floor)),
        _log_ratio(found.local_scale[at], mean),
        *memory.tails[:_FIRST, at],
        *memory.excesses[:_FIRST, at],
        np.where(low, _F(6), np.log1p(times)),
        np.where(low, _F(0), np.log(since + _F(0.1))),
        np.log1p(memory.counts[_RESTLESS, at]),
        np.log((found.spread[at] + floor) / (memory.season_noise[at] + floor)),
        np.log1p(memory.lasting[at]),
        height / (memory.highest[at] + HEIGHTS[0]),
        memory.recent[at],
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _log_ratio(above: Floats, below: Floats) -> Floats:
    """Return the logarithm of a ratio, bounded below where either is nothing."""
    ratio: Floats = np.log((above + _TINY) / (below + _TINY) + _F(1e-3))
    return ratio


def _shares(
    memory: Memory, found: Residuals, at: NDArray[np.intp], *, is_log: bool
) -> tuple[Floats, Floats]:
    """Return by what share values are off the profile and the local level, at most five."""
    off, missed = found.off[at], found.missed[at]
    if is_log:
        above = np.abs(np.expm1(np.minimum(np.stack((off, missed)), _FIVE)))
    else:
        base = _F(0.05) * np.abs(memory.mean[at]) + _TINY
        usual = np.abs(np.stack((found.expected[at], memory.level[at]))) + base
        above = np.abs(np.stack((off, missed))) / usual
    season, local = np.minimum(above, _FIVE)
    return season, local
