"""Incidents put into series where people saw none: labels that cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["inject"]

_LONGEST = 60
_MOST = 60
_APART = 60
_BESIDE = 20
_WARM_UP = 0.25


def inject(
    value: Floats, is_labelled: NDArray[np.bool_], step_s: int, generator: np.random.Generator
) -> tuple[Floats, NDArray[np.int8]]:
    """Return a copy with incidents, and where they are: 1 injected, -1 not to be used.

    Spikes, steps, ramps, shares lost or gained, and outages to zero; from one interval
    to an hour, four to forty noises high, about one in two days.

    Parameters
    ----------
    is_labelled
        Where people saw an incident: nothing is injected near it.
    """
    value, n = value.copy(), len(value)
    mark = np.where(is_labelled, -1, 0).astype(np.int8)
    start = int(_WARM_UP * n)
    is_positive = bool(value.min() >= 0)
    for _ in range(max(3, min(int((n - start) * step_s / 86_400 / 2), _MOST))):
        at = int(generator.integers(start, n - 2))
        length = min(max(1, int(np.exp(generator.uniform(0, np.log(_LONGEST))))), n - at - 1)
        kind = int(generator.integers(6))
        near = mark[max(0, at - _APART) : at + length + _APART] > 0
        beside = is_labelled[max(0, at - _BESIDE) : at + length + _BESIDE]
        if near.any() or beside.any():
            continue
        noise = _noise(value[max(0, at - 200) : at])
        size = np.exp(generator.uniform(np.log(4), np.log(40))) * noise
        size *= 1 if generator.random() < 0.6 else -1  # noqa: PLR2004 - more rise than fall
        if kind == 0:
            length = min(length, 3)
        part = slice(at, at + length)
        before = value[part].copy()
        value[part] = _bent(before, kind, size, generator)
        if is_positive:
            value[part] = np.maximum(value[part], 0)
        mark[part] = np.where(np.abs(value[part] - before) > 2 * noise, 1, -1)
    return value, mark


def _bent(before: Floats, kind: int, size: float, generator: np.random.Generator) -> Floats:
    """Return what an incident makes of some values."""
    n = len(before)
    if kind in {0, 1}:
        return before + size
    if kind == 2:  # noqa: PLR2004 - a ramp
        return before + size * np.arange(1, n + 1) / n
    if kind == 3:  # noqa: PLR2004 - a share is lost
        return before * generator.uniform(0.1, 0.7)
    if kind == 4:  # noqa: PLR2004 - a share is gained
        return before * generator.uniform(1.4, 4.0)
    return np.zeros(n)


def _noise(window: Floats) -> float:
    """Return the noise of what came before."""
    median = np.median(window)
    noise = 0.375 * np.median(np.abs(window - median)) + np.median(np.abs(np.diff(window)))
    return float(noise) if noise > 1e-8 else float(0.02 * abs(median) + 1e-6)  # noqa: PLR2004 - flat
