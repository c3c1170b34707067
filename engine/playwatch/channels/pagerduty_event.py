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
import json
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from playwatch.channels.wording import headline, one_line, place, plain, shortened
from playwatch.core.deliveries import Action

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident

BODY_LIMIT: Final = 512_000
SUMMARY_LIMIT: Final = 1_024
DEDUP_KEY_LIMIT: Final = 255
CLIENT: Final = "Playwatch"

_TEXT_LIMIT: Final = 1_024
_URL_LIMIT: Final = 2_048
_DIMENSIONS_BYTES: Final = 100_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)

Fields = dict[str, object]


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
        if _is_link(client_url):
            event["client_url"] = client_url
        if _is_link(incident.runbook):
            event["links"] = [{"href": incident.runbook, "text": "Runbook"}]
    body = _encoded(event)
    return body if len(body) <= BODY_LIMIT else minimal_body(delivery, routing_key)


def minimal_body(delivery: Delivery, routing_key: str) -> bytes:
    """Return only what PagerDuty insists on: a page with less beats no page."""
    event = _event(delivery, routing_key)
    event["payload"] = _required(delivery.incident)
    return _encoded(event)


def sendable_dedup_key(delivery: Delivery) -> str:
    """Return the key that joins trigger and resolve: at most 255 characters.

    A key that is too long or not plain text is replaced by a digest of it.
    """
    key = delivery.dedup_key or delivery.incident.dedup_key
    if len(key) <= DEDUP_KEY_LIMIT and key == one_line(key):
        return key
    return f"playwatch/{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _encoded(event: Fields) -> bytes:
    return _ENCODER.encode(event).encode()


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
        "source": shortened(source, _TEXT_LIMIT),
        "severity": incident.severity.word,
    }


def _optional(incident: Incident) -> Fields:
    fields: Fields = {
        "timestamp": _timestamp(incident.started_at),
        "class": incident.alert_type.value,
        "component": shortened(one_line(incident.measurement), _TEXT_LIMIT),
        "group": shortened(one_line(incident.rule), _TEXT_LIMIT),
    }
    return {name: value for name, value in fields.items() if value}


def _details(incident: Incident) -> Fields:
    """Return what a responder reads below the title; what is unknown is left out."""
    dimensions, left_out = _dimensions(incident)
    fields: Fields = {
        "metric": _text(incident.measurement),
        "rule": _text(incident.rule),
        "alert_type": incident.alert_type.value,
        "dimensions": dimensions,
        "dimensions_left_out": left_out or None,
        "value": _number(incident.measured_value),
        "unit": _text(incident.unit),
        "bound": _text(incident.bound),
        "threshold": _number(incident.threshold),
        "peak_value": _number(incident.peak_value),
        "expected_low": _number(incident.expected_low),
        "expected_high": _number(incident.expected_high),
        "value_on_close": _number(incident.measured_value_on_close),
        "views": int(incident.sample_size),
        "viewers_affected": int(incident.affected_viewers),
        "window_s": _number(incident.window_s),
        "started_at": _timestamp(incident.started_at),
        "opened_at": _timestamp(incident.opened_at),
        "resolved_at": _timestamp(incident.resolved_at),
        "ended_at": _timestamp(incident.ended_at),
        "status": incident.status.value,
        "reason": _text(incident.reason),
        "runbook": incident.runbook if _is_link(incident.runbook) else None,
        "incident_id": _text(incident.id),
    }
    numbers = {"value", "peak_value", "threshold"}
    return {
        name: value
        for name, value in fields.items()
        if name in numbers or (value is not None and value != "")
    }


def _dimensions(incident: Incident) -> tuple[dict[str, str], int]:
    """Return the group by name, and how many dimensions did not fit."""
    kept: dict[str, str] = {}
    room = _DIMENSIONS_BYTES
    for number, (name, value) in enumerate(incident.breakdowns):
        sendable, text = _text(name), _text(value)
        room -= len(sendable.encode()) + len(text.encode())
        if room < 0:
            return kept, len(incident.breakdowns) - number
        kept[sendable] = text
    return kept, 0


def _text(value: object) -> str:
    return shortened(plain(value), _TEXT_LIMIT)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _timestamp(at: int | None) -> str | None:
    """Return RFC 3339 with ``Z``; None for what no calendar holds."""
    if at is None:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=int(at))
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_link(url: str) -> bool:
    return (
        url.startswith(("https://", "http://"))
        and len(url) <= _URL_LIMIT
        and url == one_line(url)
        and " " not in url
    )
