"""The body of a PagerDuty event, from the facts of one delivery.

The format is PagerDuty's Events API v2, "Send an Alert Event". Its limits:
summary 1,024 characters, ``dedup_key`` 255 characters, the whole body 512 KB,
read here as 512,000 bytes.

Four fields are made to be routed on by an event orchestration: ``class`` is
the alert type, ``component`` the metric, ``group`` the rule and ``source`` the
group of series (``country=DE,cdn=fastly``). A resolve carries the same payload
as its trigger, because an orchestration routes both by it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from playwatch.channels.sendable import (
    TEXT_LIMIT,
    Fields,
    dimensions,
    encoded,
    is_link,
    line,
    number,
    text,
    timestamp,
)
from playwatch.channels.wording import headline, one_line, place, plain, shortened
from playwatch.core.deliveries import Action
from playwatch.core.explained import explained

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident

BODY_LIMIT: Final = 512_000
SUMMARY_LIMIT: Final = 1_024
DEDUP_KEY_LIMIT: Final = 255
CLIENT: Final = "Playwatch"

_NULLABLE: Final = frozenset({"value", "peak_value", "threshold"})


def full_body(delivery: Delivery, routing_key: str, client_url: str = "") -> bytes:
    """Return everything that is known of the incident, as UTF-8 JSON.

    Parameters
    ----------
    delivery
        What to send. Any text and any number in it is made sendable: NaN and
        infinity become null, lone surrogates and control characters U+FFFD,
        over-long texts are shortened, dimensions beyond 100,000 bytes are left
        out and counted.
    routing_key
        The integration key.
    client_url
        Where the incident can be seen, or empty.

    Returns
    -------
    bytes
        At most 512,000; the same for the same delivery, so that every attempt
        sends the same bytes.
    """
    incident = delivery.incident
    event = _event(delivery, routing_key)
    event["payload"] = {
        **_required(incident),
        **_optional(incident),
        "custom_details": _details(incident),
    }
    if delivery.action is Action.TRIGGER:
        event["client"] = CLIENT
        links = []
        if is_link(client_url):
            event["client_url"] = client_url
            links.append({"href": client_url, "text": "Incident in Playwatch"})
        if is_link(incident.runbook):
            links.append({"href": incident.runbook, "text": "Runbook"})
        if links:
            event["links"] = links
    body = encoded(event)
    return body if len(body) <= BODY_LIMIT else minimal_body(delivery, routing_key)


def minimal_body(delivery: Delivery, routing_key: str) -> bytes:
    """Return only what PagerDuty insists on: a page with less beats no page."""
    event = _event(delivery, routing_key)
    event["payload"] = _required(delivery.incident)
    return encoded(event)


def sendable_dedup_key(delivery: Delivery) -> str:
    """Return the key that joins trigger and resolve: at most 255 characters.

    A key that is too long or not plain text is replaced by a digest of it.
    """
    key = delivery.dedup_key or delivery.incident.dedup_key
    if len(key) <= DEDUP_KEY_LIMIT and key == one_line(key):
        return key
    return f"playwatch/{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _event(delivery: Delivery, routing_key: str) -> Fields:
    return {
        "routing_key": plain(routing_key),
        "event_action": delivery.action.value,
        "dedup_key": sendable_dedup_key(delivery),
    }


def _required(incident: Incident) -> Fields:
    source = place(incident.breakdowns) or one_line(incident.rule) or CLIENT
    return {
        "summary": shortened(headline(incident), SUMMARY_LIMIT),
        "source": shortened(source, TEXT_LIMIT),
        "severity": incident.severity.word,
    }


def _optional(incident: Incident) -> Fields:
    fields: Fields = {
        "timestamp": timestamp(incident.started_at),
        "class": incident.alert_type.value,
        "component": line(incident.measurement),
        "group": line(incident.rule),
    }
    return {name: value for name, value in fields.items() if value}


def _details(incident: Incident) -> Fields:
    """Return what a responder reads below the title; what is unknown is left out."""
    group, left_out = dimensions(incident.breakdowns)
    fields: Fields = {
        "metric": text(incident.measurement),
        "rule": text(incident.rule),
        "alert_type": incident.alert_type.value,
        "dimensions": group,
        "dimensions_left_out": left_out or None,
        "value": number(incident.measured_value),
        "unit": text(incident.unit),
        "bound": text(incident.bound),
        "threshold": number(incident.threshold),
        "peak_value": number(incident.peak_value),
        **{name: text(words) for name, words in explained(incident).items()},
        "expected_low": number(incident.expected_low),
        "expected_high": number(incident.expected_high),
        "value_on_close": number(incident.measured_value_on_close),
        "views": int(incident.sample_size),
        "viewers_affected": int(incident.affected_viewers),
        "window_s": number(incident.window_s),
        "started_at": timestamp(incident.started_at),
        "opened_at": timestamp(incident.opened_at),
        "resolved_at": timestamp(incident.resolved_at),
        "ended_at": timestamp(incident.ended_at),
        "status": incident.status.value,
        "reason": text(incident.reason),
        "flaps": incident.flaps or None,
        "no_data": incident.is_silence or None,
        "runbook": incident.runbook if is_link(incident.runbook) else None,
        "incident_id": text(incident.id),
    }
    return {
        name: value
        for name, value in fields.items()
        if name in _NULLABLE or (value is not None and value != "")
    }
