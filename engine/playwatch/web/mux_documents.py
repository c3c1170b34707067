"""Incidents as Mux's Incidents API writes them, field by field.

The official clients read these without a change: every field that they insist
on is there with its type, numbers are numbers, and fields that Mux does not
have come after them, which the clients pass over. Field by field as in Mux's
published OpenAPI description of ``/data/v1/incidents``.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from playwatch.core.incidents import Status
from playwatch.core.listings import Ranking
from playwatch.core.rules import AlertType, Severity
from playwatch.web.contract import Given, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.incidents import Incident
    from playwatch.core.listings import Notice

SEVERITIES: Final = {
    "warning": frozenset({Severity.INFO, Severity.WARNING}),
    "alert": frozenset({Severity.ERROR, Severity.CRITICAL}),
}
"""Mux's two levels, and which of ours each stands for."""

RANKINGS: Final = {
    "negative_impact": Ranking.IMPACT,
    "value": Ranking.VALUE,
    "views": Ranking.VIEWS,
    "field": Ranking.NAME,
}

_MEASUREMENTS: Final = {"playback_failure_percentage": "error_rate"}
_DAY_S: Final = 86_400

Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most.")]
Page = Annotated[int, Meta(ge=1, le=2**31 - 1, description="The first is 1.")]
OrderBy = Literal["negative_impact", "value", "views", "field"]
Direction = Literal["asc", "desc"]


class RelatedAsked(Given, frozen=True, kw_only=True):
    """Which related incidents."""

    limit: Limit = 25
    page: Page = 1
    order_by: OrderBy | None = None
    order_direction: Direction = "desc"


class IncidentsAsked(RelatedAsked, frozen=True, kw_only=True):
    """Which incidents."""

    status: Literal["open", "closed", "expired"] | None = None
    severity: Literal["warning", "alert"] | None = None


class Breakdown(Told, frozen=True, kw_only=True):
    """One dimension of the group."""

    id: str
    name: str
    value: str


class Notification(Told, frozen=True, kw_only=True):
    """A message that was sent to a channel."""

    id: int
    queued_at: str
    attempted_at: str


class NotificationRule(Told, frozen=True, kw_only=True):
    """What made a message; Mux does not say what stands in it, and nothing does here."""

    id: str


class MuxIncident(Told, frozen=True, kw_only=True):
    """An incident: Mux's 21 fields, then some of ours."""

    id: str
    incident_key: str
    status: Status
    severity: Literal["warning", "alert"]
    measurement: str
    measured_value: float | None
    measured_value_on_close: float | None
    threshold: float
    sample_size: int
    sample_size_unit: str
    affected_views: int
    affected_views_per_hour: int
    affected_views_per_hour_on_open: int
    impact: str
    description: str
    error_description: str
    breakdowns: tuple[Breakdown, ...]
    notifications: tuple[Notification, ...]
    notification_rules: tuple[NotificationRule, ...]
    started_at: str
    resolved_at: str | None
    alert_type: AlertType
    rule: str
    metric: str
    unit: str
    peak_value: float | None
    expected_low: float | None
    expected_high: float | None


class OneIncident(Told, frozen=True, kw_only=True):
    """The envelope of one incident."""

    data: MuxIncident
    timeframe: tuple[int, int]
    total_row_count: int


class ManyIncidents(Told, frozen=True, kw_only=True):
    """The envelope of a page of incidents."""

    data: tuple[MuxIncident, ...]
    timeframe: tuple[int, int]
    total_row_count: int


class MuxErrorFacts(Told, frozen=True, kw_only=True):
    """What is wrong."""

    type: str
    messages: tuple[str, ...]


class MuxError(Told, frozen=True, kw_only=True):
    """The envelope of an error."""

    error: MuxErrorFacts


def timeframe(now_at: int) -> tuple[int, int]:
    """Return the last day in seconds; Mux sends it with every answer."""
    return now_at // 1000 - _DAY_S, now_at // 1000


def mux_incident(incident: Incident, notices: Sequence[Notice]) -> MuxIncident:
    """Return an incident as Mux writes it.

    Notes
    -----
    Where ``affected_views`` are not counted until the end, they are those of
    the opening or the last rise, and the rates are their pace.
    """
    on_open = round(incident.affected_viewers_per_hour)
    per_hour = round(incident.affected_per_hour or incident.affected_viewers_per_hour)
    views = incident.affected_views or incident.affected_viewers
    return MuxIncident(
        id=incident.id,
        incident_key=incident.incident_key,
        status=incident.status,
        severity="alert" if incident.severity in SEVERITIES["alert"] else "warning",
        measurement=_MEASUREMENTS.get(incident.measurement, incident.measurement),
        measured_value=incident.measured_value,
        measured_value_on_close=incident.measured_value_on_close,
        threshold=incident.threshold if math.isfinite(incident.threshold) else 0.0,
        sample_size=incident.sample_size,
        sample_size_unit="views",
        affected_views=views,
        affected_views_per_hour=per_hour,
        affected_views_per_hour_on_open=on_open,
        impact=_impact(incident, views, per_hour),
        description=incident.summary,
        error_description=f"{incident.measurement} {incident.bound} {incident.unit}".strip(),
        breakdowns=tuple(
            Breakdown(id=f"{incident.id}-{number}", name=name, value=value)
            for number, (name, value) in enumerate(incident.breakdowns, 1)
        ),
        notifications=tuple(
            Notification(
                id=one.number, queued_at=_instant(one.queued_at), attempted_at=_instant(tried_at)
            )
            for one in notices
            if (tried_at := one.attempted_at) is not None
        ),
        notification_rules=(),
        started_at=_instant(incident.started_at),
        resolved_at=None if incident.resolved_at is None else _instant(incident.resolved_at),
        alert_type=incident.alert_type,
        rule=incident.rule,
        metric=incident.measurement,
        unit=incident.unit,
        peak_value=incident.peak_value,
        expected_low=incident.expected_low,
        expected_high=incident.expected_high,
    )


def _impact(incident: Incident, views: int, per_hour: int) -> str:
    """Return the two counts as a sentence; asterisks make them bold, as in Mux's."""
    if incident.status is Status.OPEN:
        return f"*{views}* views are affected so far, *{per_hour}* an hour"
    return f"*{views}* views were affected, *{per_hour}* an hour"


def _instant(at: int) -> str:
    """Return epoch milliseconds as Mux writes times: six decimals and Z."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}000Z"
