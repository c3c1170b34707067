"""Key tables: series that a publisher has named once and then speaks of by number."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from playwatch.core.refusals import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from playwatch.core.series import SeriesTable

    Series = tuple[int, bytes]

MAX_TABLES: Final = 1024
MAX_KEYS: Final = 4_000_000

GIVEN_UP: Final = np.iinfo(np.int32).min
"""Stands for a key whose series was silent for so long that its row was given up."""

_REASONS: Final = tuple(Reason)
_FIRST_CODE: Final = -2
"""Below the row -1, which stands for a sample that is refused already."""


def code_of(reason: Reason) -> int:
    """Return what stands in a table for a key that was refused."""
    return _FIRST_CODE - _REASONS.index(reason)


def reason_of(code: int) -> Reason:
    """Return why the key was refused that a code stands for."""
    return _REASONS[_FIRST_CODE - code]


@dataclass(frozen=True, slots=True)
class KeyTable:
    """The rows of the keys of one table.

    Attributes
    ----------
    rows
        By the number of the key, shape ``(keys,)``, int32; a `code_of` a reason
        for a key that was refused. Never written to.
    has_refused
        True when there is such a key.
    mark
        Tells the announcement apart from others; None after a restart.
    given_up
        Metric and canonical dimensions of each key that is `GIVEN_UP`, by its number.
    """

    rows: NDArray[np.int32]
    has_refused: bool
    mark: object = None
    given_up: Mapping[int, Series] = field(default_factory=dict)


class KeyTables:
    """The tables of all publishers; the one least recently used is forgotten first.

    Parameters
    ----------
    limit
        How many tables are kept.
    limit_keys
        How many keys all of them may have, at 4 bytes each.
    """

    def __init__(self, limit: int = MAX_TABLES, limit_keys: int = MAX_KEYS) -> None:
        self._limit = limit
        self._limit_keys = limit_keys
        self._tables: OrderedDict[tuple[str, str], KeyTable] = OrderedDict()
        self._keys = 0

    def __len__(self) -> int:
        """Return how many tables are kept."""
        return len(self._tables)

    def find(self, source: str, name: str) -> KeyTable | None:
        """Return a table of a source; None for one that is not known."""
        table = self._tables.get((source, name))
        if table is not None:
            self._tables.move_to_end((source, name))
        return table

    def learn(
        self,
        source: str,
        name: str,
        rows: NDArray[np.int32],
        mark: object,
        given_up: Mapping[int, Series] | None = None,
    ) -> KeyTable:
        """Keep a table, instead of an earlier one of that name."""
        rows.setflags(write=False)
        has_refused = bool(((rows < 0) & (rows != GIVEN_UP)).any())
        table = KeyTable(rows, has_refused, mark, given_up or {})
        before = self._tables.pop((source, name), None)
        self._keys += len(rows) - (0 if before is None else len(before.rows))
        self._tables[source, name] = table
        while len(self._tables) > self._limit or (
            self._keys > self._limit_keys and len(self._tables) > 1
        ):
            _, forgotten = self._tables.popitem(last=False)
            self._keys -= len(forgotten.rows)
        return table

    def forget(self, is_given_up: NDArray[np.bool_], series: SeriesTable) -> None:
        """Keep the names of keys whose rows are given up, instead of the rows.

        Parameters
        ----------
        is_given_up
            By row of the table of series, which still has their names.

        Notes
        -----
        2 ns a key.
        """
        for named, table in self._tables.items():
            mine = np.flatnonzero(is_given_up[np.maximum(table.rows, 0)] & (table.rows >= 0))
            if not len(mine):
                continue
            before, rows, names = table.rows, table.rows.copy(), dict(table.given_up)
            for number, row in zip(mine.tolist(), before[mine].tolist(), strict=True):
                names[number] = int(series.metric[row]), series.canonical(row)
            rows[mine] = GIVEN_UP
            rows.setflags(write=False)
            self._tables[named] = replace(table, rows=rows, given_up=names)

    def given_up(self) -> list[tuple[int, Series]]:
        """Return what the keys that are `GIVEN_UP` stand for, by their place in `state`."""
        found, start = [], 0
        for table in self._tables.values():
            found += [(start + number, one) for number, one in table.given_up.items()]
            start += len(table.rows)
        return found

    def state(self) -> tuple[list[tuple[str, str, int]], NDArray[np.int32]]:
        """Return each source, name and number of keys, and the rows of all, in that order."""
        sizes = [(*named, len(table.rows)) for named, table in self._tables.items()]
        rows = [table.rows for table in self._tables.values()]
        return sizes, np.concatenate(rows) if rows else np.zeros(0, np.int32)

    def restore(self, sizes: list[Any], saved: NDArray[np.int32], rows: NDArray[np.int32]) -> None:
        """Add the tables of an earlier `state`.

        Parameters
        ----------
        sizes, saved
            What `state` gave.
        rows
            Where each row of then is now, -1 for nowhere. A table with such a
            row is left out: its publisher will announce it.

        Raises
        ------
        ValueError
            If they do not fit each other. Nothing is added then.
        """
        if sum(size for _, _, size in sizes) != len(saved):
            message = "tables do not fit their keys"
            raise ValueError(message)
        known = np.r_[rows, np.full(1, -1, np.int32)]
        start = 0
        for source, name, size in sizes:
            old = saved[start : start + size]
            start += size
            # Beyond the end is nowhere; codes of refusals stay as they are.
            place = np.minimum(np.maximum(old, -1), len(rows))
            now = np.where(old < 0, old, known[place]).astype(np.int32)
            if not (now == -1).any():
                self.learn(str(source), str(name), now, None)
