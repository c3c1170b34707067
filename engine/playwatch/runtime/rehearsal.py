"""A marked incident to try a channel with: a trigger and its resolve."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from playwatch.core.deliveries import Action, Delivery, Rejected, Sent
from playwatch.core.incidents import Incident, Status
from playwatch.core.rules import AlertType, Severity
from playwatch.runtime.clock import SystemClock

if TYPE_CHECKING:
    from playwatch.ports import Channel


def rehearsal(channel: Channel) -> list[Delivery]:
    """Return a trigger and a resolve that say in words that they are a test.

    Notes
    -----
    Both share a key of their own, so that a test never touches an incident,
    and two tests never meet. Severity is info: at a service that respects it,
    nobody is woken.
    """
    at = SystemClock().wall_ms()
    incident = Incident(
        id=f"test-{secrets.token_hex(4)}",
        incident_key="",
        rule="channel-test",
        scope="",
        alert_type=AlertType.THRESHOLD,
        status=Status.OPEN,
        severity=Severity.INFO,
        measurement="playback_failure_percentage",
        unit="%",
        breakdowns=(("test", "true"),),
        measured_value=0.0,
        peak_value=0.0,
        threshold=0.0,
        bound="test",
        sample_size=0,
        affected_viewers=0,
        started_at=at,
        opened_at=at,
        window_s=60.0,
        summary=f"Test of Playwatch channel {channel.name}: no action needed",
    )
    ended = incident.ended(
        Status.CLOSED, reason="test over", resolved_at=at, ended_at=at, value=0.0
    )
    return [
        Delivery(
            id=f"{incident.id}/{channel.name}/{action.value}",
            incident=stage,
            channel=channel.name,
            key_fingerprint=channel.key_fingerprint,
            action=action,
            dedup_key=incident.dedup_key,
            created_at=at,
        )
        for action, stage in ((Action.TRIGGER, incident), (Action.RESOLVE, ended))
    ]


async def tried(channel: Channel) -> list[dict[str, str]]:
    """Send a marked trigger and its resolve; return what became of each.

    Notes
    -----
    The resolve follows also where nobody knows whether the trigger arrived: a
    test must not leave an incident open.
    """
    answers: list[dict[str, str]] = []
    for delivery in rehearsal(channel):
        attempt = await channel.send(delivery)
        refused = attempt.reason if isinstance(attempt, Rejected) else ""
        if refused:
            attempt = await channel.send(replace(delivery, is_shortened=True))
        detail = attempt.answer if isinstance(attempt, Sent) else attempt.reason
        detail += f" (the whole of it: {refused})" if refused else ""
        outcome = type(attempt).__name__.lower()
        answers.append({"action": delivery.action.value, "outcome": outcome, "detail": detail})
        if not isinstance(attempt, Sent) and not getattr(attempt, "is_ambiguous", False):
            break
    return answers
