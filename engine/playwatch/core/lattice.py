"""The lattice: the groups at which one learned rule looks for a deviation.

A threshold rule has one group per series. A learned one looks at several
groupings at once, everything together, each country, each CDN, so a series
belongs to one group of each. Together they form a lattice: a narrow group lies
inside the wider ones, and borrows from the nearest of them what is normal until
it has been seen for long enough.

A series that lacks a dimension of a grouping has no group there: "no CDN" is
rarely a place where something can break.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from playwatch.core.dimension_codes import DimensionCodes
from playwatch.core.groups import NO_GROUP
from playwatch.core.series import grown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from playwatch.core.rules import Matcher
    from playwatch.core.series import SeriesTable

GROUPS_LIMIT: Final = 250_000
"""Groups that one rule can have; the series of others are watched in wider ones."""
DIMENSIONS_LIMIT: Final = 16
"""Dimensions that are found by themselves where nobody names groupings."""

_UNKNOWN: Final = -2
Breakdowns = tuple[tuple[str, str], ...]
FREE: Final[Breakdowns] = (("", ""),)
"""What stands in the row of a group that was given up, until a new one takes it."""


class Given(NamedTuple):
    """Rows that were given up: of groups, and of series."""

    groups: NDArray[np.int32]
    leaves: NDArray[np.intp]


class Lattice:
    """Maps the series of one learned rule to a group row for each grouping.

    Parameters
    ----------
    metric
        Dense id of the rule's metric.
    where
        Matchers that a series must all pass.
    groupings
        Sets of dimensions; None for the empty one, and each single dimension
        as it is first seen.
    limit
        How many groups there can be.

    Attributes
    ----------
    groupings
        The sets of dimensions, wide before narrow; found ones last.
    leaves
        The series row of each leaf: a series that the rule watches; -1 where free.
    codes
        The dimensions of each leaf.
    parents
        For each group the narrowest one that it lies in, -1 for none.
    left_out
        How often a new group found no room, by its dimensions.
    moved_in
        How often a new group took the row of one that was given up.

    Notes
    -----
    A series is matched once, when it is first seen; after that its groups are
    one look-up each.
    """

    def __init__(
        self,
        metric: int,
        where: tuple[Matcher, ...],
        groupings: Iterable[tuple[str, ...]] | None,
        limit: int = GROUPS_LIMIT,
    ) -> None:
        self._metric = metric
        self._where = where
        self._finds = groupings is None
        # Wide before narrow, so that whom a group borrows from is there first.
        self.groupings = sorted(groupings if groupings is not None else [()], key=len)
        self._limit = limit
        self._groups: list[Breakdowns] = []
        self._rows: dict[Breakdowns, int] = {}
        self._leaf_of: NDArray[np.int32] = np.zeros(0, np.int32)
        self._groups_of: NDArray[np.int32] = np.zeros((0, len(self.groupings)), np.int32)
        self.leaves: list[int] = []
        self.codes = DimensionCodes()
        self.parents: NDArray[np.int32] = np.zeros(0, np.int32)
        self.left_out: dict[tuple[str, ...], int] = {}
        self.moved_in = 0
        self._free: list[int] = []
        self._free_leaves: list[int] = []

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._groups)

    @property
    def live(self) -> NDArray[np.int32]:
        """The rows that hold a group, in rising order."""
        is_live = np.ones(len(self._groups), np.bool_)
        is_live[self._free] = False
        return np.flatnonzero(is_live).astype(np.int32)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """The values of every group, in the order of the rows."""
        return [tuple(value for _, value in group) for group in self._groups]

    def breakdowns(self, row: int) -> Breakdowns:
        """Return a group as pairs of dimension and value."""
        return self._groups[row]

    def find(self, breakdowns: Breakdowns) -> int:
        """Return the row of a group, `NO_GROUP` when there is none."""
        return self._rows.get(breakdowns, NO_GROUP)

    def intern(self, breakdowns: Breakdowns) -> int:
        """Return the row of a group, making one for a new group; `NO_GROUP` beyond the limit."""
        row = self._rows.get(breakdowns)
        if row is not None:
            return row
        if self._free:
            row = self._free.pop()
            self.moved_in += 1
            self._settle(row, breakdowns)
            return row
        if len(self._groups) >= self._limit:
            names = tuple(name for name, _ in breakdowns)
            self.left_out[names] = self.left_out.get(names, 0) + 1
            return NO_GROUP
        return self._append(breakdowns)

    def place(self, breakdowns: Breakdowns) -> None:
        """Put a group of a snapshot into the next row; `FREE` leaves the row free."""
        row = self._append(breakdowns)
        if breakdowns == FREE:
            del self._rows[FREE]
            self._free.append(row)

    def give_up(self, silent: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Given:
        """Give up series, and the groups that have none left.

        Parameters
        ----------
        silent
            Which leaves to give up, shape ``(leaves,)``.
        kept
            Which groups stay whatever their series, shape ``(groups,)``.

        Returns
        -------
        Given
            The rows that new groups and series may take from now on.
        """
        count = len(self.leaves)
        held = np.array(self.leaves) >= 0
        used = self._groups_of[:count][held & ~silent]
        stays = kept.copy()
        stays[used[used != NO_GROUP]] = True
        above = self.parents[: len(stays)][stays]
        while not stays[above := above[above != NO_GROUP]].all():
            stays[above] = True
            above = self.parents[: len(stays)][stays]
        groups = self.live[~stays[self.live]]
        for row in groups.tolist():
            del self._rows[self._groups[row]]
            self._groups[row] = FREE
            self.parents[row] = NO_GROUP
        leaves = np.flatnonzero(held & silent)
        for leaf in leaves.tolist():
            self._leaf_of[self.leaves[leaf]] = _UNKNOWN
            self.leaves[leaf] = -1
        self._groups_of[leaves] = NO_GROUP
        self.codes.clear(leaves)
        self._free += groups.tolist()
        self._free_leaves += leaves.tolist()
        return Given(groups, leaves)

    def _append(self, breakdowns: Breakdowns) -> int:
        row = len(self._groups)
        if row >= len(self.parents):
            self.parents = grown(self.parents, max(64, 2 * row), NO_GROUP)
        self._groups.append(breakdowns)
        self._settle(row, breakdowns)
        return row

    def _settle(self, row: int, breakdowns: Breakdowns) -> None:
        self.parents[row] = self._parent(breakdowns)
        self._groups[row] = breakdowns
        self._rows[breakdowns] = row

    def expect(self, groupings: Iterable[tuple[str, ...]]) -> None:
        """Look at groupings that were found before, where they are found by themselves."""
        if self._finds:
            self._widen([names for names in groupings if names not in self.groupings])

    def leaves_of(self, series: SeriesTable, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the leaf of each series row, `NO_GROUP` where the rule skips it.

        Notes
        -----
        O(n), plus one match per series that was never seen before.
        """
        if len(self._leaf_of) < len(series):
            capacity = max(len(series), 2 * len(self._leaf_of))
            self._leaf_of = grown(self._leaf_of, capacity, _UNKNOWN)
        leaves = self._leaf_of[rows]
        unknown = leaves == _UNKNOWN
        if unknown.any():
            for row in np.unique(rows[unknown]).tolist():
                self._leaf_of[row] = self._match(series, row)
            leaves = self._leaf_of[rows]
        return leaves

    def holds(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which series rows are leaves."""
        is_here = rows < len(self._leaf_of)
        is_here[is_here] = self._leaf_of[rows[is_here]] >= 0
        return is_here

    def forget(self, rows: NDArray[np.intp]) -> None:
        """Forget which series stood in rows that are no leaves, for others take them."""
        self._leaf_of[rows[rows < len(self._leaf_of)]] = _UNKNOWN

    def groups_of(self, leaves: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the groups of some leaves, shape ``(n, groupings)``; `NO_GROUP` for none."""
        return self._groups_of[leaves]

    def members(self, row: int) -> NDArray[np.bool_]:
        """Return which leaves lie in a group."""
        inside: NDArray[np.bool_] = (self._groups_of[: len(self.leaves)] == row).any(axis=1)
        return inside

    def widths(self, rows: NDArray[np.int32]) -> NDArray[np.int8]:
        """Return how many dimensions each group has; fewer is wider."""
        return np.array([len(self._groups[row]) for row in rows.tolist()], np.int8)

    def _match(self, series: SeriesTable, row: int) -> int:
        dimensions = dict(series.dimensions(row))
        if series.metric[row] != self._metric or not all(
            matcher.matches(dimensions) for matcher in self._where
        ):
            return NO_GROUP
        if self._finds:
            self._discover(dimensions)
        leaf = self._free_leaves.pop() if self._free_leaves else len(self.leaves)
        if leaf >= len(self._groups_of):
            self._groups_of = grown(self._groups_of, max(64, 2 * leaf), NO_GROUP)
        for number, names in enumerate(self.groupings):
            if all(dimensions.get(name) for name in names):
                group = self.intern(tuple((name, dimensions[name]) for name in names))
                self._groups_of[leaf, number] = group
        self.leaves[leaf : leaf + 1] = [row]
        self.codes.put(leaf, dimensions)
        return leaf

    def _discover(self, dimensions: Mapping[str, str]) -> None:
        """Add a grouping for each dimension that was never seen before."""
        known = {names[0] for names in self.groupings if names}
        fresh = [(name,) for name in dimensions if name not in known]
        self._widen(fresh[: max(0, DIMENSIONS_LIMIT - len(known))])

    def _widen(self, groupings: Sequence[tuple[str, ...]]) -> None:
        if groupings:
            self.groupings += groupings
            wider = np.full((len(self._groups_of), len(self.groupings)), NO_GROUP, np.int32)
            wider[:, : self._groups_of.shape[1]] = self._groups_of
            self._groups_of = wider

    def _parent(self, breakdowns: Breakdowns) -> int:
        """Return the narrowest group that a new one lies inside of."""
        pairs = set(breakdowns)
        for names in reversed(self.groupings):
            if len(names) < len(breakdowns):
                inside = tuple((name, value) for name, value in breakdowns if name in names)
                ordered = tuple(sorted(inside, key=lambda pair: names.index(pair[0])))
                if len(ordered) == len(names) and set(ordered) <= pairs:
                    row = self._rows.get(ordered, NO_GROUP)
                    if row != NO_GROUP:
                        return row
        return NO_GROUP
