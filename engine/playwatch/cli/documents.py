"""What `--json` prints: stable keys, times in RFC 3339."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from playwatch.core.deliveries import DeliveryStatus

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.ports import IncidentStory

Document = dict[str, Any]


def print_json(document: Document | list[Document]) -> None:
    """Print one JSON document to stdout."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def moment(at: int | None) -> str | None:
    """Return epoch milliseconds as RFC 3339 in UTC; None stays None."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def incident_document(incident: Incident) -> Document:
    """Return an incident with Mux's names where they exist."""
    return {
        "id": incident.id,
        "incident_key": incident.incident_key,
        "rule": incident.rule,
        "alert_type": incident.alert_type.value,
        "status": incident.status.value,
        "severity": incident.severity.word,
        "measurement": incident.measurement,
        "unit": incident.unit,
        "breakdowns": dict(incident.breakdowns),
        "measured_value": incident.measured_value,
        "measured_value_on_close": incident.measured_value_on_close,
        "peak_value": incident.peak_value,
        "threshold": incident.threshold,
        "bound": incident.bound,
        "sample_size": incident.sample_size,
        "affected_viewers": incident.affected_viewers,
        **_anomaly(incident),
        "started_at": moment(incident.started_at),
        "opened_at": moment(incident.opened_at),
        "resolved_at": moment(incident.resolved_at),
        "ended_at": moment(incident.ended_at),
        "reason": incident.reason,
        "correction": incident.correction,
        "summary": incident.summary,
        "runbook": incident.runbook,
        "dedup_key": incident.dedup_key,
    }


def _anomaly(incident: Incident) -> Document:
    """Return what a model knows of an incident; nothing of a threshold's."""
    if not incident.evidence:
        return {}
    return {
        "expected": incident.expected,
        "expected_low": incident.expected_low,
        "expected_high": incident.expected_high,
        "evidence": incident.evidence,
        "once_in_weeks": incident.once_in_weeks,
        "causes": [
            {"share": cause.share, "breakdowns": dict(cause.breakdowns)}
            for cause in incident.causes
        ],
        "related_to": incident.related_to,
        "affected_views": incident.affected_views,
        "affected_views_per_hour": incident.affected_per_hour,
        "affected_views_per_hour_on_open": incident.affected_per_hour_on_open,
    }


def next_try(delivery: Delivery) -> str | None:
    """Return when a delivery is tried next; None when it is not, or at once."""
    if delivery.status is not DeliveryStatus.PENDING:
        return None
    return moment(delivery.not_before_at or None)


def story_document(story: IncidentStory) -> Document:
    """Return an incident with its deliveries, decisions and remarks."""
    return {
        **incident_document(story.incident),
        "deliveries": [
            {
                "id": delivery.id,
                "channel": delivery.channel,
                "action": delivery.action.value,
                "status": delivery.status.value,
                "severity": delivery.incident.severity.word,
                "created_at": moment(delivery.created_at),
                "next_try_at": next_try(delivery),
                "reason": delivery.reason,
                "attempts": [
                    {
                        "at": moment(record.at),
                        "duration_ms": record.duration_ms,
                        "outcome": record.outcome,
                        "detail": record.detail,
                    }
                    for record in story.attempts
                    if record.delivery.id == delivery.id
                ],
            }
            for delivery in story.deliveries
        ],
        "decisions": [
            {
                "at": moment(decision.at),
                "what": decision.what,
                "severity": decision.severity,
                "value": decision.value
                if decision.value is not None and math.isfinite(decision.value)
                else None,
                "views": decision.views,
                "bound": decision.bound,
                "since_at": moment(decision.since_at),
                "reason": decision.reason,
            }
            for decision in story.decisions
        ],
        "remarks": [
            {
                "at": moment(remark.at),
                "kind": remark.kind.value,
                "author": remark.author,
                "text": remark.text,
            }
            for remark in story.remarks
        ],
    }
