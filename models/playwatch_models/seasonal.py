"""Judges values without a denominator: two expectations have to be missed at once.

One expectation is the time of the day (`profile`), the other the last half hour. Each
alone pages in vain: the first on holidays, the second on every morning's rise. What
counts is the smaller of the two surprises, each measured against what this very group
did before (`tails`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.classes import Direction, MetricClass
from playwatch_models.detector import Evidence, Findings
from playwatch_models.profile import Profile
from playwatch_models.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from playwatch_models.classes import Watch
    from playwatch_models.detector import Intervals

    Floats = NDArray[np.float32]

__all__ = ["SeasonalDetector"]

_STARTS = {
    "seen": 0.0,
    "level": 0.0,
    "offset": 0.0,
    "mean": 0.0,
    "local_scale": 0.0,
    "season_scale": 0.0,
    "season_tail": 2.5,
    "season_excess": 0.6,
    "local_tail": 2.5,
    "local_excess": 0.6,
    "bin": -1.0,
    "bin_count": 0.0,
    "bin_sum": 0.0,
    "frozen_s": 0.0,
}
_LONGEST_FREEZE_S = 6 * 3600.0
_HOUR_S = 3600.0
_Z_LIMIT = np.float32(30.0)
_ODD = np.float32(2.0)
"""Deviations beyond so many scales belong to one story."""


@dataclass(slots=True, eq=False)
class _State:
    """The quantities of `_STARTS`, in that order, as rows of one block."""

    seen: Floats
    level: Floats
    offset: Floats
    mean: Floats
    local_scale: Floats
    season_scale: Floats
    season_tail: Floats
    season_excess: Floats
    local_tail: Floats
    local_excess: Floats
    bin: Floats
    bin_count: Floats
    bin_sum: Floats
    frozen_s: Floats


class SeasonalDetector:
    """Learns the day and the last half hour of many groups.

    Parameters
    ----------
    watch
        What is watched: the class of metric, the step, the worse direction.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._profile = Profile(watch.step_s)
        self._table = Table(_STARTS)
        self._at = np.empty(0, np.int64)
        self._since = np.empty(0, np.int64)
        per_hour = max(1.0, _HOUR_S / watch.step_s)
        self._level_pace = np.float32(min(0.5, 2.0 / per_hour))
        self._offset_pace = np.float32(min(0.5, 0.5 / per_hour))
        self._scale_memory = np.float32(max(8.0 * per_hour, 50.0))
        self._warm = np.float32(min(100.0, 30.0 + per_hour))

    def resize(self, groups: int, parents: NDArray[np.int32]) -> None:
        """Keep state for so many groups; see `Detector.resize`."""
        del parents
        new = groups - self._table.size
        self._profile.resize(groups)
        self._table.resize(groups)
        self._at = np.concatenate((self._at, np.zeros(new, np.int64)))
        self._since = np.concatenate((self._since, np.zeros(new, np.int64)))

    def step(self, intervals: Intervals, frozen: NDArray[np.bool_]) -> Findings:
        """Judge a closed interval, then learn from it; see `Detector.step`."""
        return self._pass(intervals, frozen)

    def peek(self, intervals: Intervals) -> Findings:
        """Judge an interval that is still open; nothing is kept."""
        return self._pass(intervals, None)

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some rows as new."""
        self._table.forget(group)
        self._profile.forget(group)
        self._at[group] = 0
        self._since[group] = 0

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the whole state as named arrays."""
        return {
            **self._table.columns(),
            **self._profile.columns(),
            "at": self._at.copy(),
            "since_at": self._since.copy(),
        }

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a state back; see `Detector.restore`."""
        self._profile.restore(columns)
        self._table.restore({name: columns[name] for name in _STARTS if name in columns})
        for name in ("at", "since_at"):
            if name not in columns or columns[name].shape != (self._table.size,):
                msg = f"the snapshot of the model has no fitting column {name!r}"
                raise ValueError(msg)
        self._at = columns["at"].astype(np.int64)
        self._since = columns["since_at"].astype(np.int64)

    def _pass(self, intervals: Intervals, frozen: NDArray[np.bool_] | None) -> Findings:
        """Judge, and learn unless ``frozen`` is None."""
        good = np.isfinite(intervals.value)
        rows = intervals.group[good]
        time_s = intervals.at[good] // 1000 - int(self._watch.step_s)
        value = self._scaled(intervals.value[good])
        state = _State(*self._table.read(rows))
        profile, deviation, known = self._profile.expect(rows, time_s)
        first = state.seen == 0
        state.level[first] = value[first]
        state.mean[first] = value[first]
        expected = np.where(known, profile + state.offset, state.level)
        floor = np.float32(1e-9) + np.float32(0.004) * np.abs(state.mean)
        season_scale = np.float32(0.6) * (
            state.season_scale + np.maximum(deviation, np.float32(0.3) * state.season_scale)
        )
        season: Floats = ((value - expected) / (season_scale + floor)).astype(np.float32)
        local_scale = np.float32(1.25) * state.local_scale + floor
        local: Floats = ((value - state.level) / local_scale).astype(np.float32)
        agreed = np.where(
            season * local > 0, np.where(np.abs(season) < np.abs(local), season, local), 0
        ).astype(np.float32)
        rarity = np.minimum(
            _rarity(season, state.season_tail, state.season_excess),
            _rarity(local, state.local_tail, state.local_excess),
        )
        judged = state.seen > self._warm
        score = np.where(judged & self._is_worse(agreed), rarity, 0.0)
        found = _blank(intervals)
        found.score[good] = score
        found.expected[good] = self._unscaled(expected)
        width = np.float32(3.0) * (season_scale + floor)
        found.low[good] = self._unscaled(expected - width)
        found.high[good] = self._unscaled(expected + width)
        found.is_upward[good] = value > expected
        begun = np.where(
            (np.abs(agreed) > _ODD) & (self._since[rows] > 0), self._since[rows], intervals.at[good]
        )
        found.since_at[good] = begun
        found.evidence[good] = np.where(
            judged, np.where(score > 0, Evidence.SEASONAL, Evidence.NONE), Evidence.LEARNING
        )
        if frozen is not None:
            self._since[rows] = np.where(np.abs(agreed) > _ODD, begun, 0)
            self._at[rows] = intervals.at[good]
            self._learn(rows, time_s, value, state, (season, local, season_scale + floor), known)
        return found

    def _learn(
        self,
        rows: NDArray[np.int32],
        time_s: NDArray[np.int64],
        value: Floats,
        state: _State,
        surprise: tuple[Floats, Floats, Floats],
        known: NDArray[np.bool_],
    ) -> None:
        """Update what is known by a value whose surprise is bounded."""
        season, local, season_scale = surprise
        young = state.seen <= self._warm
        where = self._profile.bin_of(time_s)
        closed = (state.bin != where) & (state.bin_count > 0)
        if closed.any():
            self._profile.learn(
                rows[closed],
                state.bin[closed].astype(np.intp),
                state.bin_sum[closed] / state.bin_count[closed],
                state.season_scale[closed],
            )
        anew = state.bin != where
        state.bin_sum[anew] = 0
        state.bin_count[anew] = 0
        state.bin[:] = where
        state.bin_sum += value
        state.bin_count += 1
        floor = np.float32(1e-9) + np.float32(0.004) * np.abs(state.mean)
        scale = np.float32(1.25) * state.local_scale + floor
        missed, off = local * scale, season * season_scale
        bound = np.where(young, np.float32(np.inf), np.float32(3.0) * scale)
        state.level += self._level_pace * np.clip(missed, -bound, bound)
        pace = 1 / np.minimum(state.seen + 1, self._scale_memory)
        cap = np.where(young, np.float32(np.inf), np.float32(4.0))
        state.local_scale += pace * (np.minimum(np.abs(missed), cap * scale) - state.local_scale)
        state.season_scale += pace * (
            np.minimum(np.abs(off), cap * season_scale) - state.season_scale
        )
        state.offset += np.where(
            known, self._offset_pace * np.clip(off, -2 * season_scale, 2 * season_scale), 0
        )
        state.mean += pace / 3 * (value - state.mean)
        _follow_tail(np.abs(season), state.season_tail, state.season_excess)
        _follow_tail(np.abs(local), state.local_tail, state.local_excess)
        state.seen += 1
        self._table.write(rows, np.stack([getattr(state, name) for name in _STARTS]))

    def _is_worse(self, agreed: Floats) -> NDArray[np.bool_]:
        """Return which deviations go the worse way."""
        if self._watch.worse is Direction.EITHER:
            return np.not_equal(agreed, 0)
        if self._watch.worse is Direction.UP:
            return np.greater(agreed, 0)
        return np.less(agreed, 0)

    def _scaled(self, value: NDArray[np.float64]) -> Floats:
        """Return values on the scale on which their noise is even."""
        if self._watch.metric_class is MetricClass.GAUGE:
            return value.astype(np.float32)
        return np.log1p(np.maximum(value, 0.0)).astype(np.float32)

    def _unscaled(self, value: Floats) -> NDArray[np.float64]:
        """Return values in the metric's own unit."""
        if self._watch.metric_class is MetricClass.GAUGE:
            return value.astype(np.float64)
        return np.expm1(value.astype(np.float64))


