"""Spellings: how publishers write their series, remembered to read each once.

A publisher writes the same dimensions in the same bytes, sample after sample.
Those bytes find the row directly; only a spelling not met before is read,
checked and brought to its canonical form.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.key_blocks import KeyBlocks
from playwatch.core.refusals import Reason, Refused
from playwatch.core.series import canonical_dimensions
from playwatch.errors import SeriesLimitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from playwatch.core.metrics import Catalogue
    from playwatch.core.series import SeriesTable

MAX_DIMENSIONS: Final = 32
MAX_NAME: Final = 64
MAX_VALUE: Final = 256
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")

# An odd publisher may spell one series in many ways, so memory is bounded; a
# full table is emptied, which costs each series one slow look-up.
_MAX_SPELLINGS: Final = 500_000
_MAX_TABLES: Final = 4096
_MAX_COLUMNS: Final = 4096
_MAX_COLUMN_BYTES: Final = 16 * 1024 * 1024

# A suggestion costs a comparison with the whole catalogue.
_MAX_SUGGESTIONS: Final = 256


def clean_dimensions(dimensions: Mapping[str, object]) -> dict[str, str]:
    """Return dimensions as text: numbers and booleans spelled out, null left out.

    Raises
    ------
    Refused
        ``bad_dimension`` if there are more than 32, if a name or a value is
        empty, too long (64 and 256 characters) or holds a control character,
        or if a value is neither text, number, boolean nor null.
    """
    if len(dimensions) > MAX_DIMENSIONS:
        raise Refused(
            Reason.BAD_DIMENSION,
            f"{len(dimensions)} dimensions, at most {MAX_DIMENSIONS} are allowed",
        )
    clean = {}
    for name, raw in dimensions.items():
        if not name or len(name) > MAX_NAME or _CONTROL.search(name):
            raise Refused(
                Reason.BAD_DIMENSION,
                f"name {name!r}: 1 to {MAX_NAME} characters, no control characters",
            )
        if raw is None:
            continue
        if isinstance(raw, bool):
            value = "true" if raw else "false"
        elif isinstance(raw, str | int | float):
            value = str(raw)
        else:
            raise Refused(Reason.BAD_DIMENSION, f"{name}: a {type(raw).__name__} is not a value")
        if not value or len(value) > MAX_VALUE or _CONTROL.search(value):
            raise Refused(
                Reason.BAD_DIMENSION,
                f"{name}: {value!r}: 1 to {MAX_VALUE} characters, no control characters",
            )
        clean[name] = value
    return clean


class Spellings:
    """Finds the row of a series by the bytes that one codec's publishers wrote.

    Parameters
    ----------
    catalogue
        The metrics that are known.
    series
        Where new series are interned.
    limit
        How many spellings are remembered.

    Attributes
    ----------
    blocks
        Whole lists of keys that came more than once.

    Notes
    -----
    `find` is two dict accesses. A spelling costs its bytes and one dict entry.
    """

    def __init__(
        self, catalogue: Catalogue, series: SeriesTable, *, limit: int = _MAX_SPELLINGS
    ) -> None:
        self._catalogue = catalogue
        self._series = series
        self._limit = limit
        self._count = 0
        self._tables: dict[str, dict[bytes, int]] = {}
        self._columns: dict[object, NDArray[np.int32]] = {}
        self._column_bytes = 0
        self._suggestions: dict[str, str] = {}
        self.blocks = KeyBlocks()

    def find(self, metric: str, spelling: bytes) -> int | None:
        """Return the row of a spelling met before; None for a new one."""
        rows = self._tables.get(metric)
        return None if rows is None else rows.get(spelling)

    def learn(self, metric: str, spelling: bytes, dimensions: Mapping[str, object]) -> int:
        """Return the row of a new spelling, making one for a new series.

        Parameters
        ----------
        metric
            Its key, as the publisher wrote it.
        spelling
            The bytes that stand for the dimensions.
        dimensions
            What the codec read in them.

        Raises
        ------
        Refused
            ``unknown_metric``, ``bad_dimension`` or ``series_limit``.
        """
        row = self.row_of(metric, dimensions)
        if self._count >= self._limit or len(self._tables) >= _MAX_TABLES:
            self._tables.clear()
            self._count = 0
        self._tables.setdefault(metric, {})[spelling] = row
        self._count += 1
        return row

    def row_of(self, metric: str, dimensions: Mapping[str, object]) -> int:
        """Return the row of a series without remembering how it was written.

        Raises
        ------
        Refused
            As in `learn`.
        """
        number = self._catalogue.id_of(metric)
        if number is None:
            raise Refused(Reason.UNKNOWN_METRIC, self._unknown(metric))
        try:
            canonical = canonical_dimensions(clean_dimensions(dimensions))
        except ValueError as error:
            raise Refused(Reason.BAD_DIMENSION, str(error)) from None
        return self.intern(number, canonical)

    def intern(self, metric: int, canonical: bytes) -> int:
        """Return the row of a series by its canonical dimensions.

        Raises
        ------
        Refused
            ``series_limit``.
        """
        try:
            return self._series.intern(metric, canonical)
        except SeriesLimitError as error:
            key = self._catalogue[metric].key
            detail = f"{key}: limit of {error.limit} series; {error.dimension!r} has most values"
            raise Refused(Reason.SERIES_LIMIT, detail) from None

    def forget(self, is_given_up: NDArray[np.bool_]) -> None:
        """Forget how series were written whose rows are given up.

        Notes
        -----
        60 ns a spelling, 2 ns a row of a column.
        """
        gone = set(np.flatnonzero(is_given_up).tolist())
        for metric, rows in self._tables.items():
            self._tables[metric] = {
                spelling: row for spelling, row in rows.items() if row not in gone
            }
        self._count = sum(map(len, self._tables.values()))
        for mark, column in list(self._columns.items()):
            if (is_given_up[column] & (column >= 0)).any():
                del self._columns[mark]
                self._column_bytes -= column.nbytes
        self.blocks.forget(is_given_up)

    def find_column(self, metric: str, spelling: bytes) -> NDArray[np.int32] | None:
        """Return the rows of a whole column of dimensions met before, or None."""
        return self._columns.get(_mark(metric, spelling))

    def learn_column(self, metric: str, spelling: bytes, rows: NDArray[np.int32]) -> None:
        """Remember the rows of a whole column; they must not be changed later."""
        if rows.nbytes > _MAX_COLUMN_BYTES:
            return
        is_full = self._column_bytes + rows.nbytes > _MAX_COLUMN_BYTES
        if is_full or len(self._columns) >= _MAX_COLUMNS:
            self._columns.clear()
            self._column_bytes = 0
        rows.setflags(write=False)
        self._columns[_mark(metric, spelling)] = rows
        self._column_bytes += rows.nbytes

    def _unknown(self, metric: str) -> str:
        near = self._suggestions.get(metric)
        if near is None:
            near = ""
            if len(self._suggestions) < _MAX_SUGGESTIONS and len(metric) <= MAX_NAME:
                near = self._suggestions[metric] = self._catalogue.suggest(metric)
        return f"{metric!r}, did you mean {near}?" if near else f"{metric!r}"


def _mark(metric: str, spelling: bytes) -> object:
    """Return what a column is known by, much smaller than its bytes.

    Python's hash of bytes is 64 bits of SipHash under a key of this process, so
    nobody outside can make two columns that share it.
    """
    return metric, len(spelling), hash(spelling)
