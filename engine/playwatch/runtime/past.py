"""The past of a group or a series: what the history has, and what was just read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.metrics import Merge
from playwatch.core.series import canonical_dimensions
from playwatch.runtime.history import rule_metric, trail_metric
from playwatch.runtime.trails import KINDS, MINUTE_MS, Trail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from playwatch.core.metrics import Metric
    from playwatch.runtime.readings import Readings
    from playwatch.runtime.standings import Group
    from playwatch.store.history import History

_GAP_MS: Final = 3 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Trace:
    """Values over time: milliseconds since the epoch, ascending; NaN breaks the line."""

    times: list[int]
    values: list[float]


class Past:
    """Looks back.

    Parameters
    ----------
    history
        None where none is kept: there is only what was just read.
    """

    def __init__(self, history: History | None, readings: Readings) -> None:
        self._history = history
        self._readings = readings

    async def of_group(self, rule: str, group: Group, from_at: int, until_at: int) -> Trace:
        """Return what a rule saw of a group: a value a minute, of late a value a second."""
        names = [canonical_dimensions(dict(group))]
        (kept,) = await self.of_series(rule_metric(rule), Merge.LATEST, names, from_at, until_at)
        times, values = self._readings.trace(rule, group)
        late = [(at, value) for at, value in zip(times, values, strict=True)]
        late = [(at, value) for at, value in late if from_at <= at <= until_at]
        begin = late[0][0] if late else until_at + 1
        early = [pair for pair in zip(kept.times, kept.values, strict=True) if pair[0] < begin]
        return _with_gaps([*early, *late])

    async def of_learned(
        self, rule: str, groups: Sequence[Group], from_at: int, until_at: int
    ) -> list[Trail]:
        """Return what a learned rule saw of some groups, and what it then took for normal.

        Notes
        -----
        Every interval of late, before that the last one of each minute; where
        neither is kept, nothing.
        """
        late = [self._readings.trails.of_group(rule, group) for group in groups]
        is_whole = all(trail.times and trail.times[0] <= from_at for trail in late)
        if self._history is not None and not is_whole:
            names = [canonical_dimensions(dict(group)) for group in groups]
            kept = await asyncio.to_thread(self._trails, rule, names, from_at, until_at)
            late = [early.then(trail) for early, trail in zip(kept, late, strict=True)]
        return [trail.since(from_at, until_at) for trail in late]

    async def of_series(
        self,
        metric: str,
        merge: Merge,
        names: Sequence[bytes],
        from_at: int,
        until_at: int,
    ) -> list[Trace]:
        """Return the values of some series, a value a minute, in their order."""
        if self._history is None:
            return [Trace([], []) for _ in names]
        return await asyncio.to_thread(self._read, metric, merge, names, from_at, until_at)

    async def of_merged(
        self,
        metric: Metric,
        sets: Sequence[Sequence[bytes]],
        from_at: int,
        until_at: int,
    ) -> list[Trace]:
        """Return sets of series, each merged into one as the metric merges."""
        if self._history is None:
            return [Trace([], []) for _ in sets]
        return await asyncio.to_thread(self._merged, metric, sets, from_at, until_at)

    def _read(
        self, metric: str, merge: Merge, names: Sequence[bytes], from_at: int, until_at: int
    ) -> list[Trace]:
        assert self._history is not None  # noqa: S101 - the callers have looked
        ids = self._history.find(metric, names)
        first, last = from_at // MINUTE_MS, until_at // MINUTE_MS
        rows = self._history.read(list(ids.values()), merge, first, last)
        found = []
        for name in names:
            mine = rows.take(rows.series == ids.get(name, -1))
            pairs = zip(_middle(mine.minute), mine.value.tolist(), strict=True)
            found.append(_with_gaps(list(pairs)))
        return found

    def _trails(
        self, rule: str, names: Sequence[bytes], from_at: int, until_at: int
    ) -> list[Trail]:
        assert self._history is not None  # noqa: S101 - the caller has looked
        ids = [self._history.find(trail_metric(kind, rule), names) for kind in KINDS]
        everything = [one for known in ids for one in known.values()]
        first, last = from_at // MINUTE_MS - 1, until_at // MINUTE_MS
        rows = self._history.read(everything, Merge.LATEST, first, last)
        found = []
        for name in names:
            parts = [rows.take(rows.series == known.get(name, -1)) for known in ids]
            minutes = np.unique(parts[0].minute)
            columns = np.full((len(KINDS), len(minutes)), np.nan)
            for column, part in zip(columns, parts, strict=True):
                is_here = np.isin(part.minute, minutes)
                column[np.searchsorted(minutes, part.minute[is_here])] = part.value[is_here]
            found.append(Trail(((minutes + 1) * MINUTE_MS).tolist(), *columns.tolist()))
        return found

    def _merged(
        self, metric: Metric, sets: Sequence[Sequence[bytes]], from_at: int, until_at: int
    ) -> list[Trace]:
        assert self._history is not None  # noqa: S101 - the callers have looked
        ids = self._history.find(metric.key, {name for names in sets for name in names})
        first, last = from_at // MINUTE_MS, until_at // MINUTE_MS
        rows = self._history.read(list(ids.values()), metric.merge, first, last)
        found = []
        for names in sets:
            wanted = [ids[name] for name in names if name in ids]
            mine = rows.take(np.isin(rows.series, wanted))
            minutes, place = np.unique(mine.minute, return_inverse=True)
            value, views = mine.value.astype(float), mine.views.astype(float)
            is_mean = metric.merge is Merge.MEAN
            totals = np.bincount(place, value * views if is_mean else value, len(minutes))
            weights = np.bincount(place, views, len(minutes)) if is_mean else np.ones(len(minutes))
            merged = (totals / np.maximum(weights, 1)).tolist()
            found.append(_with_gaps(list(zip(_middle(minutes), merged, strict=True))))
        return found


def _middle(minutes: NDArray[np.int64]) -> list[int]:
    """Return the middle of each minute, milliseconds."""
    middles: list[int] = (minutes * MINUTE_MS + MINUTE_MS // 2).tolist()
    return middles


def _with_gaps(pairs: list[tuple[int, float]]) -> Trace:
    """Return pairs as a trace, with a break where nothing is known for a while."""
    times: list[int] = []
    values: list[float] = []
    for at, value in pairs:
        if times and at - times[-1] > _GAP_MS:
            times.append(times[-1] + 1)
            values.append(float("nan"))
        times.append(at)
        values.append(value)
    return Trace(times, values)
