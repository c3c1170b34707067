"""What a group does at this time of the day: the seasonal expectation.

A day is cut into bins of ten minutes, or an hour for slow series. Each keeps a level,
updated once when the bin closes, by the mean of what was seen in it; the update is
clipped, so that an incident teaches little. Between bin centres the level is
interpolated. Each hour keeps how far its days differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.table import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["Profile"]

_DAY_S = 86_400
_HOURS = 24
_FINE_STEP_S = 600.0
_MOST = 250
_CLIP = np.float32(4.0)
_SLOWEST = np.float32(0.15)
"""A bin forgets with this weight: about a week of days."""


class Profile:
    """Time-of-day levels of many groups.

    Parameters
    ----------
    step_s
        Length of an interval in seconds; slow series get wider bins.
    """

    def __init__(self, step_s: float) -> None:
        self.bins = _DAY_S // 600 if step_s <= _FINE_STEP_S else _HOURS
        self._width_s = _DAY_S // self.bins
        self._level = np.zeros((self.bins, 0), np.float32)
        self._deviation = np.zeros((_HOURS, 0), np.float32)
        self._count = np.zeros((self.bins, 0), np.uint8)
        self.size = 0

    def resize(self, size: int) -> None:
        """Keep bins for so many groups."""
        for name in ("_level", "_deviation", "_count"):
            old = getattr(self, name)
            if size > old.shape[1]:
                grown = np.zeros((len(old), max(size, self.size * 3 // 2)), old.dtype)
                grown[:, : self.size] = old[:, : self.size]
                setattr(self, name, grown)
        self.size = size

    def expect(
        self, rows: NDArray[np.int32], time_s: NDArray[np.int64]
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return the level and deviation at a time, and whether it was seen before.

        Parameters
        ----------
        rows
            Groups, shape ``(n,)``.
        time_s
            For each its time in seconds since the epoch.
        """
        is_one = len(time_s) > 0 and bool((time_s == time_s[0]).all())
        time = time_s[:1] if is_one else time_s
        phase = (time % _DAY_S) / self._width_s - 0.5
        before = np.floor(phase)
        share = (phase - before).astype(np.float32)
        left = before.astype(np.intp) % self.bins
        right = (left + 1) % self.bins
        hour = self._hour_of(time)
        if is_one:
            # One time for all is the rule, and then whole rows are read.
            where = rows_of(rows)
            low, high = self._level[left[0], where], self._level[right[0], where]
            known = (self._count[left[0], where] > 0) & (self._count[right[0], where] > 0)
            return low + share * (high - low), self._deviation[hour[0], where].copy(), known
        known = (self._count[left, rows] > 0) & (self._count[right, rows] > 0)
        low, high = self._level[left, rows], self._level[right, rows]
        return low + share * (high - low), self._deviation[hour, rows], known

    def is_seasoned(self, rows: NDArray[np.int32], time_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the time of the day was seen at least twice."""
        seasoned: NDArray[np.bool_] = self._count[self.bin_of(time_s), rows] > 1
        return seasoned

    def rescale(self, rows: NDArray[np.int32], factor: Floats, shift: Floats) -> None:
        """Give some groups another unit.

        Parameters
        ----------
        factor, shift
            For each group what levels are multiplied by, then raised by, shape ``(n,)``.
        """
        self._level[:, rows] = self._level[:, rows] * factor + shift
        self._deviation[:, rows] *= factor

    def bin_of(self, time_s: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the bin that a time falls into."""
        return (time_s % _DAY_S) // self._width_s

    def learn(
        self, rows: NDArray[np.int32], where: NDArray[np.intp], mean: Floats, scale: Floats
    ) -> None:
        """Teach closed bins what was seen in them.

        Parameters
        ----------
        rows, where
            Groups and their bins, shape ``(n,)``.
        mean
            Mean of the values seen in the bin.
        scale
            A typical deviation of the group, which bounds what one day teaches.
        """
        hour = where * _HOURS // self.bins
        count, level = self._count[where, rows], self._level[where, rows]
        deviation = self._deviation[hour, rows]
        limit = _CLIP * (deviation + np.float32(0.5) * scale)
        change = np.clip(mean - level, -limit, limit)
        pace = np.maximum(_SLOWEST, np.float32(1.0) / (count + np.float32(1.0)))
        fresh = count == 0
        self._level[where, rows] = np.where(fresh, mean, level + pace * change)
        pace *= np.float32(_HOURS / self.bins)
        self._deviation[hour, rows] = np.where(
            fresh, deviation, deviation + pace * (np.abs(change) - deviation)
        )
        self._count[where, rows] = np.minimum(count, _MOST) + 1

    def forget(self, rows: NDArray[np.int32]) -> None:
        """Make some groups as new."""
        self._count[:, rows] = 0
        self._deviation[:, rows] = 0

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the bins as named arrays, bins by groups."""
        return {
            f"profile_{name}": getattr(self, f"_{name}")[:, : self.size].copy()
            for name in ("level", "deviation", "count")
        }

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take back what `columns` gave out.

        Raises
        ------
        ValueError
            If the bins are not those of this profile, or not finite.
        """
        shapes = {"level": self.bins, "deviation": _HOURS, "count": self.bins}
        arrays = {name: columns.get(f"profile_{name}") for name in shapes}
        sizes = {None if found is None else found.shape[-1] for found in arrays.values()}
        for name, found in arrays.items():
            mine = getattr(self, f"_{name}")
            if found is None or len(sizes) > 1 or found.shape[:-1] != (shapes[name],):
                msg = f"the snapshot of the model has no fitting column 'profile_{name}'"
                raise ValueError(msg)
            if found.dtype != mine.dtype or not np.isfinite(found.astype(np.float32)).all():
                msg = f"the snapshot of the model has a damaged column 'profile_{name}'"
                raise ValueError(msg)
            setattr(self, f"_{name}", found.copy())
        self.size = self._level.shape[1]

    @staticmethod
    def _hour_of(time_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the hour of the day."""
        return time_s % _DAY_S // (_DAY_S // _HOURS)
