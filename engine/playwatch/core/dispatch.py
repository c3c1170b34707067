"""Dispatch: which rules want which series, found once per series.

Series that the same rules want are of one kind. A batch is sorted by kind, so a
rule is asked only about samples that are its own, and a rule that none of them
concerns costs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from playwatch.core.groups import NO_GROUP
from playwatch.core.places import Places
from playwatch.core.samples import FEW, SampleBatch
from playwatch.core.series import grown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from playwatch.core.groups import GroupTable
    from playwatch.core.series import SeriesTable

_UNKNOWN: Final = -1


class Part(NamedTuple):
    """The samples of a batch that one rule watches, with the group of each."""

    group: NDArray[np.int32]
    batch: SampleBatch


class Few(NamedTuple):
    """The same as lists, where they are few."""

    group: list[int]
    series: list[int]
    at: list[int]
    value: list[float]
    views: list[int]

    def part(self) -> Part:
        """Return them as columns."""
        batch = SampleBatch.of(self.series, self.at, self.value, self.views)
        return Part(np.array(self.group, np.int32), batch)


class Dispatch:
    """Shares samples out among the rules that want them.

    Parameters
    ----------
    series
        The table that batches refer to.
    groups
        The groups of each rule, by the rule's number.
    few
        Up to so many samples of a rule are shared as lists.

    Notes
    -----
    8 bytes a series, and 4 for each rule that wants it. A series is held
    against the rules of its metric once; of those that ask for a dimension by
    name, only against the ones that name its value.
    """

    def __init__(self, series: SeriesTable, groups: Sequence[GroupTable], few: int = FEW) -> None:
        self._series = series
        self._groups = groups
        self._few = few
        self._candidates: dict[int, _Candidates] = defaultdict(_Candidates)
        for number, table in enumerate(groups):
            self._candidates[table.metric].add(number, table)
        self._kind: NDArray[np.int32] = np.zeros(0, np.int32)
        self._start: NDArray[np.int32] = np.zeros(0, np.int32)
        self._group: NDArray[np.int32] = np.zeros(0, np.int32)
        self._used = 0
        self._left: dict[int, list[int]] = defaultdict(list)
        self._wanted_by: list[tuple[int, ...]] = []
        self._kinds: dict[tuple[int, ...], int] = {}

    def share(self, batch: SampleBatch) -> Iterable[tuple[int, Part | Few]]:
        """Return the number of each rule that wants samples of a batch, with them."""
        if len(batch) <= self._few:
            return sorted(self._share_few(batch).items())
        return sorted(self._share_many(batch).items())

    def columns(self, batch: SampleBatch) -> dict[int, Part]:
        """Return the same as `share`, always as columns."""
        return {
            number: part.part() if isinstance(part, Few) else part
            for number, part in self.share(batch)
        }

    def forget(self, rows: NDArray[np.intp]) -> None:
        """Forget who wanted series whose rows others may take."""
        rows = rows[rows < len(self._kind)]
        known = rows[self._kind[rows] != _UNKNOWN]
        starts = zip(self._kind[known].tolist(), self._start[known].tolist(), strict=True)
        for kind, start in starts:
            if wanted_by := self._wanted_by[kind]:
                self._left[len(wanted_by)].append(start)
        self._kind[known] = _UNKNOWN

    def in_use(self, number: int) -> NDArray[np.bool_]:
        """Return which groups of a rule some series goes to; O(series) for each kind."""
        used = np.zeros(len(self._groups[number]), np.bool_)
        for kind, wanted_by in enumerate(self._wanted_by):
            if number in wanted_by:
                starts = self._start[self._kind == kind]
                used[self._group[starts + wanted_by.index(number)]] = True
        return used

    def _share_few(self, batch: SampleBatch) -> dict[int, Few]:
        rows = batch.series.tolist()
        self._know(batch.series)
        shares: dict[int, Few] = {}
        kinds, starts = self._kind[batch.series].tolist(), self._start[batch.series].tolist()
        samples = zip(
            rows, batch.at.tolist(), batch.value.tolist(), batch.views.tolist(), strict=True
        )
        for kind, start, (row, at, value, views) in zip(kinds, starts, samples, strict=True):
            for offset, number in enumerate(self._wanted_by[kind], start):
                few = shares.get(number)
                if few is None:
                    few = shares[number] = Few([], [], [], [], [])
                few.group.append(int(self._group[offset]))
                few.series.append(row)
                few.at.append(at)
                few.value.append(value)
                few.views.append(views)
        return shares

    def _share_many(self, batch: SampleBatch) -> dict[int, Part | Few]:
        self._know(batch.series)
        places = Places(batch.series)
        kinds = places.of(self._kind)
        edges = [0, len(batch)]
        if (kinds != kinds[0]).any():
            order = np.argsort(kinds, kind="stable")
            batch, kinds = batch.take(order), kinds[order]
            inner = np.flatnonzero(kinds[1:] != kinds[:-1]) + 1
            edges = [0, *inner.tolist(), len(batch)]
            places = Places(batch.series)
        starts = places.of(self._start)
        pieces: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for low, high in pairwise(edges):
            for place, number in enumerate(self._wanted_by[kinds[low]]):
                pieces[number].append((low, high, place))
        lists = _Lists(batch)
        shares: dict[int, Part | Few] = {}
        for number, mine in pieces.items():
            (low, high, place), *others = mine
            group = Places(starts[low:high] + place).of(self._group)
            if not others and high - low <= self._few:
                shares[number] = lists.few(group, low, high)
            elif not others:
                shares[number] = Part(group, batch.slice(low, high))
            else:
                index = np.concatenate([np.arange(low, high) for low, high, _ in mine])
                groups = [self._group.take(starts[low:high] + place) for low, high, place in mine]
                shares[number] = Part(np.concatenate(groups), batch.take(index))
        return shares

    def _know(self, rows: NDArray[np.int32]) -> None:
        """Find out who wants the series that were never seen before."""
        if len(self._kind) < len(self._series):
            capacity = max(len(self._series), 5 * len(self._kind) // 4)
            self._kind = grown(self._kind, capacity, _UNKNOWN)
            self._start = grown(self._start, capacity, 0)
        unknown = Places(rows).of(self._kind) == _UNKNOWN
        if unknown.any():
            for row in np.unique(rows[unknown]).tolist():
                self._learn(row)

    def _learn(self, row: int) -> None:
        dimensions = dict(self._series.dimensions(row))
        candidates = self._candidates.get(int(self._series.metric[row]))
        numbers, groups = [], []
        for number in candidates.of(dimensions) if candidates else ():
            group = self._groups[number].match(dimensions)
            if group != NO_GROUP:
                numbers.append(number)
                groups.append(group)
        kind = self._kinds.setdefault(tuple(numbers), len(self._wanted_by))
        if kind == len(self._wanted_by):
            self._wanted_by.append(tuple(numbers))
        left = self._left[len(groups)]
        start = left.pop() if left else self._used
        end = start + len(groups)
        if end > len(self._group):
            self._group = grown(self._group, max(end, 5 * len(self._group) // 4, 256), NO_GROUP)
        self._group[start:end] = groups
        self._kind[row], self._start[row] = kind, start
        self._used = max(self._used, end)


class _Lists:
    """Columns of a batch as lists, made when the first piece is asked for."""

    def __init__(self, batch: SampleBatch) -> None:
        self._batch = batch
        self._lists: tuple[list[int], list[int], list[float], list[int]] | None = None

    def few(self, group: NDArray[np.int32], low: int, high: int) -> Few:
        if self._lists is None:
            one = self._batch
            self._lists = (
                one.series.tolist(),
                one.at.tolist(),
                one.value.tolist(),
                one.views.tolist(),
            )
        series, at, value, views = self._lists
        return Few(group.tolist(), series[low:high], at[low:high], value[low:high], views[low:high])


class _Candidates:
    """The rules of one metric, by a value that they ask for."""

    def __init__(self) -> None:
        self._any: list[int] = []
        self._by_value: dict[str, dict[str, list[int]]] = {}

    def add(self, number: int, table: GroupTable) -> None:
        """Add a rule; one that asks for plain values of a dimension is found by those."""
        named = table.named_values
        if named is None:
            self._any.append(number)
            return
        dimension, values = named
        by_value = self._by_value.setdefault(dimension, {})
        for value in dict.fromkeys(values):
            by_value.setdefault(value, []).append(number)

    def of(self, dimensions: dict[str, str]) -> list[int]:
        """Return the rules that may want a series, in the order of their numbers."""
        found = list(self._any)
        for dimension, by_value in self._by_value.items():
            found += by_value.get(dimensions.get(dimension, ""), ())
        return sorted(found)
