"""The store in one SQLite file: what is read and written, as a `Store`.

One connection writes and one reads, each on a thread that runs one transaction
after the other as a single call: a call costs 0.1 ms of handing over, and a
caller that is cancelled cannot leave a transaction half done. Nothing that is
read waits for the disk, and what is written during a commit shares the next
one (`playwatch.store.shared_commits`). SQLite writes a log ahead (WAL), and every
commit waits for the disk (``synchronous = FULL``), so an incident survives a
power failure together with its pages. Snapshots pay that price too; beside
their size it is small. When the log is emptied: `playwatch.store.write_ahead_log`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

import msgspec

from playwatch.errors import StoreError
from playwatch.store import transactions
from playwatch.store.connection import Connection
from playwatch.store.finding import SqliteFinding
from playwatch.store.ledger import SqliteLedger
from playwatch.store.letters import SqliteLetters
from playwatch.store.lock import StoreLock
from playwatch.store.migrate import check, prepare
from playwatch.store.shared_commits import SharedCommits, transact
from playwatch.store.write_ahead_log import WriteAheadLog, touch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from playwatch.core.audit import AuditEntry
    from playwatch.core.decisions import Remark
    from playwatch.core.deliveries import Changes, Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.silences import Silence
    from playwatch.ports import AttemptRecord, Clock, IncidentStory

_T = TypeVar("_T")
_P = ParamSpec("_P")

_PIECE: Final = 1 << 18
"""Bytes of a snapshot that one transaction writes: what an incident may wait for."""

_SETTINGS: Final = ("foreign_keys = ON", "wal_autocheckpoint = 0")

_FAILURES: Final = (
    sqlite3.Error,
    msgspec.MsgspecError,
    OverflowError,  # a number past 64 bits
    UnicodeError,  # a text that has no UTF-8
)


class SqliteStore(SqliteLetters, SqliteFinding, SqliteLedger):
    """A `Store` in one SQLite file; see `SqliteStore.open`.

    Attributes
    ----------
    log
        What is written ahead of the file, to be tended; None for a reader.

    Notes
    -----
    A method that raises a `StoreError` has changed nothing, and the store goes
    on. A transaction whose caller is cancelled still ends, one way or the
    other: to `commit` again is harmless, to `record` again lists an attempt
    twice.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        reader: Connection,
        keeper: Connection | None,
        lock: StoreLock | None,
    ) -> None:
        self._path = path
        self._connection: Connection | None = connection
        self._reader = reader
        self._commits = SharedCommits(connection.call)
        self.log: WriteAheadLog | None = None
        if keeper is not None:
            self.log = WriteAheadLog(path, keeper, connection)
        self._lock = lock
        self._saving = asyncio.Lock()

    @classmethod
    async def open(
        cls, path: Path | str, *, clock: Clock | None = None, read_only: bool = False
    ) -> SqliteStore:
        """Return the store in a file, made or brought up to date if need be.

        Parameters
        ----------
        path
            The file. Its folder must exist; what is made has mode 0600.
        clock
            Tells since when the store is locked, for whoever finds it so.
        read_only
            Read beside a running engine, or without one: takes no lock, makes
            no store, changes no schema.

        Raises
        ------
        StoreLockedError
            If another engine holds the store.
        StoreVersionError
            If a newer Playwatch wrote it.
        StoreError
            If it is missing (to read), no store, or cannot be read or written.

        Notes
        -----
        The file is prepared on the caller's thread: an engine has nothing to
        serve before its store is open. The log is begun here too: that takes
        three syncs, which would else be part of the first commit.
        """
        path = _resolved(path)
        if read_only:
            connection = await Connection.open(path, check(path), "query_only = ON")
            return cls(path, connection, connection, None, None)
        async with contextlib.AsyncExitStack() as opened:
            lock = StoreLock.acquire(path, None if clock is None else clock.wall_ms())
            opened.callback(lock.release)
            prepare(path)
            connections = []
            # To write; to read, and mend a damaged row; to empty the log, which loses nothing.
            for durably in ("FULL", "FULL", "NORMAL"):
                safety = f"synchronous = {durably}"
                one = await Connection.open(path, path.as_uri(), safety, *_SETTINGS)
                opened.push_async_callback(one.close)
                connections.append(one)
            writer, reader, keeper = connections
            with contextlib.suppress(sqlite3.Error):  # who commits first is told what is wrong
                await writer.call(partial(transact, "BEGIN IMMEDIATE", touch))
            opened.pop_all()
            return cls(path, writer, reader, keeper, lock)

    async def installation(self) -> str:
        """Return the random name made when the store was created."""
        return await self._read(transactions.installation)

    async def turn(self) -> None:
        """Wait for the commit under way; what is written then is in the next one."""
        await self._commits.turn()

    async def commit(self, changes: Changes) -> bool:
        """Store incidents, deliveries, decisions and audit in one durable transaction.

        Returns
        -------
        bool
            True when every delivery was new.

        Raises
        ------
        StoreError
            If the file cannot be written, an incident has the id of another,
            or the rest is about an incident that is not stored.
        """
        return not changes or await self._write(transactions.commit, changes)

    async def record(self, records: Iterable[AttemptRecord]) -> None:
        """Store ended attempts and the new state of their deliveries, together.

        Raises
        ------
        StoreError
            If the file cannot be written, or a delivery is not stored.
        """
        ended = tuple(records)
        if ended:
            await self._write(transactions.record, ended)

    async def due(self, channel: str, now_at: int, limit: int, busy: set[str]) -> list[Delivery]:
        """Return pending deliveries of a channel that may be sent now.

        Notes
        -----
        0.2 ms for ten of 10,000 pending ones, 4 ms when all of them wait for
        a later time; those that were sent cost nothing.
        """
        return await self._read(transactions.due, channel, now_at, limit, tuple(busy))

    async def next_due_at(self, channel: str, busy: set[str]) -> int | None:
        """Return when the channel has something to send next; None when never."""
        return await self._read(transactions.next_due_at, channel, tuple(busy))

    async def open_incidents(self) -> list[Incident]:
        """Return every incident that is open, the oldest first."""
        return await self._read(transactions.open_incidents)

    async def routed(self, incident_ids: Sequence[str]) -> list[Delivery]:
        """Return the triggers of these incidents, whatever their status, and withdrawals."""
        return await self._read(transactions.routed, incident_ids)

    async def withheld(self, incident_ids: Sequence[str]) -> set[str]:
        """Return which of these incidents have a trigger that a silence keeps back."""
        return await self._read(transactions.withheld, incident_ids)

    async def incident(self, incident_id: str) -> IncidentStory | None:
        """Return one incident with its whole record; None when unknown."""
        return await self._read(transactions.incident, incident_id)

    async def add_remark(self, remark: Remark, audit: AuditEntry | None = None) -> None:
        """Add what a person said to the record of a stored incident."""
        await self._write(transactions.add_remark, remark, _some(audit))

    async def add_silence(self, silence: Silence, audit: AuditEntry | None = None) -> None:
        """Store a new silence."""
        await self._write(transactions.add_silence, silence, _some(audit))

    async def end_silence(
        self, silence_id: str, at: int, audit: AuditEntry | None = None
    ) -> Silence | None:
        """Let a silence end at a moment unless it has; None when unknown."""
        return await self._write(transactions.end_silence, silence_id, at, _some(audit))

    async def silences(self, after: int) -> list[Silence]:
        """Return silences that end after a moment, in the order they were made."""
        return await self._read(transactions.silences, after)

    async def save_snapshot(self, parts: dict[str, bytes], taken_at: int) -> None:
        """Replace the snapshot: named parts of the pipeline's state.

        Notes
        -----
        Written in pieces of 256 KiB, each its own transaction, so that incidents
        get their turn between them. Until the last piece is written, and when
        it never is, the one before stays the newest. The next save uses the
        space of those that no longer count.
        """
        async with self._saving:
            while await self._write(transactions.drop_old_piece):
                pass
            snapshot_id = await self._write(transactions.begin_snapshot, taken_at)
            for name, body in tuple(parts.items()):
                for start in range(0, max(len(body), 1), _PIECE):
                    piece = body[start : start + _PIECE]
                    if self.log is not None:
                        await self.log.make_room()
                    await self._write(transactions.add_snapshot_piece, snapshot_id, name, piece)
            await self._write(transactions.complete_snapshot, snapshot_id)

    async def load_snapshot(self) -> tuple[dict[str, bytes], int] | None:
        """Return the newest snapshot and its wall-clock time; None without one."""
        return await self._read(transactions.newest_snapshot)

    async def close(self) -> None:
        """Empty the log into the file, close it and give up the lock.

        Again is harmless. A log that a reader is still in is left: it is read
        at the next start.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._commits.end()
            if self.log is not None:
                await self.log.close()
            if self._reader is not connection:
                await self._reader.close()
            if self._lock is not None:
                with contextlib.suppress(sqlite3.Error):
                    await connection.execute_fetchall("PRAGMA busy_timeout = 0")
                    await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            try:
                await connection.close()
            finally:
                if self._lock is not None:
                    self._lock.release()

    async def _read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        return await self._run("BEGIN", "read", lambda database: work(database, *args, **kwargs))

    async def _write(
        self,
        work: Callable[Concatenate[sqlite3.Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        return await self._run(
            "BEGIN IMMEDIATE", "written", lambda database: work(database, *args, **kwargs)
        )

    async def _run(self, begin: str, verb: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._connection is None:
            message = f"store {self._path} is closed"
            raise StoreError(message)
        try:
            if begin == "BEGIN":
                return await self._reader.call(partial(transact, begin, work))
            return await self._commits.write(work)
        except _FAILURES as error:
            message = f"store {self._path} cannot be {verb}: {error}"
            raise StoreError(message) from error


def _some(entry: AuditEntry | None) -> tuple[AuditEntry, ...]:
    return () if entry is None else (entry,)


def _resolved(path: Path | str) -> Path:
    """Return the one name of a file, so that its lock has one name too."""
    return Path(path).resolve()
