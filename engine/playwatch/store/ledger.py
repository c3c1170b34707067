"""What people changed: channels added at run time, and the audit of every change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from playwatch.core.audit import AuditEntry
from playwatch.ports import StoredChannel
from playwatch.store.queries import QUERIES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping

    from playwatch.ports import AuditQuery

_T = TypeVar("_T")


def write_audit(database: sqlite3.Connection, entries: Iterable[AuditEntry]) -> None:
    """Add entries to the audit, in the transaction of the change that they are about."""
    rows = [
        {
            "at": entry.at,
            "who": entry.who,
            "what": entry.what,
            "subject": entry.subject,
            "before": _json(entry.before),
            "after": _json(entry.after),
        }
        for entry in entries
    ]
    database.executemany(QUERIES["add_audit"].sql, rows)


class SqliteLedger:
    """The part of a store in SQLite that is about what people changed."""

    async def _run(self, begin: str, verb: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        raise NotImplementedError

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Return entries of the audit, the newest first."""
        asked = {"limit": max(query.limit, 0), "offset": max(query.offset, 0)}
        name = "audit" if query.subject is None else "audit_of_subject"
        sql, parameters = QUERIES[name].sql, {**asked, "subject": query.subject}
        rows = await self._run("BEGIN", "read", lambda db: db.execute(sql, parameters).fetchall())
        return [_entry(row) for row in rows]

    async def add_audit(self, entry: AuditEntry) -> None:
        """Add an entry about something that is not in the store."""
        await self._run("BEGIN IMMEDIATE", "written", lambda db: write_audit(db, [entry]))

    async def channels(self) -> list[StoredChannel]:
        """Return the channels that were added at run time, in that order."""
        sql = QUERIES["channels"].sql
        rows = await self._run("BEGIN", "read", lambda db: db.execute(sql).fetchall())
        return [_channel(row) for row in rows]

    async def put_channel(self, channel: StoredChannel, entry: AuditEntry) -> None:
        """Store a channel, or its later state, and who wanted it."""
        row = {
            "name": channel.name,
            "settings": _json(channel.settings),
            "key_fingerprint": channel.key_fingerprint,
            "is_enabled": int(channel.is_enabled),
            "added_at": channel.added_at,
            "added_by": channel.added_by,
        }

        def work(database: sqlite3.Connection) -> None:
            database.execute(QUERIES["put_channel"].sql, row)
            write_audit(database, [entry])

        await self._run("BEGIN IMMEDIATE", "written", work)

    async def drop_channel(self, name: str, entry: AuditEntry) -> None:
        """Remove a channel that was added at run time; what it is owed still goes out."""

        def work(database: sqlite3.Connection) -> None:
            database.execute(QUERIES["drop_channel"].sql, {"name": name})
            write_audit(database, [entry])

        await self._run("BEGIN IMMEDIATE", "written", work)


class MemoryLedger:
    """The same in memory."""

    _audit: list[AuditEntry]
    _channels: dict[str, StoredChannel]

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Return entries of the audit, the newest first."""
        found = [one for one in self._audit if query.subject in {None, one.subject}]
        start = max(query.offset, 0)
        return found[::-1][start : start + max(query.limit, 0)]

    async def add_audit(self, entry: AuditEntry) -> None:
        """Add an entry about something that is not kept here."""
        self._audit.append(entry)

    async def channels(self) -> list[StoredChannel]:
        """Return the channels that were added at run time, in that order."""
        return list(self._channels.values())

    async def put_channel(self, channel: StoredChannel, entry: AuditEntry) -> None:
        """Keep a channel, or its later state, and who wanted it."""
        self._channels[channel.name] = channel
        self._audit.append(entry)

    async def drop_channel(self, name: str, entry: AuditEntry) -> None:
        """Remove a channel that was added at run time."""
        self._channels.pop(name, None)
        self._audit.append(entry)


def _json(facts: Mapping[str, object]) -> str:
    return json.dumps(dict(facts), ensure_ascii=False, allow_nan=False)


def _entry(row: sqlite3.Row) -> AuditEntry:
    return AuditEntry(
        row["at"],
        row["who"],
        row["what"],
        row["subject"],
        json.loads(row["before"]),
        json.loads(row["after"]),
    )


def _channel(row: sqlite3.Row) -> StoredChannel:
    return StoredChannel(
        name=row["name"],
        settings=json.loads(row["settings"]),
        key_fingerprint=row["key_fingerprint"],
        is_enabled=bool(row["is_enabled"]),
        added_at=row["added_at"],
        added_by=row["added_by"],
    )
