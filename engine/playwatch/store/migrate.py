"""Migrations: numbered steps from an empty file to the newest schema.

This runs before the engine serves anything, so it is plain and synchronous.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError, StoreVersionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

APPLICATION_ID: Final = 1349286263
"""What marks an SQLite file as a store of Playwatch; the first migration sets it."""

_BUSY_S: Final = 5.0


@cache
def shipped_migrations() -> dict[int, str]:
    """Return the SQL of every migration by the version it leads to, ascending."""
    folder = resources.files(__package__) / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return {int(file.name.partition("_")[0]): file.read_text("utf-8") for file in files}


def prepare(path: Path, migrations: Mapping[int, str] | None = None) -> None:
    """Make a store ready to be written: create it, or bring its schema up to date.

    Parameters
    ----------
    path
        The file; made with mode 0600 when missing. SQLite gives the files that
        it keeps beside it the same mode.
    migrations
        SQL by the version it leads to, ascending; the shipped ones by default.

    Raises
    ------
    StoreVersionError
        If a newer Playwatch wrote it.
    StoreError
        If it is not a store, or cannot be read or written. A migration that
        fails leaves the store as it was before that migration.
    """
    steps = shipped_migrations() if migrations is None else migrations
    try:
        if not path.exists():  # to open and close one in use would drop SQLite's locks
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as connection:
            found = _version(connection, path)
            _refuse_newer(path, found, max(steps))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.create_function("casefold", 1, str.casefold, deterministic=True)
            for version, sql in steps.items():
                if version > found:
                    _step(connection, version, sql)
            # A file that can only be read is found out now, not at the first incident:
            # the newest migration's mark is written once more and taken back.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA user_version = {max(steps)}")
            connection.execute("ROLLBACK")
    except OSError as error:
        raise StoreError(_cannot(path, "opened", error.strerror or str(error))) from error
    except sqlite3.Error as error:
        raise StoreError(_cannot(path, "opened", str(error))) from error


def check(path: Path) -> str:
    """Return the URI to read a store by; nothing is written or created.

    Raises
    ------
    StoreVersionError
        If a newer Playwatch wrote it.
    StoreError
        If there is none, it is not a store, or its schema is older than this
        version's: only an engine that writes brings it up to date.

    Notes
    -----
    Without a ``-wal`` file no engine has the store open, and SQLite would have
    to make one to read: such a store is opened as ``immutable``.
    """
    try:
        if not path.exists():
            message = f"store {path} does not exist: start an engine first, or give another path"
            raise StoreError(message)
        has_wal = path.with_name(f"{path.name}-wal").exists()
        uri = f"{path.absolute().as_uri()}?mode=ro" + ("" if has_wal else "&immutable=1")
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as connection:
            found = _version(connection, path)
    except OSError as error:
        raise StoreError(_cannot(path, "read", error.strerror or str(error))) from error
    except sqlite3.Error as error:
        raise StoreError(_cannot(path, "read", str(error))) from error
    known = max(shipped_migrations())
    _refuse_newer(path, found, known)
    if found < known:
        message = (
            f"store {path} has schema {found}, not {known}: start the engine once to update it"
        )
        raise StoreError(message)
    return uri


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema of a store, 0 for an empty file; refuse other files."""
    try:
        version = int(_pragma(connection, "user_version"))
        is_empty = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise
        message = f"{path} is not a store ({error}): give another path, or restore a backup"
        raise StoreError(message) from error
    if not is_empty and _pragma(connection, "application_id") != APPLICATION_ID:
        message = f"{path} is the database of another program: give another path"
        raise StoreError(message)
    return version


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _refuse_newer(path: Path, found: int, known: int) -> None:
    if found > known:
        raise StoreVersionError(str(path), found, known)


def _step(connection: sqlite3.Connection, version: int, sql: str) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {version};\nCOMMIT;"
        )
    except sqlite3.Error:
        connection.rollback()
        raise


def _cannot(path: Path, verb: str, reason: str) -> str:
    return f"store {path} cannot be {verb}: {reason}"
