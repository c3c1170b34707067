"""Series: one metric with one set of dimensions, interned to a dense row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from playwatch.errors import SeriesLimitError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Between a name and its value, and between two dimensions. Names and values
# that hold one of them are refused, so the canonical form can be read back.
_EQUALS: Final = "\x1f"
_AND: Final = "\x1e"

_Scalar = TypeVar("_Scalar", bound=np.generic)

NEVER: Final = np.iinfo(np.int64).min
"""The time before every time: a row that has no sample yet."""
FREE: Final = -1
"""The metric of a row that was given up and waits for a new series."""


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """A metric and its dimensions, sorted by name."""

    metric: str
    dimensions: tuple[tuple[str, str], ...] = ()


def canonical_dimensions(dimensions: Mapping[str, str]) -> bytes:
    """Return the one spelling of a set of dimensions, as bytes.

    Raises
    ------
    ValueError
        If a name or a value holds one of the two separators.
    """
    for name, value in dimensions.items():
        if _EQUALS in name or _AND in name or _EQUALS in value or _AND in value:
            message = f"dimension {name!r} holds a separator character"
            raise ValueError(message)
    pairs = (f"{name}{_EQUALS}{dimensions[name]}" for name in sorted(dimensions))
    return _AND.join(pairs).encode()


def dimensions_of(canonical: bytes) -> tuple[tuple[str, str], ...]:
    """Return the dimensions that a canonical spelling stands for."""
    if not canonical:
        return ()
    pairs = []
    for pair in canonical.decode().split(_AND):
        name, _, value = pair.partition(_EQUALS)
        pairs.append((name, value))
    return tuple(pairs)


class SeriesTable:
    """Interns series to dense rows and keeps the newest sample of each.

    Parameters
    ----------
    limit
        How many series one metric may have. Names are most of the memory, and
        a dimension with a value per viewer would take all of it.

    Attributes
    ----------
    metric
        Dense metric id by row, shape ``(capacity,)``, int32; `FREE` where no series is.
    newest_at, newest_value, newest_views
        The newest accepted sample by row; ``newest_at`` is `NEVER` before the
        first one. Rows at ``len(self)`` and beyond are unused.
    stamp
        Scratch by row, made when a batch needs it: finds a series that stands twice.
    heard_since, heard_until
        From when on the stream was heard without an outage, and until when.
    crowded
        Metrics of which a new series found no room since somebody last looked.

    Notes
    -----
    A look-up is one dict access. A row costs its canonical bytes, one dict
    entry and 32 bytes of columns; keys are made on demand.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        self._rows: list[dict[bytes, int]] = []
        self._names: list[bytes] = []
        self._widest: dict[int, str] = {}
        self._free: list[int] = []
        self.heard_since = self.heard_until = NEVER
        self.crowded: set[int] = set()
        self.metric: NDArray[np.int32] = np.zeros(0, np.int32)
        self.newest_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.newest_value: NDArray[np.float64] = np.zeros(0)
        self.newest_views: NDArray[np.int64] = np.zeros(0, np.int64)
        self.stamp: NDArray[np.int32] = np.zeros(0, np.int32)

    def __len__(self) -> int:
        """Return how many rows there are, free ones too."""
        return len(self._names)

    @property
    def live(self) -> int:
        """How many series there are."""
        return len(self._names) - len(self._free)

    def intern(self, metric: int, canonical: bytes) -> int:
        """Return the row of a series, making one for a new series.

        Parameters
        ----------
        metric
            Dense metric id.
        canonical
            Its dimensions as `canonical_dimensions` spells them.

        Raises
        ------
        SeriesLimitError
            If the series is new and its metric is at the limit. The series
            that are known already go on.
        """
        while metric >= len(self._rows):
            self._rows.append({})
        rows = self._rows[metric]
        row = rows.get(canonical)
        if row is None:
            if len(rows) >= self._limit:
                self.crowded.add(metric)
                raise SeriesLimitError(str(metric), self._limit, self._widest_dimension(metric))
            row = (
                self._move_in(metric, canonical) if self._free else self._append(metric, canonical)
            )
            rows[canonical] = row
        return row

    def give_up(self, rows: NDArray[np.intp]) -> None:
        """Let new series have the rows of some that nothing refers to any more.

        Notes
        -----
        1 µs a row. Whatever remembers rows has forgotten these before: `Intake.forget`
        and `Lookout.forget` ask everyone.
        """
        for row, metric in zip(rows.tolist(), self.metric[rows].tolist(), strict=True):
            del self._rows[metric][self._names[row]]
            self._names[row] = b""
            self._widest.pop(metric, None)
        self.metric[rows] = FREE
        self.newest_at[rows] = NEVER
        self.newest_value[rows] = np.nan
        self.newest_views[rows] = 0
        # The lowest come first, so that series that arrive together lie in a row.
        self._free = sorted({*self._free, *rows.tolist()}, reverse=True)

    def dimensions(self, row: int) -> tuple[tuple[str, str], ...]:
        """Return the dimensions of a row, sorted by name."""
        return dimensions_of(self._names[row])

    def canonical(self, row: int) -> bytes:
        """Return the canonical spelling of a row's dimensions."""
        return self._names[row]

    def canonicals(self, rows: Sequence[int]) -> list[bytes]:
        """Return the canonical spellings of some rows' dimensions."""
        names = self._names
        return [names[row] for row in rows]

    def _move_in(self, metric: int, canonical: bytes) -> int:
        row = self._free.pop()
        self._names[row] = canonical
        self.metric[row] = metric
        return row

    def _append(self, metric: int, canonical: bytes) -> int:
        row = row_number(len(self._names))
        if row == len(self.metric):
            capacity = max(256, 5 * row // 4)
            self.metric = grown(self.metric, capacity, 0)
            self.newest_at = grown(self.newest_at, capacity, NEVER)
            self.newest_value = grown(self.newest_value, capacity, np.nan)
            self.newest_views = grown(self.newest_views, capacity, 0)
        self._names.append(canonical)
        self.metric[row] = metric
        return row

    def _widest_dimension(self, metric: int) -> str:
        """Return the dimension of a metric that has the most values.

        Looked up once: a metric at its limit changes no more, and a publisher
        beyond it asks with every sample.
        """
        if metric not in self._widest:
            values: dict[str, set[str]] = {}
            for canonical in self._rows[metric]:
                for name, value in dimensions_of(canonical):
                    values.setdefault(name, set()).add(value)
            self._widest[metric] = max(values, key=lambda name: len(values[name]), default="")
        return self._widest[metric]


_NUMBERS: Final[list[int]] = []


def row_number(row: int) -> int:
    """Return a row as the one number that all tables share.

    A number of its own for each entry of each table would be 32 bytes.
    """
    while row >= len(_NUMBERS):
        _NUMBERS.append(len(_NUMBERS))
    return _NUMBERS[row]


def grown(column: NDArray[_Scalar], capacity: int, fill: float) -> NDArray[_Scalar]:
    """Return a column (or a table) with room for more rows, the new ones filled."""
    shape = (capacity, *column.shape[1:])
    # The system gives memory for zeros only where they are written over.
    wider: NDArray[_Scalar] = (
        np.full(shape, fill, column.dtype) if fill else np.zeros(shape, column.dtype)
    )
    wider[: len(column)] = column
    return wider


def cells(column: NDArray[Any]) -> Any:  # noqa: ANN401 - a memoryview of any type of number
    """Return the numbers of a column (or of a table, flat), to read and write one by one.

    Notes
    -----
    A third of what an index into the array itself costs. The column must not move.
    """
    return column.reshape(-1).data
