"""Backups: a copy of a store in use, made by SQLite itself and verified.

The copy is one file, as the store was at one moment, beside it the key ring.
An engine may run meanwhile: its commits go on.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError
from playwatch.store.keyring import ring_path
from playwatch.store.migrate import check

if TYPE_CHECKING:
    from pathlib import Path

_PAGES: Final = 512
_PAUSE_S: Final = 0.002
_BUSY_S: Final = 5.0
_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What a look at every page of a store has found.

    Attributes
    ----------
    problems
        One sentence for each thing that is wrong; empty when all is well.
    incidents, open_incidents, pending
        Incidents, those that are open, and deliveries that are still to be sent.
    """

    path: Path
    size: int
    schema: int
    incidents: int
    open_incidents: int
    pending: int
    problems: tuple[str, ...]


def check_store(path: Path) -> StoreCheck:
    """Return what a store holds and what is wrong with it; nothing is changed.

    Raises
    ------
    StoreVersionError
        If a newer Playwatch wrote it.
    StoreError
        If there is none, or it is no store.
    """
    uri = check(path)
    counts = (0, 0, 0, 0)
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as database:
            problems = _problems(database)
            if not problems:
                counts = (
                    _number(database, "PRAGMA user_version"),
                    _number(database, "SELECT count(*) FROM incidents"),
                    _number(database, "SELECT count(*) FROM incidents WHERE status = 'open'"),
                    _number(database, "SELECT count(*) FROM deliveries WHERE status = 'pending'"),
                )
        return StoreCheck(path, path.stat().st_size, *counts, tuple(problems))
    except (OSError, sqlite3.Error) as error:
        message = f"store {path} cannot be read: {error}"
        raise StoreError(message) from error


def _problems(database: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with its pages, indexes and references."""
    try:
        found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(20)")]
        orphans = database.execute("PRAGMA foreign_key_check").fetchmany(20)
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [
        *(one for one in found if one != "ok"),
        *(f"{table} names something in {other} that is gone" for table, _, other, _ in orphans),
    ]


def back_up(path: Path, target: Path) -> StoreCheck:
    """Copy a store that may be in use, with its keys, and check the copy.

    Parameters
    ----------
    target
        The file to make; one that is there is replaced only by a copy that is
        well.

    Raises
    ------
    StoreError
        If the store cannot be read, the copy cannot be written, or it is not well.

    Notes
    -----
    1. Copy into a draft beside the target, some pages at a time.
    2. Make it one file, without a log beside it.
    3. Check every page of it.
    4. Put it, and the keys, in place.
    """
    if target.resolve() == path.resolve():
        message = f"{target} is the store itself: give another file"
        raise StoreError(message)
    draft = target.with_name(f".{target.name}.draft")
    try:
        _copy(path, draft)
        found = check_store(draft)
        if found.problems:
            message = f"the copy of {path} is not well: {found.problems[0]}"
            raise StoreError(message)
        ring = ring_path(path)
        if ring.exists():
            keys = ring_path(target)
            keys.touch(_MODE)
            keys.chmod(_MODE)
            shutil.copyfile(ring, keys)
        os.replace(draft, target)  # noqa: PTH105 - one step, over what was there
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror or error}"
        raise StoreError(message) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return StoreCheck(
        target,
        found.size,
        found.schema,
        found.incidents,
        found.open_incidents,
        found.pending,
        found.problems,
    )


def _copy(path: Path, draft: Path) -> None:
    uri = check(path)
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE))
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as source,
            closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        ):
            source.backup(copy, pages=_PAGES, sleep=_PAUSE_S)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        message = f"store {path} cannot be copied to {draft.parent}: {error}"
        raise StoreError(message) from error


def _number(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])
