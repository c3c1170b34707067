"""Transactions: what each one reads and writes, as functions of a connection.

The caller has begun a transaction and ends it. These know the queries and the
rows, and nothing of threads.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from playwatch.ports import IncidentStory
from playwatch.store import rows, salvage
from playwatch.store.ledger import write_audit
from playwatch.store.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from playwatch.core.audit import AuditEntry
    from playwatch.core.decisions import Remark
    from playwatch.core.deliveries import Changes, Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.silences import Silence
    from playwatch.ports import AttemptRecord


def installation(database: sqlite3.Connection) -> str:
    """Return the name made with the store."""
    name: str = _all(database, "installation")[0]["name"]
    return name


def commit(database: sqlite3.Connection, changes: Changes) -> bool:
    """Store incidents, deliveries, decisions and audit; return whether every delivery was new.

    Raises
    ------
    sqlite3.IntegrityError
        If an incident has the id of another, or a delivery or a decision is
        about an incident that is not stored.
    """
    incidents = [rows.incident_row(incident) for incident in changes.incidents]
    if _many(database, "put_incident", incidents) != len(incidents):
        message = "an incident has the id of another one"
        raise sqlite3.IntegrityError(message)
    dimensions = [row for each in changes.incidents for row in rows.dimension_rows(each)]
    _many(database, "add_dimension", dimensions)
    _many(database, "put_text", [rows.text_row(each) for each in changes.incidents])
    told = zip(changes.incidents, incidents, strict=True)
    bodies = {id(each): str(row["body"]) for each, row in told}
    messages = [
        rows.delivery_row(each, bodies.get(id(each.incident), "")) for each in changes.deliveries
    ]
    are_new = _many(database, "add_delivery", messages) == len(messages)
    _many(database, "add_decision", [rows.decision_row(each) for each in changes.decisions])
    write_audit(database, changes.audit)
    return are_new


def record(database: sqlite3.Connection, records: Iterable[AttemptRecord]) -> None:
    """Store ended attempts and the state each left its delivery in.

    Raises
    ------
    sqlite3.IntegrityError
        If a delivery is not stored.
    """
    attempts = [rows.attempt_row(each) for each in records]
    _many(database, "add_attempt", attempts)
    _many(database, "update_delivery", attempts)


def due(
    database: sqlite3.Connection, channel: str, now_at: int, limit: int, busy: Collection[str]
) -> list[Delivery]:
    """Return pending deliveries of a channel that may be sent now."""
    asked = {"channel": channel, "now_at": now_at, "limit": max(limit, 0), "busy": _json(busy)}
    return salvage.deliveries_of(database, _all(database, "due", asked))


def next_due_at(database: sqlite3.Connection, channel: str, busy: Collection[str]) -> int | None:
    """Return when the channel has something to send next; None when never."""
    found = _all(database, "next_due_at", {"channel": channel, "busy": _json(busy)})
    return found[0]["not_before_at"] if found else None


def open_incidents(database: sqlite3.Connection) -> list[Incident]:
    """Return every open incident, the oldest first."""
    return _incidents(database, "open_incidents", {})


def routed(database: sqlite3.Connection, incident_ids: Sequence[str]) -> list[Delivery]:
    """Return the triggers of some incidents, in the order they were decided."""
    found = _all(database, "routed", {"incident_ids": _json(incident_ids)})
    return salvage.deliveries_of(database, found)


def incident(database: sqlite3.Connection, incident_id: str) -> IncidentStory | None:
    """Return one incident with its whole record; None when unknown."""
    asked = {"id": incident_id}
    found = _incidents(database, "incident", asked)
    if not found:
        return None
    sent = salvage.deliveries_of(database, _all(database, "deliveries_of_incident", asked))
    by_id = {delivery.id: delivery for delivery in sent}
    tried = _all(database, "attempts_of_incident", asked)
    return IncidentStory(
        found[0],
        sent,
        [rows.attempt_of(row, by_id[row["delivery_id"]]) for row in tried],
        [rows.decision_of(row) for row in _all(database, "decisions_of_incident", asked)],
        [rows.remark_of(row) for row in _all(database, "remarks_of_incident", asked)],
    )


def withheld(database: sqlite3.Connection, incident_ids: Sequence[str]) -> set[str]:
    """Return which of some incidents have a trigger that a silence keeps back."""
    found = _all(database, "withheld", {"incident_ids": _json(incident_ids)})
    return {row["id"] for row in found}


def add_remark(
    database: sqlite3.Connection, remark: Remark, audit: Sequence[AuditEntry] = ()
) -> None:
    """Store what a person said about a stored incident."""
    _many(database, "add_remark", [rows.remark_row(remark)])
    write_audit(database, audit)


def add_silence(
    database: sqlite3.Connection, silence: Silence, audit: Sequence[AuditEntry] = ()
) -> None:
    """Store a new silence."""
    _many(database, "add_silence", [rows.silence_row(silence)])
    write_audit(database, audit)


def end_silence(
    database: sqlite3.Connection, silence_id: str, at: int, audit: Sequence[AuditEntry] = ()
) -> Silence | None:
    """Let a silence end at a moment unless it has; None when unknown."""
    has_ended = _many(database, "end_silence", [{"id": silence_id, "at": at}])
    write_audit(database, audit if has_ended else ())
    found = _all(database, "silence", {"id": silence_id})
    return rows.silence_of(found[0]) if found else None


def silences(database: sqlite3.Connection, after: int) -> list[Silence]:
    """Return silences that end after a moment."""
    return [rows.silence_of(row) for row in _all(database, "silences", {"after": after})]


def drop_old_piece(database: sqlite3.Connection) -> bool:
    """Remove a piece of a snapshot that no longer counts; return whether one was left."""
    return _many(database, "drop_old_piece", [{}]) > 0


def begin_snapshot(database: sqlite3.Connection, taken_at: int) -> int:
    """Return the id of a new snapshot, which does not count yet."""
    _many(database, "drop_old_snapshots", [{}])
    cursor = database.execute(QUERIES["begin_snapshot"].sql, {"taken_at": taken_at})
    snapshot_id: int = cursor.fetchone()["id"]
    return snapshot_id


def add_snapshot_piece(
    database: sqlite3.Connection, snapshot_id: int, name: str, body: bytes
) -> None:
    """Store the next piece of one part of a snapshot."""
    asked = {"snapshot_id": snapshot_id, "name": name, "body": body}
    _many(database, "add_snapshot_piece", [asked])


def complete_snapshot(database: sqlite3.Connection, snapshot_id: int) -> None:
    """Make a snapshot the newest."""
    _many(database, "complete_snapshot", [{"snapshot_id": snapshot_id}])


def newest_snapshot(database: sqlite3.Connection) -> tuple[dict[str, bytes], int] | None:
    """Return the newest complete snapshot and its time; None without one."""
    newest = _all(database, "newest_snapshot")
    if not newest:
        return None
    pieces: dict[str, list[bytes]] = {}
    for row in _all(database, "pieces_of_snapshot", {"snapshot_id": newest[0]["id"]}):
        pieces.setdefault(row["name"], []).append(row["body"])
    return {name: b"".join(bodies) for name, bodies in pieces.items()}, newest[0]["taken_at"]


def _incidents(
    database: sqlite3.Connection, query: str, asked: Mapping[str, object]
) -> list[Incident]:
    return salvage.incidents_of(database, _all(database, query, asked))


def _all(
    database: sqlite3.Connection, query: str, asked: Mapping[str, object] | None = None
) -> list[sqlite3.Row]:
    return database.execute(QUERIES[query].sql, dict(asked or {})).fetchall()


def _many(database: sqlite3.Connection, query: str, asked: Sequence[Mapping[str, object]]) -> int:
    """Run a statement for each set of parameters; return how many rows it changed."""
    return max(database.executemany(QUERIES[query].sql, asked).rowcount, 0)


def _json(names: Collection[str]) -> str:
    return json.dumps(list(names))
