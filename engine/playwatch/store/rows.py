"""Rows: incidents and deliveries as SQLite keeps them, and back."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from playwatch.core.decisions import Decision, Remark, RemarkKind
from playwatch.core.deliveries import Action, Delivery, DeliveryStatus, urgency
from playwatch.core.incidents import Incident
from playwatch.core.listings import search_text
from playwatch.core.rules import Matcher
from playwatch.core.silences import Silence
from playwatch.ports import AttemptRecord

if TYPE_CHECKING:
    import sqlite3

_ENCODER: Final = msgspec.json.Encoder()
# Not strict, because JSON has no NaN and no infinity: they are kept as text.
_DECODER: Final = msgspec.json.Decoder(Incident, strict=False)
_DECISIONS: Final = msgspec.json.Decoder(Decision, strict=False)
_MATCHERS: Final = msgspec.json.Decoder(tuple[Matcher, ...])

_NUMBERS: Final = {
    kind: [field.name for field in fields(kind) if "float" in str(field.type)]
    for kind in (Incident, Decision)
}
"""What of a record may be NaN or infinite."""
# Of one name alone it would be no tuple.
_NUMBERS_OF: Final = {kind: attrgetter(*names, names[0]) for kind, names in _NUMBERS.items()}

Row = dict[str, str | int | float | None]
"""The parameters of one statement."""


def encode_incident(incident: Incident) -> str:
    """Return an incident as JSON; `decode_incident` gives an equal one back.

    Notes
    -----
    About 3 µs, more where a number is none. A field added later with a default
    reads old rows, and a field that this version does not know is skipped.
    """
    return _encode(incident)


def _encode(record: Incident | Decision) -> str:
    kind = type(record)
    # A sum is finite only where all of its numbers are.
    if math.isfinite(sum(filter(None, _NUMBERS_OF[kind](record)))):
        return _ENCODER.encode(record).decode()
    built: dict[str, object] = msgspec.to_builtins(record)
    for name in _NUMBERS[kind]:
        value = built[name]
        if isinstance(value, float) and not math.isfinite(value):
            built[name] = str(value)
    return _ENCODER.encode(built).decode()


def decode_incident(body: str) -> Incident:
    """Return the incident that `encode_incident` wrote.

    Raises
    ------
    msgspec.MsgspecError
        If the text is not an incident.
    """
    return _DECODER.decode(body)


def incident_row(incident: Incident) -> Row:
    """Return the columns of an incident."""
    return {
        "id": incident.id,
        "incident_key": incident.incident_key,
        "rule": incident.rule,
        "status": incident.status.value,
        "opened_at": incident.opened_at,
        "body": encode_incident(incident),
        "alert_type": incident.alert_type.value,
        "severity": incident.severity.value,
        "metric": incident.measurement,
        "ended_at": incident.ended_at,
        "value": _or_none(incident.measured_value),
        "viewers": incident.affected_viewers,
        "viewers_per_hour": _or_none(incident.affected_viewers_per_hour),
    }


def dimension_rows(incident: Incident) -> list[Row]:
    """Return the rows of an incident's group, one for each dimension."""
    return [
        {"name": name, "value": value, "incident_id": incident.id}
        for name, value in incident.breakdowns
    ]


def text_row(incident: Incident) -> Row:
    """Return what a search by text looks through."""
    return {"id": incident.id, "text": search_text(incident)}


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def delivery_row(delivery: Delivery, body: str = "") -> Row:
    """Return the columns of a delivery.

    Parameters
    ----------
    body
        What `encode_incident` gave for its incident, where that is known.
    """
    return {
        "id": delivery.id,
        "incident_id": delivery.incident_id,
        "channel": delivery.channel,
        "key_fingerprint": delivery.key_fingerprint,
        "action": delivery.action.value,
        "dedup_key": delivery.dedup_key,
        "urgency": urgency(delivery),
        "created_at": delivery.created_at,
        "attempts": delivery.attempts,
        "not_before_at": delivery.not_before_at,
        "status": delivery.status.value,
        "reason": delivery.reason,
        "incident": body or encode_incident(delivery.incident),
    }


