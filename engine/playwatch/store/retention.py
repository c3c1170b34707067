"""Retention: removes what ended long ago, a little at a time.

It has a connection of its own and transactions of a few milliseconds, so that
the commit of an incident waits no longer than that. What is open, what is still
to be sent and the audit are never removed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_S: Final = 5.0
_STEP: Final = 200

_OLD_INCIDENTS: Final = """
SELECT id FROM incidents
WHERE status <> 'open' AND opened_at < :before AND coalesce(ended_at, opened_at) < :before
    AND NOT EXISTS (
        SELECT 1 FROM deliveries
        WHERE deliveries.incident_id = incidents.id AND deliveries.status = 'pending'
    )
ORDER BY opened_at LIMIT :step
"""
_WITH_THEM: Final = (
    "DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE incident_id = ?)",
    "DELETE FROM deliveries WHERE incident_id = ?",
    "DELETE FROM decisions WHERE incident_id = ?",
    "DELETE FROM remarks WHERE incident_id = ?",
    "DELETE FROM incidents WHERE id = ?",
)
_OLD_ATTEMPTS: Final = """
DELETE FROM attempts WHERE number IN (
    SELECT attempts.number FROM attempts
    JOIN deliveries ON deliveries.id = attempts.delivery_id
    JOIN incidents ON incidents.id = deliveries.incident_id
    WHERE attempts.at < :before AND deliveries.status <> 'pending' AND incidents.status <> 'open'
    LIMIT :step
)
"""
_OLD_SILENCES: Final = """
DELETE FROM silences WHERE number IN (
    SELECT number FROM silences WHERE ends_at < :before LIMIT :step
)
"""


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was removed."""

    incidents: int = 0
    attempts: int = 0
    silences: int = 0

    def __bool__(self) -> bool:
        """Return whether it was anything."""
        return bool(self.incidents or self.attempts or self.silences)


def remove_old(path: Path, incidents_before: int, attempts_before: int) -> Removed:
    """Remove what ended before a moment, and what was tried before another.

    Parameters
    ----------
    path
        A store that is in use, or is not.
    incidents_before, attempts_before
        Milliseconds since the epoch. Silences go with the incidents of their time.

    Raises
    ------
    StoreError
        If the file cannot be written; what was removed by then stays removed.
    """
    try:
        uri = f"{path.resolve().as_uri()}?mode=rw"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
        ) as database:
            database.execute("PRAGMA foreign_keys = ON")
            return Removed(
                _incidents(database, incidents_before),
                _repeated(database, _OLD_ATTEMPTS, attempts_before),
                _repeated(database, _OLD_SILENCES, incidents_before),
            )
    except sqlite3.Error as error:
        message = f"store {path} cannot be tidied: {error}"
        raise StoreError(message) from error


def _incidents(database: sqlite3.Connection, before: int) -> int:
    removed = 0
    while True:
        database.execute("BEGIN IMMEDIATE")
        asked = {"before": before, "step": _STEP // 10}
        ids = database.execute(_OLD_INCIDENTS, asked).fetchall()
        for statement in _WITH_THEM:
            database.executemany(statement, ids)
        database.execute("COMMIT")
        removed += len(ids)
        if not ids:
            return removed


def _repeated(database: sqlite3.Connection, statement: str, before: int) -> int:
    removed = 0
    while count := database.execute(statement, {"before": before, "step": _STEP}).rowcount:
        removed += count
    return removed
