"""One connection to an SQLite file: the only file that knows aiosqlite."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

import aiosqlite

from playwatch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_T = TypeVar("_T")

_BUSY_S: Final = 5.0


class Connection(aiosqlite.Connection):
    """A connection that runs a whole transaction in one call of its thread."""

    @classmethod
    async def open(cls, path: Path, uri: str, *settings: str) -> Self:
        """Return an open connection, or leave nothing open.

        Raises
        ------
        StoreError
            If SQLite cannot open or read the file.
        """
        connection = cls(
            partial(
                sqlite3.connect,
                uri,
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,  # see `lend`
            ),
            64,
        )
        try:
            await connection
            connection.row_factory = sqlite3.Row
            for setting in settings:
                await connection.execute_fetchall(f"PRAGMA {setting}")
            # Take part in the log from here on, so that a reader sees that it is in use.
            await connection.execute_fetchall("SELECT 1 FROM sqlite_schema LIMIT 1")
        except BaseException as error:
            await connection.close()
            if isinstance(error, sqlite3.Error):
                message = f"store {path} cannot be opened: {error}"
                raise StoreError(message) from error
            raise
        return connection

    async def lend(self, other: Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what a function returns that is called with this one on another's thread.

        The other one does nothing else meanwhile; nor may this one.
        """
        return await other.call(lambda _: work(self._conn))

    async def call(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what a function returns that is called on the connection's thread."""
        run: Callable[..., Awaitable[_T]] = self._execute
        return await run(work, self._conn)
