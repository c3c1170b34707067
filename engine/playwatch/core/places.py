"""Places: the rows of columns that a batch reads and changes.

An index of 32 bits costs numpy five times as much as one of 64, and so does
``ufunc.at`` beside a plain assignment. Where rows rise, as in a batch that has
each series once and in the order of its keys, no row stands twice and the plain
assignment will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Number = TypeVar("_Number", np.int32, np.int64, np.float64)

_ROWS_A_SORT_COSTS: Final = 64
"""A sample is sorted in the time that so many rows of a mask take."""


class Places:
    """Rows, ready to be looked up and written to.

    Attributes
    ----------
    index
        The rows, in the order of the samples.
    are_rising
        True when each row is greater than the one before.
    """

    __slots__ = ("are_rising", "index")

    def __init__(self, rows: NDArray[np.signedinteger[Any]]) -> None:
        self.index = rows.astype(np.intp, copy=False)
        self.are_rising = bool((rows[1:] > rows[:-1]).all())

    def add(self, column: NDArray[_Number], amount: NDArray[_Number] | int) -> None:
        """Add to the rows; one that stands twice gets both amounts."""
        if self.are_rising:
            column[self.index] = column.take(self.index) + amount
        else:
            np.add.at(column, self.index, amount)

    def raise_to(self, column: NDArray[_Number], least: NDArray[_Number]) -> None:
        """Bring the rows to at least these values."""
        if self.are_rising:
            column[self.index] = np.maximum(column.take(self.index), least)
        else:
            np.maximum.at(column, self.index, least)


def distinct(rows: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return each row once, in rising order.

    Parameters
    ----------
    rows
        Of a column of ``count``, not negative.
    count
        How long that column is.
    """
    if (rows[1:] > rows[:-1]).all():
        return rows
    if count > len(rows) * _ROWS_A_SORT_COSTS:
        return np.unique(rows)
    stands = np.zeros(count, np.bool_)
    stands[rows.astype(np.intp, copy=False)] = True
    return np.flatnonzero(stands).astype(np.int32)
