"""What can still be said of an incident whose record cannot be read.

A disk can spoil a row. The same facts stand in the incident and in each of its
deliveries, so one that can be read lends them to one that cannot; and where
none can, the columns still say which rule, since when, how bad and under which
key. A page that says less beats no page, and nobody else waits.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from playwatch.core.incidents import Incident, Status
from playwatch.core.rules import AlertType, Severity
from playwatch.store import rows
from playwatch.store.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.deliveries import Delivery

_RESOLVES_FROM: Final = 100 - len(Severity)

log = logging.getLogger("playwatch.store")


def deliveries_of(database: sqlite3.Connection, found: Iterable[sqlite3.Row]) -> list[Delivery]:
    """Return the deliveries of rows of ``deliveries``, those that cannot be read mended."""
    return [_delivery(database, row) for row in found]


def incidents_of(database: sqlite3.Connection, found: Iterable[sqlite3.Row]) -> list[Incident]:
    """Return the incidents of rows of ``incidents``, those that cannot be read mended."""
    return [_incident(database, row) for row in found]


def _delivery(database: sqlite3.Connection, row: sqlite3.Row) -> Delivery:
    try:
        return rows.delivery_of(row)
    except msgspec.MsgspecError as error:
        facts = _copy(database, row["incident_id"])
        if facts is None:
            facts = _remains(database, row["incident_id"], _severity(row["urgency"]))
        _mend(database, "mend_delivery", row["id"], f"delivery {row['id']}", facts, error)
        return rows.delivery_of(row, facts)


def _incident(database: sqlite3.Connection, row: sqlite3.Row) -> Incident:
    try:
        return rows.decode_incident(row["body"])
    except msgspec.MsgspecError as error:
        facts = _copy(database, row["id"])
        if facts is None:
            facts = _remains(database, row["id"], Severity.CRITICAL)
        elif facts.status.value != row["status"]:
            ended = "its record was damaged"
            facts = facts.ended(
                Status(row["status"]),
                reason=ended,
                resolved_at=facts.opened_at,
                ended_at=facts.opened_at,
                value=None,
            )
        _mend(database, "mend_incident", row["id"], f"incident {row['id']}", facts, error)
        return facts


def _copy(database: sqlite3.Connection, incident_id: str) -> Incident | None:
    """Return the newest facts of an incident that can be read; None when none can."""
    for row in database.execute(QUERIES["copies_of_incident"].sql, {"id": incident_id}):
        with suppress(msgspec.MsgspecError):
            return rows.decode_incident(row["body"])
    return None


def _remains(database: sqlite3.Connection, incident_id: str, severity: Severity) -> Incident:
    """Return what the columns say."""
    asked = {"id": incident_id}
    row = database.execute(QUERIES["remains_of_incident"].sql, asked).fetchone()
    return Incident(
        id=incident_id,
        incident_key=row["incident_key"],
        rule=row["rule"],
        scope="",
        alert_type=AlertType.THRESHOLD,
        status=Status(row["status"]),
        severity=severity,
        measurement="",
        unit="",
        breakdowns=(),
        measured_value=math.nan,
        peak_value=math.nan,
        threshold=math.nan,
        bound="",
        sample_size=0,
        affected_viewers=0,
        started_at=row["opened_at"],
        opened_at=row["opened_at"],
        window_s=0.0,
        summary=f"{row['rule']}: what was measured is lost, the record was damaged",
    )


def _severity(urgency: int) -> Severity:
    """Return the severity that `playwatch.store.rows.urgency` was made of."""
    is_resolve = urgency >= _RESOLVES_FROM
    return Severity(min(max((100 if is_resolve else 0) - urgency, 0), max(Severity)))


def _mend(
    database: sqlite3.Connection,
    query: str,
    name: str,
    what: str,
    facts: Incident,
    error: Exception,
) -> None:
    """Write back what was saved, so that it is told once; who may only read does not."""
    log.error("the stored %s cannot be read (%s): going on with what is left of it", what, error)
    with suppress(sqlite3.OperationalError):
        database.execute(QUERIES[query].sql, {"id": name, "body": rows.encode_incident(facts)})
