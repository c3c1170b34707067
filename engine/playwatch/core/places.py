"""Places: the rows of columns that a batch reads and changes.

Collectors send their series in one order, and series and groups get their rows
in the order in which they are first heard of. So the rows of a large batch
mostly follow one another at equal steps, which two passes over them find out.
They are a slice then: looking them up copies nothing, and changing them is one
pass over memory in its own order.

Other rows are an index, of 64 bits, for one of 32 costs numpy five times as
much; and so does ``ufunc.at`` beside a plain assignment. Where rows rise no row
stands twice, and the plain assignment will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Number = TypeVar("_Number", np.int32, np.int64, np.float64)
_Scalar = TypeVar("_Scalar", bound=np.generic)

_ROWS_A_SORT_COSTS: Final = 64
"""A sample is sorted in the time that so many rows of a mask take."""


class Places:
    """Rows, ready to be looked up and written to.

    Parameters
    ----------
    rows
        Not negative, shape ``(n,)``.

    Attributes
    ----------
    rows
        As they were given.
    are_rising
        True when each row is greater than the one before.
    """

    __slots__ = ("_index", "_span", "are_rising", "rows")

    def __init__(self, rows: NDArray[np.signedinteger[Any]]) -> None:
        self.rows = rows
        self._index: NDArray[np.intp] | None = None
        self._span: slice | None = None
        self.are_rising = True
        if len(rows) > 1:
            steps = rows[1:] - rows[:-1]
            least = int(steps.min())
            self.are_rising = least > 0
            if self.are_rising and least == steps.max():
                self._span = slice(int(rows[0]), int(rows[-1]) + 1, least)
        elif len(rows):
            self._span = slice(int(rows[0]), int(rows[0]) + 1)

    @property
    def index(self) -> NDArray[np.intp]:
        """The rows, in the order of the samples."""
        if self._index is None:
            self._index = self.rows.astype(np.intp, copy=False)
        return self._index

    def of(self, column: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return what stands at the rows now.

        Notes
        -----
        To be read, and before the column is written to: it may be a part of it.
        """
        return column.take(self.index) if self._span is None else column[self._span]

    def in_rings(self, number: NDArray[np.int64], size: int) -> Places:
        """Return the places in a table of rings, one for each row, by a number that only grows.

        Parameters
        ----------
        number
            Of each sample; its slot is the remainder.
        size
            Slots of a ring.
        """
        if self._span is None or (number != number[0]).any():
            return Places(self.index * size + number % size)
        first = self._span.start * size + int(number[0]) % size
        step = self._span.step or 1
        return Places(np.arange(len(number)) * (step * size) + first)

    def put(self, column: NDArray[_Scalar], values: NDArray[_Scalar] | int) -> None:
        """Write to the rows; of one that stands twice the last value stays."""
        column[self.index if self._span is None else self._span] = values

    def add(self, column: NDArray[_Number], amount: NDArray[_Number] | int) -> None:
        """Add to the rows; one that stands twice gets both amounts."""
        if self._span is not None:
            known = column[self._span]
            known += amount
        elif self.are_rising:
            column[self.index] = column.take(self.index) + amount
        else:
            np.add.at(column, self.index, amount)

    def raise_to(self, column: NDArray[_Number], least: NDArray[_Number]) -> None:
        """Bring the rows to at least these values."""
        if self._span is not None:
            known = column[self._span]
            np.maximum(known, least, out=known)
        elif self.are_rising:
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
