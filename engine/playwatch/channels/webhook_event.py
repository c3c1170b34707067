"""The body of a webhook message: the whole incident as JSON.

``type`` is ``incident.triggered`` or ``incident.resolved``, ``timestamp`` when
that happened, ``data`` the incident. Every key of ``data`` stands in every
message, null where nothing is known; keys may be added, none is renamed or taken
away. A rise of the severity is one more ``incident.triggered`` with the same
``data.dedup_key``. When a receiver refuses the message, it gets one with only
``REQUIRED`` in its ``data`` and ``"is_shortened": true``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.channels.sendable import (
    Fields,
    dimensions,
    encoded,
    is_link,
    number,
    text,
    timestamp,
)
from playwatch.channels.wording import headline, shortened
from playwatch.core.deliveries import Action
from playwatch.core.explained import explained

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident

REQUIRED: Final = ("id", "dedup_key", "rule", "alert_type", "status", "severity", "summary")

_TYPES: Final = {Action.TRIGGER: "incident.triggered", Action.RESOLVE: "incident.resolved"}
_SUMMARY_LIMIT: Final = 1_024


def full_body(delivery: Delivery, page_url: str = "") -> bytes:
    """Return everything that is known of the incident; the same bytes on every attempt."""
    incident = delivery.incident
    group, left_out = dimensions(incident.breakdowns)
    link = f"{page_url}/incidents/{incident.id}" if page_url else ""
    data = {
        **_required(delivery),
        "incident_key": text(incident.incident_key),
        "measurement": text(incident.measurement),
        "unit": text(incident.unit),
        "breakdowns": group,
        "breakdowns_left_out": left_out,
        "measured_value": number(incident.measured_value),
        "measured_value_on_close": number(incident.measured_value_on_close),
        "peak_value": number(incident.peak_value),
        "threshold": number(incident.threshold),
        "bound": text(incident.bound),
        "expected": number(incident.expected),
        "expected_low": number(incident.expected_low),
        "expected_high": number(incident.expected_high),
        "explained": {name: text(words) for name, words in explained(incident).items()},
        "sample_size": int(incident.sample_size),
        "affected_viewers": int(incident.affected_viewers),
        "window_s": number(incident.window_s),
        "flaps": incident.flaps,
        "is_silence": incident.is_silence,
        "started_at": timestamp(incident.started_at),
        "opened_at": timestamp(incident.opened_at),
        "resolved_at": timestamp(incident.resolved_at),
        "ended_at": timestamp(incident.ended_at),
        "reason": text(incident.reason),
        "runbook": incident.runbook if is_link(incident.runbook) else None,
        "url": link if is_link(link) else None,
    }
    return encoded({**_envelope(delivery), "data": data})


def minimal_body(delivery: Delivery) -> bytes:
    """Return the least that makes sense: a page with less beats no page."""
    return encoded({**_envelope(delivery), "is_shortened": True, "data": _required(delivery)})


def _envelope(delivery: Delivery) -> Fields:
    return {
        "type": _TYPES[delivery.action],
        "timestamp": timestamp(_moment(delivery)),
        "channel": text(delivery.channel),
    }


def _required(delivery: Delivery) -> Fields:
    incident = delivery.incident
    return {
        "id": text(incident.id),
        "dedup_key": text(delivery.dedup_key or incident.dedup_key),
        "rule": text(incident.rule),
        "alert_type": incident.alert_type.value,
        "status": incident.status.value,
        "severity": incident.severity.word,
        "summary": shortened(headline(incident), _SUMMARY_LIMIT),
    }


def _moment(delivery: Delivery) -> int:
    """Return when it happened, which for a rise is when that was decided."""
    incident: Incident = delivery.incident
    if delivery.action is Action.RESOLVE and incident.ended_at is not None:
        return incident.ended_at
    return delivery.created_at
