"""The log that SQLite writes ahead of a store's file, and when it is emptied.

A commit appends to the log and waits for one sync. To empty it (a checkpoint)
takes two more, and to begin it anew another: left to SQLite, they fall into the
commit that happens to fill it, which on a slow disk is a page that comes late.
So here it is emptied on a connection and a thread of its own, once nothing has
been written for a moment, and begun anew before the next commit needs it.

Who writes without pause gets no such moment. A long log is copied beside them,
and only a very long one between two commits, which wait.

One attempt follows the other, and none begins before something was written
after the last one that was complete: SQLite before 3.51.3 can lose a commit
that begins the log anew just when a second checkpoint starts
(https://sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from playwatch.store.shared_commits import transact

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.store.connection import Connection

_REST: Final = 30
"""How many looks to let pass after an attempt that failed."""
_SHORT_REST: Final = 5
"""And after one that a reader held up."""

_HEADER: Final = 32
_FRAME_HEADER: Final = 24


@dataclass(frozen=True, slots=True)
class Limits:
    """When a log is emptied, by its length in pages of 4 KiB.

    Attributes
    ----------
    enough
        Worth the syncs, in a calm moment.
    long
        Nobody waits for a calm moment any more, and a snapshot waits.
    most
        Commits wait.
    """

    enough: int = 1_000
    long: int = 4_000
    most: int = 16_000


@dataclass(frozen=True, slots=True)
class Length:
    """How much is in a log.

    Attributes
    ----------
    generation
        Differs each time the log is begun anew.
    pages
        Those of this generation; what else the file holds is left from before.
    frame
        Bytes that a page takes there.
    """

    generation: bytes = b""
    pages: int = 0
    frame: int = 0


@dataclass(frozen=True, slots=True)
class LogState:
    """What is in the log, and how often it was emptied since the start.

    Attributes
    ----------
    size
        Bytes, at the last look.
    beside
        Times it was copied while commits went on.
    waited_for
        Times commits had to wait, because it was longer than its bound.
    held_up
        Times a reader needed what is in it.
    failed
        Times it could not be copied; `trouble` says why, and is empty again
        once it could.
    """

    size: int = 0
    beside: int = 0
    waited_for: int = 0
    held_up: int = 0
    failed: int = 0
    trouble: str = ""


class WriteAheadLog:
    """Keeps the log of one store short.

    Parameters
    ----------
    own
        The connection that empties it; ``synchronous = NORMAL`` is enough for that.
    writer
        The one that commits.

    Attributes
    ----------
    limits
        When it is emptied.
    state
        What is in it, and what became of attempts.
    """

    def __init__(self, path: Path, own: Connection, writer: Connection) -> None:
        self._path = path.with_name(f"{path.name}-wal")
        self._own = own
        self._writer = writer
        self.limits = Limits()
        self._turn = asyncio.Lock()
        self._seen = self._copied = Length()
        self._rest = 0
        self._is_closed = False
        self.state = LogState()

    async def tend(self) -> None:
        """Empty the log if it is time to; to be called once a second.

        Notes
        -----
        20 µs when there is nothing to do. What fails is counted in `state`,
        left for half a minute and tried again.
        """
        async with self._turn:
            length = await self._measured()
            is_calm, self._seen = length == self._seen, length
            if self._rest:
                self._rest -= 1
                return
            missing, limits = self._missing(length), self.limits
            if length.pages >= limits.most and missing:
                await self._copy(length, self._writer)
            elif length.pages >= limits.long and missing >= limits.enough:
                await self._copy(length, self._own)
            elif is_calm and length.pages >= limits.enough:
                if missing:
                    await self._copy(length, self._own)
                if await self._measured() == length == self._copied:
                    await self._begin_anew(length)

    async def make_room(self) -> None:
        """Copy a long log before more is written that can wait."""
        async with self._turn:
            length = await self._measured()
            if self._missing(length) >= self.limits.long and not self._rest:
                await self._copy(length, self._own)

    def size(self) -> int:
        """Return how many bytes were in the log at the last look."""
        return self.state.size

    def attempts(self) -> list[tuple[str, float]]:
        """Return how often it was emptied, or not, in which way."""
        now = self.state
        return [
            ("beside", now.beside),
            ("waited_for", now.waited_for),
            ("held_up", now.held_up),
            ("failed", now.failed),
        ]

    async def close(self) -> None:
        """Leave the log as it is; again is harmless."""
        async with self._turn:
            self._is_closed = True
            await self._own.close()

    async def _measured(self) -> Length:
        if self._is_closed:
            return Length()
        length = await self._own.call(lambda _: length_of(self._path))
        self.state = replace(self.state, size=length.pages * length.frame)
        return length

    def _missing(self, length: Length) -> int:
        """Return how many pages are not known to be in the file."""
        is_same = length.generation == self._copied.generation
        return length.pages - (self._copied.pages if is_same else 0)

    async def _copy(self, length: Length, connection: Connection) -> None:
        """Copy the log into the file, beside commits or between two of them."""
        before, self._copied = self._copied, length  # for who is cancelled: it goes on
        try:
            in_log, in_file = await connection.call(_checkpoint)
        except sqlite3.Error as error:
            self._copied = before
            self._fail(error)
            return
        self._copied = replace(length, pages=in_file) if in_file >= 0 else before
        now = replace(self.state, trouble="")
        if in_file < 0 or in_log - in_file >= self.limits.enough:
            self._hold_up()
        elif connection is self._writer:
            self.state = replace(now, waited_for=now.waited_for + 1)
        else:
            self.state = replace(now, beside=now.beside + 1)

    async def _begin_anew(self, length: Length) -> None:
        """Pay for the log's new beginning now, so that no page has to.

        With a connection that need not be durable that is a single sync, and on
        the writer's thread a commit that comes meanwhile follows at once.
        """
        try:
            await self._own.lend(self._writer, partial(transact, "BEGIN IMMEDIATE", touch))
        except sqlite3.Error as error:
            self._fail(error)
            return
        if (await self._measured()).generation == length.generation:
            self._hold_up()

    def _hold_up(self) -> None:
        """Note that somebody still reads what is in the log, or is at it as well."""
        self.state = replace(self.state, held_up=self.state.held_up + 1, trouble="")
        self._rest = _SHORT_REST

    def _fail(self, error: sqlite3.Error) -> None:
        self.state = replace(self.state, failed=self.state.failed + 1, trouble=str(error))
        self._rest = _REST


def length_of(log: Path) -> Length:
    """Return how much is in a log; nothing when there is none.

    Notes
    -----
    The file keeps its size when the log is begun anew, so that its blocks need
    not be found again; what is in it carries the salts of its header. Some
    fourteen short reads. Source: https://sqlite.org/fileformat2.html#walformat
    """
    try:
        descriptor = os.open(log, os.O_RDONLY)
    except OSError:
        return Length()
    try:
        header = os.pread(descriptor, _HEADER, 0)
        if len(header) < _HEADER:
            return Length()
        frame = _FRAME_HEADER + int.from_bytes(header[8:12], "big")
        generation = header[16:24]
        pages, beyond = 0, (os.fstat(descriptor).st_size - _HEADER) // frame + 1
        while beyond - pages > 1:
            middle = (pages + beyond) // 2
            salts = os.pread(descriptor, 8, _HEADER + (middle - 1) * frame + 8)
            pages, beyond = (middle, beyond) if salts == generation else (pages, middle)
        return Length(generation, pages, frame)
    except OSError:
        return Length()
    finally:
        os.close(descriptor)


def touch(database: sqlite3.Connection) -> None:
    """Write what is there already, so that the log begins."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {version}")


def _checkpoint(database: sqlite3.Connection) -> tuple[int, int]:
    """Copy what can be copied without waiting; return the pages in the log and in the file.

    Both are negative when another program is at it.
    """
    _, in_log, in_file = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(in_log), int(in_file)
