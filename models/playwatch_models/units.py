"""Tells a change of unit from an incident: seconds that become milliseconds.

A value that is off by almost exactly a factor people convert by, three intervals in a
row, is the same series in another unit. It is not judged meanwhile, and then everything
remembered is converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.memory import Memory
    from playwatch_models.profile import Profile

    Floats = NDArray[np.float32]

__all__ = ["CONFIRMED", "convert", "suspect_unit"]

CONFIRMED = 3
"""Intervals in a row that make a new unit."""

_FACTORS = np.log(np.array([60.0, 100.0, 1000.0, 1024.0, 3600.0, 1e6, 1024.0**2], np.float32))
_LEAST = np.log(np.float32(40.0))
_SLACK = np.float32(0.1)
_WIDEST = np.float32(0.25)
_TINY = 1e-12
_F = np.float32


def suspect_unit(
    memory: Memory, value: NDArray[np.float64], expected: NDArray[np.float64], width: Floats
) -> NDArray[np.bool_]:
    """Return which values look like another unit, and count how often in a row.

    Parameters
    ----------
    value, expected
        In the metric's unit, shape ``(n,)``.
    width
        Half the band that is normal, as a share of what was expected.
    """
    comparable = (np.abs(value) > _TINY) & (np.abs(expected) > _TINY)
    comparable &= (value > 0) == (expected > 0)
    ratio = np.zeros(len(value), np.float32)
    ratio[comparable] = np.log(value[comparable] / expected[comparable])
    suspect: NDArray[np.bool_] = np.abs(ratio) > _LEAST
    if not suspect.any():
        memory.unit_run[:] = 0
        return suspect
    at = np.flatnonzero(suspect)
    gap = np.abs(np.abs(ratio[at, None]) - _FACTORS)
    nearest = gap.argmin(axis=1)
    fits = gap[np.arange(len(at)), nearest] < np.clip(width[at], _SLACK, _WIDEST)
    suspect[at[~fits]] = False
    factor = np.copysign(_FACTORS[nearest], ratio[at])
    same = np.abs(memory.unit[at] - factor) < _SLACK
    memory.unit_run[~suspect] = 0
    memory.unit_run[at[fits]] = np.where(same, memory.unit_run[at] + 1, _F(1))[fits]
    memory.unit[at[fits]] = factor[fits]
    return suspect


def convert(
    memory: Memory, profile: Profile, rows: NDArray[np.int32], *, is_log: bool
) -> NDArray[np.intp]:
    """Convert what is remembered of groups whose new unit is confirmed.

    Parameters
    ----------
    profile
        Their profile, converted with them.
    rows
        Rows of the memory's columns in the profile, shape ``(n,)``.
    is_log
        Whether the memory holds logarithms, which a factor shifts.

    Returns
    -------
    numpy.ndarray
        The columns that were converted.
    """
    at = np.flatnonzero(memory.unit_run >= CONFIRMED)
    if len(at):
        size = memory.unit[at]
        factor = np.ones(len(at), np.float32) if is_log else np.exp(size)
        shift = size if is_log else np.zeros(len(at), np.float32)
        for levels in (memory.level, memory.mean, memory.high, memory.low):
            levels[at] = levels[at] * factor + shift
        for spans in (
            memory.offset,
            memory.size,
            memory.local_noise,
            memory.season_noise,
            memory.recent_noise,
            memory.drift,
            memory.drift_noise,
        ):
            spans[at] *= factor
        for trace in (memory.quick, memory.slow, memory.before, memory.lasting, memory.recent):
            trace[at] = 0
        memory.bin_count[at] = 0
        memory.bin_sum[at] = 0
        memory.unit_run[at] = 0
        profile.rescale(rows[at], factor, shift)
    return at