def _rarity(z: Floats, tail: Floats, excess: Floats) -> Floats:
    """Return ``-log10`` of how often this group is that far off: an exponential tail."""
    beyond = np.minimum(np.abs(z), _Z_LIMIT) - tail
    rarity: Floats = np.where(beyond > 0, 1.7 + 0.434 * beyond / excess, 0.0).astype(np.float32)
    return rarity


def _follow_tail(z: Floats, tail: Floats, excess: Floats) -> None:
    """Follow the level that 2 % exceed, and by how much they do."""
    over = z > tail
    excess += np.where(over, 0.02 * (np.minimum(z - tail, 4 * excess) - excess), 0)
    np.clip(excess, 0.1, None, out=excess)
    tail *= np.where(over, np.float32(1.0098), np.float32(0.9998))
    np.clip(tail, 1.5, 15.0, out=tail)


def _blank(intervals: Intervals) -> Findings:
    """Return findings that say nothing yet."""
    n = len(intervals.group)
    return Findings(
        group=intervals.group,
        at=intervals.at,
        score=np.zeros(n),
        expected=np.full(n, np.nan),
        low=np.full(n, np.nan),
        high=np.full(n, np.nan),
        is_upward=np.zeros(n, np.bool_),
        since_at=intervals.at.copy(),
        evidence=np.full(n, Evidence.LEARNING, np.int8),
    )
