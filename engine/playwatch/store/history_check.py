"""A look at every page and every block of a history."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError
from playwatch.store.history import APPLICATION_ID, History
from playwatch.store.history_blocks import unpack

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_S: Final = 5.0
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """What a look at every block of a history has found.

    Attributes
    ----------
    series, blocks
        How many there are.
    first_minute, last_minute
        Since the epoch; None without a block.
    problems
        One sentence for each thing that is wrong; empty when all is well.
    """

    path: Path
    size: int
    series: int
    blocks: int
    first_minute: int | None
    last_minute: int | None
    problems: tuple[str, ...]


def is_history(path: Path) -> bool:
    """Return whether a file is marked as a history; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return int.from_bytes(head[68:72], "big") == APPLICATION_ID


def check_history(path: Path) -> HistoryCheck:
    """Return what a history holds and what is wrong with it; nothing is changed.

    Raises
    ------
    StoreVersionError
        If a newer Playwatch wrote it.
    StoreError
        If there is none, or it is no history.

    Notes
    -----
    Reads and unpacks everything: some 50 MB a second.
    """
    History.open(path, read_only=True).close()
    facts: tuple[int, int, int | None, int | None] = (0, 0, None, None)
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as database:
            problems = _problems(database)
            if not problems:
                series = database.execute("SELECT count(*) FROM series").fetchone()[0]
                blocks = "SELECT count(*), min(first), max(last) FROM blocks"
                facts = (series, *database.execute(blocks).fetchone())
                problems = _damaged(database)
        return HistoryCheck(path, path.stat().st_size, *facts, tuple(problems))
    except (OSError, sqlite3.Error) as error:
        message = f"history {path} cannot be read: {error}"
        raise StoreError(message) from error


def _problems(database: sqlite3.Connection) -> list[str]:
    try:
        found = database.execute(f"PRAGMA integrity_check({_MOST})").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [str(one) for (one,) in found if one != "ok"]


def _damaged(database: sqlite3.Connection) -> list[str]:
    """Return a sentence for each block that cannot be unpacked, the first ones."""
    found = []
    for number, part, body in database.execute("SELECT number, part, body FROM blocks"):
        try:
            unpack(body, part)
        except ValueError as error:
            found.append(f"block {number} cannot be read, its minutes are left out: {error}")
        if len(found) == _MOST:
            break
    return found
