"""The memory of many groups: a block of float32, one row a quantity, one column a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Block", "Table", "rows_of"]

Block = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""Quantities by groups."""


def rows_of(group: NDArray[np.int32]) -> NDArray[np.int32] | slice:
    """Return groups that follow each other as a slice, which is cheaper to read and write."""
    first, n = int(group[0]), len(group)
    together = int(group[-1]) - first == n - 1 and bool((np.diff(group) == 1).all())
    return slice(first, first + n) if together else group


class Table:
    """Keeps named quantities for a growing number of groups.

    Parameters
    ----------
    starts
        What each quantity is for a group that nothing is known of.
    """

    def __init__(self, starts: Mapping[str, float]) -> None:
        self._names = tuple(starts)
        self._starts = np.array(list(starts.values()), np.float32)
        self._block: Block = np.empty((len(starts), 0), np.float32)
        self.size = 0

    def resize(self, size: int) -> None:
        """Keep so many groups; the memory grows by half at a time."""
        if size > self._block.shape[1]:
            grown = np.empty((len(self._names), max(size, self.size * 3 // 2)), np.float32)
            grown[:, : self.size] = self._block[:, : self.size]
            self._block = grown
        self._block[:, self.size : size] = self._starts[:, None]
        self.size = size

    def read(self, rows: NDArray[np.int32] | slice, *, to_write: bool = False) -> Block:
        """Return some groups' quantities.

        Parameters
        ----------
        to_write
            True if they go back by `write`: a slice is then no copy.
        """
        if isinstance(rows, slice):
            return self._block[:, rows] if to_write else self._block[:, rows].copy()
        return self._block.take(rows, axis=1, mode="clip")

    def write(self, rows: NDArray[np.int32] | slice, block: Block) -> None:
        """Keep what `read` gave out and the caller changed."""
        if isinstance(rows, slice):
            if not np.shares_memory(block, self._block):
                self._block[:, rows] = block
            return
        for kept, new in zip(self._block, block, strict=True):
            kept[rows] = new

    def forget(self, rows: NDArray[np.int32]) -> None:
        """Make some groups as new."""
        self._block[:, rows] = self._starts[:, None]

    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Return each quantity by its name, as copies."""
        return {
            name: row[: self.size].copy()
            for name, row in zip(self._names, self._block, strict=True)
        }

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take back what `columns` gave out.

        Raises
        ------
        ValueError
            If a quantity is missing, of another length or not finite.
        """
        size = len(next(iter(columns.values()), ()))
        block = np.empty((len(self._names), size), np.float32)
        for row, name in zip(block, self._names, strict=True):
            column = columns.get(name)
            if column is None or column.shape != (size,) or column.dtype != np.float32:
                msg = f"the snapshot of the model has no fitting column {name!r}"
                raise ValueError(msg)
            if not np.isfinite(column).all():
                msg = f"the snapshot of the model has a damaged column {name!r}"
                raise ValueError(msg)
            row[:] = column
        self._block, self.size = block, size
