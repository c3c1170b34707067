"""Decisions: why an incident stands where it stands, one record per change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from playwatch.core.incidents import Change

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident

WITHHELD: Final = "withheld"
"""A silence, or an incident with the same cause, kept the trigger back."""
TOLD: Final = "told"
"""What kept it back is over, the trigger was sent."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One change of an incident, with the numbers that it was decided on.

    Attributes
    ----------
    incident_id
        The incident it is about.
    at
        When it was decided, milliseconds.
    what
        One word: ``opened``, ``rose``, ``resolved``, ``withheld``, ``told`` ...
    value, views, bound
        The metric, the views in the window and the bound in force; None and 0
        without data.
    since_at
        When the metric crossed; None where nothing crossed.
    reason
        In words, for people.
    """

    incident_id: str
    at: int
    what: str
    severity: str
    value: float | None = None
    views: int = 0
    bound: str = ""
    since_at: int | None = None
    reason: str = ""


class RemarkKind(Enum):
    """What a person did with an incident."""

    ACKNOWLEDGED = "acknowledged"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person said about an incident, for the hand-over between shifts."""

    incident_id: str
    at: int
    kind: RemarkKind
    author: str
    text: str = ""


def decision_of(change: Change, incident: Incident, at: int) -> Decision:
    """Return the record of a change, with the numbers that it was decided on."""
    if change is Change.CORRECTED:
        reason = incident.words_on(change)
        return Decision(incident.id, at, change.value, incident.severity.word, reason=reason)
    if incident.is_open:
        return Decision(
            incident_id=incident.id,
            at=at,
            what=change.value,
            severity=incident.severity.word,
            value=incident.measured_value,
            views=incident.sample_size,
            bound=incident.bound,
            since_at=incident.started_at,
            reason=incident.summary,
        )
    return Decision(
        incident_id=incident.id,
        at=at,
        what=change.value,
        severity=incident.severity.word,
        value=incident.measured_value_on_close,
        since_at=incident.resolved_at,
        reason=incident.reason,
    )


def withheld(incident: Incident, at: int, reason: str) -> Decision:
    """Return the record of a trigger that is kept back."""
    return Decision(incident.id, at, WITHHELD, incident.severity.word, reason=reason)


def told(incident: Incident, at: int) -> Decision:
    """Return the record of a trigger that was kept back and is sent now."""
    reason = "no silence holds it back any more"
    if incident.related_to:
        reason = f"it goes on without incident {incident.related_to}"
    return Decision(incident.id, at, TOLD, incident.severity.word, reason=reason)