def delivery_of(row: sqlite3.Row, facts: Incident | None = None) -> Delivery:
    """Return the delivery of a row of ``deliveries``.

    Parameters
    ----------
    facts
        The incident, where that of the row cannot be read.

    Raises
    ------
    msgspec.MsgspecError
        If it cannot be read and is not given.
    """
    return Delivery(
        id=row["id"],
        incident=facts or decode_incident(row["incident"]),
        channel=row["channel"],
        key_fingerprint=row["key_fingerprint"],
        action=Action(row["action"]),
        dedup_key=row["dedup_key"],
        created_at=row["created_at"],
        attempts=row["attempts"],
        not_before_at=row["not_before_at"],
        status=DeliveryStatus(row["status"]),
        reason=row["reason"],
        is_shortened=bool(row["is_shortened"]),
    )


def attempt_row(record: AttemptRecord) -> Row:
    """Return the columns of an ended attempt."""
    delivery = record.delivery
    return {
        "delivery_id": delivery.id,
        "at": record.at,
        "duration_ms": record.duration_ms,
        "outcome": record.outcome,
        "detail": record.detail,
        "attempts": delivery.attempts,
        "not_before_at": delivery.not_before_at,
        "status": delivery.status.value,
        "reason": delivery.reason,
        "is_shortened": delivery.is_shortened,
    }


def attempt_of(row: sqlite3.Row, delivery: Delivery) -> AttemptRecord:
    """Return the attempt of a row of ``attempts`` about this delivery."""
    return AttemptRecord(
        delivery=after_attempt(
            delivery,
            attempts=row["attempts"],
            not_before_at=row["not_before_at"],
            status=DeliveryStatus(row["status"]),
            reason=row["reason"],
            is_shortened=bool(row["is_shortened"]),
        ),
        at=row["at"],
        duration_ms=row["duration_ms"],
        outcome=row["outcome"],
        detail=row["detail"],
    )


def after_attempt(
    delivery: Delivery,
    *,
    attempts: int,
    not_before_at: int,
    status: DeliveryStatus,
    reason: str,
    is_shortened: bool,
) -> Delivery:
    """Return a delivery with what an attempt can change, the rest as stored."""
    return replace(
        delivery,
        attempts=attempts,
        not_before_at=not_before_at,
        status=status,
        reason=reason,
        is_shortened=is_shortened,
    )


def decision_row(decision: Decision) -> Row:
    """Return the columns of a decision."""
    return {
        "incident_id": decision.incident_id,
        "at": decision.at,
        "what": decision.what,
        "body": _encode(decision),
    }


def decision_of(row: sqlite3.Row) -> Decision:
    """Return the decision of a row of ``decisions``."""
    return _DECISIONS.decode(row["body"])


def remark_row(remark: Remark) -> Row:
    """Return the columns of a remark."""
    return {
        "incident_id": remark.incident_id,
        "at": remark.at,
        "kind": remark.kind.value,
        "author": remark.author,
        "text": remark.text,
    }


def remark_of(row: sqlite3.Row) -> Remark:
    """Return the remark of a row of ``remarks``."""
    return Remark(
        row["incident_id"], row["at"], RemarkKind(row["kind"]), row["author"], row["text"]
    )


def silence_row(silence: Silence) -> Row:
    """Return the columns of a silence."""
    return {
        "id": silence.id,
        "matchers": _ENCODER.encode(silence.matchers).decode(),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "author": silence.author,
        "comment": silence.comment,
        "created_at": silence.created_at,
    }


def silence_of(row: sqlite3.Row) -> Silence:
    """Return the silence of a row of ``silences``."""
    return Silence(
        id=row["id"],
        matchers=_MATCHERS.decode(row["matchers"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        author=row["author"],
        comment=row["comment"],
        created_at=row["created_at"],
    )
