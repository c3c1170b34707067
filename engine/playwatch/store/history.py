"""The history in one SQLite file: what every series was, minute by minute.

It is a file of its own beside the store, so that writing a hundred thousand
samples a minute never makes an incident's commit wait, and a backup of the
store stays small. A minute is written as one block per part; each hour the
blocks of a part become one, which is what makes them small and quick to read.

A power failure may take the last minutes, never what was there before.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.metrics import Merge
from playwatch.errors import StoreError, StoreVersionError
from playwatch.store.history_blocks import PART, Rows, joined, merged, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

APPLICATION_ID: Final = 1349286248
"""What marks an SQLite file as a history of Playwatch: "Plyh"."""
_SCHEMA: Final = 1
_HOUR: Final = 60
_BUSY_S: Final = 5.0

_TABLES: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {_SCHEMA};
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    metric     TEXT NOT NULL,
    dimensions BLOB NOT NULL,
    merge      TEXT NOT NULL,
    UNIQUE (metric, dimensions)
) STRICT;
CREATE TABLE blocks (
    number  INTEGER PRIMARY KEY,
    part    INTEGER NOT NULL,
    first   INTEGER NOT NULL, -- minutes since the epoch
    last    INTEGER NOT NULL,
    is_hour INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_by_part ON blocks (part, last, first);
CREATE INDEX blocks_by_time ON blocks (is_hour, last);
"""


