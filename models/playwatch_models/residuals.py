"""How far a value is off, against the time of the day and against the last half hour.

Each alone pages in vain: the profile on holidays, the last half hour on every morning's
rise. What counts is what both agree on, in sign, and then the smaller of the two. Both
are measured in the group's own noise, with a floor that keeps flat series quiet, and
compressed beyond eight noises, so that heights stay apart without ruling everything.

Where a day swings so much that the last half hour lags behind it, the noise of that lag
would hide the loss of a third of the audience. There a third surprise is looked at, whose
half hour is taken of what the profile leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.memory import Memory

    Floats = NDArray[np.float32]

__all__ = ["Pace", "Residuals", "learn_levels", "measure", "smooth", "thinness_of"]

YOUNG = np.float32(100.0)
"""Until so many intervals were seen, updates are not clipped."""

_HOUR_S = 3600.0
_LINEAR = np.float32(8.0)
_SIGMA = np.float32(1.25)
"""Mean absolute deviation to standard deviation, of normal noise."""
_STEADIER = np.float32(0.6)
"""The day explains a group whose noise it lowers to this share or less."""
_THINNEST = 7.0
"""How many times fewer views than usual still widen the noise."""
_CALM = np.float32(2.5)
"""A steady surprise that ends an excursion."""
_F = np.float32


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast levels follow, per interval.

    Attributes
    ----------
    level
        Weight of an interval in the local level: half an hour.
    offset
        Weight in the day's offset: two hours.
    memory
        Intervals that noise is averaged over: eight hours, at least 50.
    hour
        What is left after an interval of something that halves in an hour.
    remembers
        What is left after an interval of something that halves in three weeks.
    days
        Intervals in three days.
    """

    level: np.float32
    offset: np.float32
    memory: np.float32
    hour: np.float32
    remembers: np.float32
    days: np.float32

    @classmethod
    def of(cls, step_s: float) -> Pace:
        """Return the paces of a step in seconds."""
        per_hour = max(1.0, _HOUR_S / step_s)
        return cls(
            level=_F(min(0.5, 2.0 / per_hour)),
            offset=_F(min(0.5, 0.5 / per_hour)),
            memory=_F(max(8.0 * per_hour, 50.0)),
            hour=_F(0.5 ** (step_s / _HOUR_S)),
            remembers=_F(0.5 ** (step_s / (504 * _HOUR_S))),
            days=_F(72 * _HOUR_S / step_s),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """What was missed by how much, each of shape ``(n,)``.

    Attributes
    ----------
    expected
        By the profile and the day's offset; by the local level while the bin is new.
    spread
        How far days differ at this hour.
    known
        Whether the profile had anything to say.
    off, missed
        Value less ``expected``; value less the local level.
    floor
        The smallest noise that a group is believed to have.
    season_scale, local_scale
        The noise that each is measured in.
    season, local, agreed
        The surprises: compressed, signed.
    steady
        What agrees where the day explains the group, in the noise that is left then; 0
        elsewhere.
    """

    expected: Floats
    spread: Floats
    known: NDArray[np.bool_]
    off: Floats
    missed: Floats
    floor: Floats
    season_scale: Floats
    local_scale: Floats
    season: Floats
    local: Floats
    agreed: Floats
    steady: Floats


def thinness_of(memory: Memory, views: NDArray[np.float64]) -> Floats | None:
    """Return by how much fewer views than usual widen the noise, at most twofold.

    Parameters
    ----------
    views
        Behind each value, shape ``(n,)``, NaN where unknown; None is returned if all are.

    Notes
    -----
    Half of a median's variance is taken to be its own, half to fall with the views.
    """
    told = (views > 0) & (memory.mean_views > 0)
    if not told.any():
        return None
    share = np.ones(len(views), np.float32)
    np.divide(memory.mean_views, views, out=share, where=told, casting="unsafe")
    return np.sqrt((1 + np.clip(share, 1, _THINNEST)) / 2)


def _noise_floor(memory: Memory, *, is_log: bool) -> Floats:
    """Return the smallest noise believed: 0.4 % of the mean, a tenth of the usual spread."""
    share = np.ones_like(memory.mean) if is_log else np.abs(memory.mean)
    floor: Floats = _F(0.004) * share + _F(0.1) * memory.size + _F(1e-9)
    return floor


def measure(
    memory: Memory,
    value: Floats,
    profile: tuple[Floats, Floats, NDArray[np.bool_]],
    thinness: Floats | None,
    *,
    is_log: bool = False,
) -> Residuals:
    """Return how far values are off.

    Parameters
    ----------
    value
        On the scale on which noise is even, shape ``(n,)``.
    profile
        Level and deviation of the time of the day, and whether they are known.
    thinness
        By how much fewer views than usual widen the noise; None where none are known.
    is_log
        Whether values are logarithms, so that a difference is a share already.
    """
    level, deviation, known = profile
    expected = np.where(known, level + memory.offset, memory.level)
    spread = np.where(known, deviation, _F(0))
    floor = _noise_floor(memory, is_log=is_log)
    season_scale = (
        _F(0.5) * _SIGMA * (memory.season_noise + np.maximum(spread, _F(0.3) * memory.season_noise))
    )
    season_scale += floor
    season_scale[~known] *= 2
    local_scale = _SIGMA * memory.local_noise
    local_scale += floor
    if thinness is not None:
        season_scale *= thinness
        local_scale *= thinness
    off, missed = value - expected, value - memory.level
    season, local = _compressed(off / season_scale), _compressed(missed / local_scale)
    agreed = np.where(np.abs(season) < np.abs(local), season, local)
    agreed[(season * local <= 0) | (memory.settling > 0)] = 0
    return Residuals(
        expected,
        spread,
        known,
        off,
        missed,
        floor,
        season_scale,
        local_scale,
        season,
        local,
        agreed,
        _steady(memory, (off, spread, known), thinness, is_log=is_log),
    )


def _steady(
    memory: Memory,
    by_day: tuple[Floats, Floats, NDArray[np.bool_]],
    thinness: Floats | None,
    *,
    is_log: bool,
) -> Floats:
    """Return how far values are off the day and what was left of it, where that says more.

    No share of the usual spread is taken for noise here: it is the day's own.
    """
    off, spread, known = by_day
    steady = np.zeros_like(off)
    at = np.flatnonzero(known & (memory.drift_noise < _STEADIER * memory.local_noise))
    if len(at):
        floor = _F(0.01) if is_log else _F(0.01) * np.abs(memory.mean[at])
        noise = np.stack((np.maximum(memory.season_noise, spread), memory.drift_noise))[:, at]
        noise = _SIGMA * noise + floor
        if thinness is not None:
            noise *= thinness[at]
        season, drift = _compressed(np.stack((off, off - memory.drift))[:, at] / noise)
        both = np.where(np.abs(season) < np.abs(drift), season, drift)
        both[(season * drift <= 0) | (memory.settling[at] > 0)] = 0
        steady[at] = both
    return steady


def smooth(memory: Memory, agreed: Floats) -> None:
    """Follow the agreed surprise over three and nine intervals."""
    memory.quick += _F(0.5) * (agreed - memory.quick)
    memory.slow += _F(0.2) * (agreed - memory.slow)


def learn_levels(memory: Memory, found: Residuals, value: Floats, pace: Pace) -> None:
    """Teach a value to the levels and noises; its surprise is bounded."""
    old = memory.seen > YOUNG
    settling = memory.settling > 0
    hold = np.where(settling, _F(0), _F(1))
    weight: Floats = (_F(1) / np.minimum(memory.seen, pace.memory)).astype(np.float32)
    missed, off = found.missed, found.off
    near = np.abs(missed)
    reach = np.where(old, 3 * found.local_scale, _F(np.inf))
    rate = np.where(settling, np.maximum(pace.level, _F(0.3)), pace.level)
    memory.level += rate * np.where(settling, missed, np.clip(missed, -reach, reach))
    limit = np.where(old, 4 * found.local_scale, _F(np.inf))
    memory.local_noise += hold * weight * (np.minimum(near, limit) - memory.local_noise)
    limit = np.where(old, 4 * found.season_scale, _F(np.inf))
    memory.season_noise += hold * weight * (np.minimum(np.abs(off), limit) - memory.season_noise)
    memory.recent_noise += (
        hold * _F(0.1) * (np.minimum(near, 10 * found.local_scale) - memory.recent_noise)
    )
    reach = np.where(settling, _F(np.inf), 2 * found.season_scale)
    rate = np.where(settling, np.maximum(pace.offset, _F(0.3)), pace.offset)
    memory.offset += np.where(found.known, rate * np.clip(off, -reach, reach), 0)
    _learn_drift(memory, found, pace, hold * weight)
    memory.offset *= _F(0.9995)
    _learn_size(memory, value, found.floor, (weight, old))
    memory.zeros += _F(0.003) * ((value == 0) - memory.zeros)


def _learn_drift(memory: Memory, found: Residuals, pace: Pace, weight: Floats) -> None:
    """Follow what the day leaves over half an hour, its noise, and the steady surprises."""
    settled = weight > 0
    old = settled & (memory.seen > YOUNG)
    drifted = found.off - memory.drift
    scale = _SIGMA * memory.drift_noise + found.floor
    reach = np.where(old, 3 * scale, _F(np.inf))
    memory.drift += np.where(settled, pace.level, _F(0.3)) * np.clip(drifted, -reach, reach)
    limit = np.where(old, 4 * scale, _F(np.inf))
    memory.drift_noise += weight * (np.minimum(np.abs(drifted), limit) - memory.drift_noise)
    memory.steadiest *= pace.remembers
    height = np.abs(found.steady)
    out = height > _CALM
    if out.any() or memory.steady_peak.any():
        ended = np.where(out, _F(0), memory.steady_peak)
        np.maximum(memory.steadiest, ended, out=memory.steadiest)
        memory.steady_peak[:] = np.where(out, np.maximum(memory.steady_peak, height), 0)


def _learn_size(
    memory: Memory, value: Floats, floor: Floats, pace: tuple[Floats, NDArray[np.bool_]]
) -> None:
    """Follow the long-run mean, its deviation and the range."""
    weight, old = pace
    away = value - memory.mean
    reach = 20 * np.maximum(memory.local_noise, memory.season_noise) + floor
    reach = np.where(old, reach, _F(np.inf))
    memory.mean += weight / 3 * np.clip(away, -reach, reach)
    away = np.abs(value - memory.mean)
    limit = np.where(old, 20 * memory.size + floor, _F(np.inf))
    memory.size += weight * (np.minimum(away, limit) - memory.size)
    closing = _F(2e-5) * (memory.high - memory.low)
    memory.high[:] = np.maximum(memory.high - closing, value)
    memory.low[:] = np.minimum(memory.low + closing, value)


def _compressed(z: Floats) -> Floats:
    """Return surprises with the logarithm taken over beyond eight."""
    size = np.abs(z)
    far = size > _LINEAR
    if far.any():
        z[far] = np.copysign(_LINEAR * (1 + np.log(size[far] / _LINEAR)), z[far])
    return z
