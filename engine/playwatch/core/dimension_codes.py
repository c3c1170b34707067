"""The dimensions of many series as columns of small numbers, to add up over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import grown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MISSING: Final = -1
_NO_VALUE: Final = -2
LIMIT: Final = 16
"""Dimensions that are told apart; later ones are left out."""


class DimensionCodes:
    """Codes the dimensions of the series of one rule, in the order they are added.

    Attributes
    ----------
    names
        The dimensions, in the order of the columns.
    values
        For each of them its values, by code.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.values: list[list[str]] = []
        self._code_of: list[dict[str, int]] = []
        self._columns: NDArray[np.int32] = np.zeros((0, LIMIT), np.int32)
        self._count = 0

    def put(self, row: int, dimensions: Mapping[str, str]) -> None:
        """Put a series into a row: the next one, or one that was cleared."""
        if row >= len(self._columns):
            self._columns = grown(self._columns, max(64, 2 * row), MISSING)
        for name, value in dimensions.items():
            number = self._number(name)
            if number < LIMIT:
                codes = self._code_of[number]
                code = codes.setdefault(value, len(codes))
                if code == len(self.values[number]):
                    self.values[number].append(value)
                self._columns[row, number] = code
        self._count = max(self._count, row + 1)

    def clear(self, rows: NDArray[np.intp]) -> None:
        """Forget some series, and the values that no other one has."""
        self._columns[rows] = MISSING
        for number, values in enumerate(self.values):
            column = self._columns[: self._count, number]
            used = np.unique(column[column != MISSING])
            column[:] = np.where(column == MISSING, MISSING, np.searchsorted(used, column))
            self.values[number] = [values[code] for code in used.tolist()]
            self._code_of[number] = {name: code for code, name in enumerate(self.values[number])}

    def columns(self) -> NDArray[np.int32]:
        """Return the codes, shape ``(series, dimensions)``; `MISSING` for none."""
        return self._columns[: self._count, : len(self.names)]

    def holds(self, wanted: Mapping[str, str]) -> NDArray[np.bool_]:
        """Return which series have these values; one that is not known has none of them."""
        columns = self.columns()
        inside = np.ones(len(columns), np.bool_)
        for name, value in wanted.items():
            number = self.names.index(name)
            inside &= columns[:, number] == self._code_of[number].get(value, _NO_VALUE)
        return inside

    def _number(self, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        if len(self.names) < LIMIT:
            self.names.append(name)
            self.values.append([])
            self._code_of.append({})
            return len(self.names) - 1
        return LIMIT