class History:
    """Keeps and returns one-minute samples; see `History.open`.

    Notes
    -----
    Every method is synchronous and safe to call from any thread; an engine
    calls them in worker threads.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> History:
        """Return the history in a file, made if need be.

        Raises
        ------
        StoreVersionError
            If a newer Playwatch wrote it.
        StoreError
            If it is missing (to read), no history, or cannot be opened.
        """
        try:
            if not path.exists():
                if read_only:
                    message = f"history {path} does not exist: start an engine that keeps one first"
                    raise StoreError(message)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            uri = path.resolve().as_uri() + ("?mode=ro" if read_only else "")
            database = sqlite3.connect(
                uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            message = f"history {path} cannot be opened: {error}"
            raise StoreError(message) from error
        try:
            _prepare(path, database, read_only=read_only)
        except BaseException as error:
            database.close()
            if isinstance(error, sqlite3.Error):
                message = f"history {path} cannot be opened: {error}"
                raise StoreError(message) from error
            raise
        return cls(path, database)

    def ids(self, metric: str, merge: Merge, names: Sequence[bytes]) -> list[int]:
        """Return the ids of series by their canonical dimensions, making new ones."""
        with self._transaction() as database:
            found = []
            for dimensions in names:
                row = database.execute(
                    "SELECT id FROM series WHERE metric = ? AND dimensions = ?",
                    (metric, dimensions),
                ).fetchone()
                if row is None:
                    row = database.execute(
                        "INSERT INTO series (metric, dimensions, merge) VALUES (?, ?, ?)"
                        " RETURNING id",
                        (metric, dimensions, merge.value),
                    ).fetchone()
                found.append(int(row[0]))
            return found

    def find(self, metric: str, names: Iterable[bytes]) -> dict[bytes, int]:
        """Return the ids of the series that are known, by canonical dimensions."""
        with self._transaction() as database:
            found = {}
            for dimensions in names:
                row = database.execute(
                    "SELECT id FROM series WHERE metric = ? AND dimensions = ?",
                    (metric, dimensions),
                ).fetchone()
                if row is not None:
                    found[dimensions] = int(row[0])
            return found

    def series(self) -> Iterator[tuple[int, str, bytes, Merge]]:
        """Iterate over all series: id, metric, canonical dimensions, how they merge."""
        with self._transaction() as database:
            rows = database.execute("SELECT id, metric, dimensions, merge FROM series").fetchall()
        return ((int(one), metric, names, Merge(merge)) for one, metric, names, merge in rows)

    def write(self, rows: Rows) -> None:
        """Add rows, a block for each part, in one transaction."""
        parts = rows.series // PART
        order = np.argsort(parts, kind="stable")
        cuts = np.flatnonzero(np.diff(parts[order])) + 1
        blocks = [_block(rows.take(piece)) for piece in np.split(order, cuts) if len(piece)]
        with self._transaction() as database:
            database.executemany(_ADD, blocks)

    def read(self, ids: Sequence[int], merge: Merge, from_minute: int, until_minute: int) -> Rows:
        """Return what is known of some series between two minutes, both included.

        Notes
        -----
        0.4 ms an hour for the series of one part. Blocks that are damaged are
        left out.
        """
        wanted = np.unique(np.asarray(ids, np.int32))
        found: list[Rows] = []
        with self._transaction() as database:
            for part in np.unique(wanted // PART).tolist():
                blocks = database.execute(
                    "SELECT body FROM blocks WHERE part = ? AND last >= ? AND first <= ?"
                    " ORDER BY number",
                    (part, from_minute, until_minute),
                ).fetchall()
                found += [rows for (body,) in blocks if (rows := _rows(body, part)) is not None]
        rows = joined(found)
        is_wanted = np.isin(rows.series, wanted)
        is_wanted &= (rows.minute >= from_minute) & (rows.minute <= until_minute)
        return merged(rows.take(is_wanted), merge)

    def compact(self, before_minute: int) -> int:
        """Make one block of each part's minutes of a past hour; return how many hours.

        Notes
        -----
        One transaction a part, so that a reader or a writer gets its turn.
        """
        done = 0
        merges = {one: merge for one, _, _, merge in self.series()}
        for part, hour in self._ripe(before_minute):
            with self._transaction() as database:
                found = database.execute(
                    "SELECT number, body FROM blocks WHERE part = ? AND is_hour = 0"
                    " AND last < ? AND first / 60 = ? ORDER BY number",
                    (part, before_minute, hour),
                ).fetchall()
                rows = joined([one for _, body in found if (one := _rows(body, part)) is not None])
                if len(rows):
                    database.execute(_ADD, _block(_by_merge(rows, merges), is_hour=True))
                numbers = [(number,) for number, _ in found]
                database.executemany("DELETE FROM blocks WHERE number = ?", numbers)
            done += 1
        return done

    def expire(self, before_minute: int) -> int:
        """Remove blocks that end before a minute; return how many.

        Notes
        -----
        The file keeps its size and uses the room again.
        """
        with self._transaction() as database:
            gone = database.execute("DELETE FROM blocks WHERE last < ?", (before_minute,))
            return gone.rowcount

    def span(self) -> tuple[int, int] | None:
        """Return the first and the last minute of the whole history; None without any."""
        with self._transaction() as database:
            first, last = database.execute("SELECT min(first), max(last) FROM blocks").fetchone()
        return None if first is None else (int(first), int(last))

    def close(self) -> None:
        """Close the file; again is harmless."""
        with self._turn:
            self._database.close()

    def _ripe(self, before_minute: int) -> list[tuple[int, int]]:
        with self._transaction() as database:
            found = database.execute(
                "SELECT DISTINCT part, first / 60 FROM blocks WHERE is_hour = 0 AND last < ?"
                " ORDER BY 2, 1",
                (before_minute,),
            )
            return [(int(part), int(hour)) for part, hour in found.fetchall()]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            try:
                self._database.execute("BEGIN")
                try:
                    yield self._database
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                message = f"history {self._path} cannot be read or written: {error}"
                raise StoreError(message) from error


_ADD: Final = "INSERT INTO blocks (part, first, last, is_hour, body) VALUES (?, ?, ?, ?, ?)"


def _block(rows: Rows, *, is_hour: bool = False) -> tuple[int, int, int, int, bytes]:
    first, last = int(rows.minute.min()), int(rows.minute.max())
    return int(rows.series[0]) // PART, first, last, int(is_hour), pack(rows)


def _rows(body: bytes, part: int) -> Rows | None:
    try:
        return unpack(body, part)
    except ValueError:
        return None


def _by_merge(rows: Rows, merges: dict[int, Merge]) -> Rows:
    """Return one row per series and minute, each series by its own way."""
    ways: NDArray[np.str_] = np.array(
        [merges.get(int(one), Merge.LATEST).value for one in rows.series]
    )
    return joined(
        [merged(rows.take(ways == way.value), way) for way in Merge if (ways == way.value).any()]
    )


def _prepare(path: Path, database: sqlite3.Connection, *, read_only: bool) -> None:
    """Make the tables of a new file; refuse what is no history."""
    try:
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        is_empty = database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
        mark = int(database.execute("PRAGMA application_id").fetchone()[0])
    except sqlite3.DatabaseError as error:
        message = f"{path} is not a history ({error}): move it away, a new one will be made"
        raise StoreError(message) from error
    if not is_empty and mark != APPLICATION_ID:
        message = f"{path} is the database of another program: give another path"
        raise StoreError(message)
    if version > _SCHEMA:
        raise StoreVersionError(str(path), version, _SCHEMA)
    if read_only:
        return
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if is_empty:
        with closing(database.cursor()) as cursor:
            cursor.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
