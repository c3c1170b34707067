"""Incidents as our own API writes them, with everything decided, sent and said about them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta

from playwatch.core.incidents import Status  # noqa: TC001 - msgspec reads it
from playwatch.core.listings import Ranking
from playwatch.core.rules import AlertType, Severity
from playwatch.web.contract import Given, Told
from playwatch.web.documents import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.ports import AttemptRecord, IncidentStory

SeverityWord = Literal["info", "warning", "error", "critical"]
SEVERITIES: Final[dict[str, Severity]] = {severity.word: severity for severity in Severity}

Time = Annotated[datetime, Meta(tz=True)]
"""RFC 3339, with its time zone."""


class IncidentsWanted(Given, frozen=True, kw_only=True):
    """Which incidents; all that is given must hold."""

    status: Annotated[
        Literal["open", "closed", "expired", "ended"] | None,
        Meta(description="ended are those that are closed or expired."),
    ] = None
    alert_type: AlertType | None = None
    severity: Annotated[
        tuple[SeverityWord, ...], Meta(description="Any of these; may be repeated.")
    ] = ()
    rule: str | None = None
    metric: str | None = None
    q: Annotated[
        str,
        Meta(
            max_length=200,
            description="Words that all stand in its id, rule, metric, summary or group.",
        ),
    ] = ""
    dimension: Annotated[
        tuple[Annotated[str, Meta(pattern="^[^:]+:")], ...],
        Meta(description="name:value of the group; may be repeated, all must hold."),
    ] = ()
    begin: Annotated[Time | None, Meta(description="Those that lasted then or later.")] = (
        msgspec.field(default=None, name="from")
    )
    end: Annotated[Time | None, Meta(description="Those that opened before.")] = msgspec.field(
        default=None, name="to"
    )
    related_to: Annotated[
        str | None, Meta(description="Id of an incident: of its group, or wrong with it.")
    ] = None
    order: Ranking = Ranking.TIME
    direction: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    offset: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class CauseDocument(Told, frozen=True, kw_only=True):
    """Where most of a deviation comes from."""

    share: float | None
    breakdowns: dict[str, str]


class IncidentDocument(Told, frozen=True, kw_only=True):
    """An incident, by Mux's names where they exist."""

    id: str
    incident_key: str
    rule: str
    alert_type: AlertType
    status: Status
    severity: SeverityWord
    measurement: str
    unit: str
    breakdowns: dict[str, str]
    measured_value: float | None
    measured_value_on_close: float | None
    peak_value: float | None
    threshold: float | None
    bound: str
    expected: float | None
    expected_low: float | None
    expected_high: float | None
    evidence: str
    once_in_weeks: float | None
    causes: tuple[CauseDocument, ...]
    related_to: str
    sample_size: int
    affected_viewers: int
    affected_views: int
    started_at: str
    opened_at: str
    resolved_at: str | None
    ended_at: str | None
    reason: str
    summary: str
    runbook: str
    flaps: int
    is_silence: bool
    correction: str
    dedup_key: str


class IncidentPage(Told, frozen=True, kw_only=True):
    """Some incidents, and how many there are in all."""

    incidents: tuple[IncidentDocument, ...]
    total: int
    limit: int
    offset: int


class AttemptDocument(Told, frozen=True, kw_only=True):
    """One attempt to deliver, and how it ended."""

    at: str
    duration_ms: float | None
    outcome: str
    detail: str


class DeliveryDocument(Told, frozen=True, kw_only=True):
    """One message to one channel."""

    id: str
    channel: str
    action: str
    status: str
    severity: SeverityWord
    created_at: str
    reason: str
    attempts: tuple[AttemptDocument, ...]


class DecisionDocument(Told, frozen=True, kw_only=True):
    """One change, with the numbers that it was decided on."""

    at: str
    what: str
    severity: str
    value: float | None
    views: int
    bound: str
    since_at: str | None
    reason: str


class RemarkDocument(Told, frozen=True, kw_only=True):
    """What a person said."""

    incident_id: str
    at: str
    kind: Literal["acknowledged", "note"]
    author: str
    text: str


class StoryDocument(IncidentDocument, frozen=True, kw_only=True):
    """An incident with its whole record."""

    deliveries: tuple[DeliveryDocument, ...]
    decisions: tuple[DecisionDocument, ...]
    remarks: tuple[RemarkDocument, ...]


def incident_document(incident: Incident) -> IncidentDocument:
    """Return an incident as JSON is made of it."""
    return IncidentDocument(**_facts(incident))


def story_document(story: IncidentStory) -> StoryDocument:
    """Return an incident with its record."""
    return StoryDocument(
        **_facts(story.incident),
        deliveries=tuple(_delivery(one, story.attempts) for one in story.deliveries),
        decisions=tuple(
            DecisionDocument(
                at=moment(one.at),
                what=one.what,
                severity=one.severity,
                value=one.value,
                views=one.views,
                bound=one.bound,
                since_at=_moment(one.since_at),
                reason=one.reason,
            )
            for one in story.decisions
        ),
        remarks=tuple(
            RemarkDocument(
                incident_id=one.incident_id,
                at=moment(one.at),
                kind=one.kind.value,
                author=one.author,
                text=one.text,
            )
            for one in story.remarks
        ),
    )


def severity_word(severity: Severity) -> SeverityWord:
    """Return a severity as a word of the API."""
    return cast("SeverityWord", severity.word)


def _facts(incident: Incident) -> dict[str, Any]:
    facts = {
        name: getattr(incident, name)
        for name in IncidentDocument.__struct_fields__
        if name not in _WRITTEN
    }
    causes = [
        CauseDocument(share=one.share, breakdowns=dict(one.breakdowns)) for one in incident.causes
    ]
    return {
        **facts,
        "severity": incident.severity.word,
        "breakdowns": dict(incident.breakdowns),
        "causes": tuple(causes),
        "started_at": moment(incident.started_at),
        "opened_at": moment(incident.opened_at),
        "resolved_at": _moment(incident.resolved_at),
        "ended_at": _moment(incident.ended_at),
    }


_WRITTEN: Final = {
    *("severity", "breakdowns", "causes"),
    *("started_at", "opened_at", "resolved_at", "ended_at"),
}
"""Fields that are written otherwise than they are kept."""


def _delivery(delivery: Delivery, attempts: Iterable[AttemptRecord]) -> DeliveryDocument:
    return DeliveryDocument(
        id=delivery.id,
        channel=delivery.channel,
        action=delivery.action.value,
        status=delivery.status.value,
        severity=severity_word(delivery.incident.severity),
        created_at=moment(delivery.created_at),
        reason=delivery.reason,
        attempts=tuple(_attempt(one) for one in attempts if one.delivery.id == delivery.id),
    )


def _attempt(record: AttemptRecord) -> AttemptDocument:
    return AttemptDocument(
        at=moment(record.at),
        duration_ms=record.duration_ms,
        outcome=record.outcome,
        detail=record.detail,
    )


def _moment(at: int | None) -> str | None:
    return None if at is None else moment(at)
