"""The dimensions of many series as columns of small numbers, to add up over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import grown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MISSING: Final = -1
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

    def add(self, dimensions: Mapping[str, str]) -> None:
        """Add a series."""
        if self._count >= len(self._columns):
            self._columns = grown(self._columns, max(64, 2 * self._count), MISSING)
        for name, value in dimensions.items():
            number = self._number(name)
            if number < LIMIT:
                codes = self._code_of[number]
                code = codes.setdefault(value, len(codes))
                if code == len(self.values[number]):
                    self.values[number].append(value)
                self._columns[self._count, number] = code
        self._count += 1

    def columns(self) -> NDArray[np.int32]:
        """Return the codes, shape ``(series, dimensions)``; `MISSING` for none."""
        return self._columns[: self._count, : len(self.names)]

    def _number(self, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        if len(self.names) < LIMIT:
            self.names.append(name)
            self.values.append([])
            self._code_of.append({})
            return len(self.names) - 1
        return LIMIT
