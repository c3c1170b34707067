"""Groups: which series a rule merges, one group per combination of ``by``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.rules import Matcher
    from playwatch.core.series import SeriesTable

NO_GROUP: Final = -1
_UNKNOWN: Final = -2


class GroupTable:
    """Maps the series of one rule to dense group rows.

    Parameters
    ----------
    metric
        Dense id of the rule's metric.
    where
        Matchers that a series must all pass.
    by
        Dimensions whose values make the group; a missing one counts as empty.

    Notes
    -----
    A series is matched once, when it is first seen; after that its group is
    one look-up in an int32 column.
    """

    def __init__(self, metric: int, where: tuple[Matcher, ...], by: tuple[str, ...]) -> None:
        self._metric = metric
        self._where = where
        self._by = by
        self._keys: list[tuple[str, ...]] = []
        self._rows: dict[tuple[str, ...], int] = {}
        self._of_series: NDArray[np.int32] = np.zeros(0, np.int32)

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self._keys)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """The values of ``by`` of every group, in the order of the rows."""
        return self._keys

    def intern(self, key: tuple[str, ...]) -> int:
        """Return the row of a group, making one for a new group."""
        row = self._rows.get(key)
        if row is None:
            row = len(self._keys)
            self._keys.append(key)
            self._rows[key] = row
        return row

    def row_of(self, key: tuple[str, ...]) -> int | None:
        """Return the row of a group; None when there is none."""
        return self._rows.get(key)

    def breakdowns(self, row: int) -> tuple[tuple[str, str], ...]:
        """Return a group as pairs of dimension and value, in the order of ``by``."""
        return tuple(zip(self._by, self._keys[row], strict=True))

    def of_series(self, series: SeriesTable, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the group of each series row, `NO_GROUP` where the rule skips it.

        Notes
        -----
        O(n), plus one match per series that was never seen before.
        """
        if len(self._of_series) < len(series):
            capacity = max(len(series), 2 * len(self._of_series))
            self._of_series = grown(self._of_series, capacity, _UNKNOWN)
        groups = self._of_series[rows]
        unknown = groups == _UNKNOWN
        if unknown.any():
            for row in np.unique(rows[unknown]):
                self._of_series[row] = self._match(series, int(row))
            groups = self._of_series[rows]
        return groups

    def _match(self, series: SeriesTable, row: int) -> int:
        if series.metric[row] != self._metric:
            return NO_GROUP
        dimensions = dict(series.dimensions(row))
        if not all(matcher.matches(dimensions) for matcher in self._where):
            return NO_GROUP
        return self.intern(tuple(dimensions.get(name, "") for name in self._by))
