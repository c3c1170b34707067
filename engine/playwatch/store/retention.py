"""Retention: removes what ended long ago, a little at a time.

It has a connection of its own and transactions of a few milliseconds, so that
the commit of an incident waits no longer than that. What is open and what is
still to be sent is never removed. The audit goes a month at a time, each with
an entry that says so; the store refuses anything else.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from playwatch.core.audit import AuditEntry
from playwatch.errors import StoreError
from playwatch.store.ledger import write_audit

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
_AUDIT_MAY_GO: Final = """
SELECT min(:before, 1000 * (CAST(strftime('%s', 'now') AS INTEGER) - 90 * 86400))
"""
"""What the store lets go, by SQLite's own clock; as in the trigger that refuses the rest."""
_MONTH_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What may go: whatever is older than these, milliseconds since the epoch.

    Attributes
    ----------
    incidents
        Ended incidents, and the silences of their time.
    attempts
        Attempts about ended incidents.
    audit
        Entries of the audit, rounded down to a whole month of 30 days: one
        entry a month then tells of those that went.
    """

    incidents: int
    attempts: int
    audit: int


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was removed."""

    incidents: int = 0
    attempts: int = 0
    silences: int = 0
    audit: int = 0

    def __bool__(self) -> bool:
        """Return whether it was anything."""
        return bool(self.incidents or self.attempts or self.silences or self.audit)


def remove_old(path: Path, before: Limits, now_at: int) -> Removed:
    """Remove what is older than it is to be kept.

    Parameters
    ----------
    path
        A store that is in use, or is not.
    now_at
        Milliseconds since the epoch: when the audit says that this happened.

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
            database.execute("PRAGMA wal_autocheckpoint = 0")  # the store empties its log
            return Removed(
                _incidents(database, before.incidents),
                _repeated(database, _OLD_ATTEMPTS, before.attempts),
                _repeated(database, _OLD_SILENCES, before.incidents),
                _audit(database, before.audit, now_at),
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


def _audit(database: sqlite3.Connection, before: int, now_at: int) -> int:
    """Remove old entries of the audit, in one transaction with the entry that says so."""
    month = before // _MONTH_MS * _MONTH_MS
    database.execute("BEGIN IMMEDIATE")
    may_go: int = database.execute(_AUDIT_MAY_GO, {"before": month}).fetchone()[0]
    asked = {"before": may_go}
    count: int = database.execute(
        "SELECT count(*) FROM audit WHERE at < :before", asked
    ).fetchone()[0]
    if count:
        until = datetime.fromtimestamp(may_go / 1000, UTC)
        facts = {"entries": count, "before": f"{until:%Y-%m-%dT%H:%M:%SZ}", "before_ms": may_go}
        write_audit(database, [AuditEntry(now_at, "housekeeping", "audit shortened", after=facts)])
        database.execute("DELETE FROM audit WHERE at < :before", asked)
    database.execute("COMMIT")
    return count
