"""Incidents: an open or resolved problem with an identity."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from playwatch.core.rules import AlertType, Severity

if TYPE_CHECKING:
    from playwatch.core.rules import Rule


ROLLUP: Final = "rollup-"
"""What the ids of incidents begin with that stand for others."""


class Status(Enum):
    """Where an incident stands; Mux's words."""

    OPEN = "open"
    CLOSED = "closed"
    EXPIRED = "expired"


class Change(Enum):
    """What happened to an incident."""

    OPENED = "opened"
    ROSE = "rose"
    FLAPPED = "flapped"
    """Would have ended and opened again; nobody is told."""
    RESOLVED = "resolved"
    EXPIRED = "expired"
    CORRECTED = "corrected"
    """Late data say otherwise (or agree again); nobody is told."""
    CLOSED = "closed"
    """Ended for a reason that is not the metric's: its rule was changed or removed."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Where most of a deviation comes from.

    Attributes
    ----------
    share
        Of what is beyond normal, 0 to 1.
    breakdowns
        The values of the dimensions that carry it.
    """

    share: float
    breakdowns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """One problem, from its opening to its end, by Mux's names where they exist.

    Attributes
    ----------
    id
        Short and stable: an opening computed again after a crash has the same.
    incident_key
        The same for every incident of one group of one rule.
    rule, scope
        The rule that opened it, and the digest of what that rule watched.
    measurement
        The metric's key; ``unit`` is its unit.
    breakdowns
        The group: dimension and value in the order of the rule's ``by``.
    measured_value, measured_value_on_close, peak_value
        The metric when the incident opened, ended, and at its worst.
    threshold
        The bound in force at opening, or at the last rise.
    bound
        The same with its comparison, for people: ``> 5``.
    sample_size
        Views in the window at opening or at the last rise.
    affected_viewers
        Views that were hit at opening or at the last rise: of ``sample_size``,
        or beyond what is normal since ``started_at`` where that is learned.
    affected_views
        Views hit beyond what is normal from the start to the end, or so far.
    started_at, opened_at
        When the metric crossed its bound, and when ``for`` had passed.
    resolved_at, ended_at
        When it crossed back, and when ``resolve_for`` had passed.
    expected, expected_low, expected_high
        What was normal and the learned band round it; None for a threshold.
    evidence
        What spoke loudest for it, in a word; empty for a threshold.
    once_in_weeks
        How rarely chance alone brings evidence as strong to this group.
    causes
        Where the deviation comes from, the greatest share first.
    related_to
        Id of the incident with the same cause that people were told of
        instead; empty for one that stands for itself.
    reason
        Why it ended, in words; empty while it is open.
    flaps
        How often it would have ended and opened again, had flap control not
        held it together.
    is_silence
        True while it stands for missing data and not for a value; the value
        is NaN then.
    correction
        What late data would have changed, in words; empty while they agree
        with what was decided.
    """

    id: str
    incident_key: str
    rule: str
    scope: str
    alert_type: AlertType
    status: Status
    severity: Severity
    measurement: str
    unit: str
    breakdowns: tuple[tuple[str, str], ...]
    measured_value: float
    peak_value: float
    threshold: float
    bound: str
    sample_size: int
    affected_viewers: int
    started_at: int
    opened_at: int
    window_s: float
    summary: str = ""
    runbook: str = ""
    expected_low: float | None = None
    expected_high: float | None = None
    measured_value_on_close: float | None = None
    resolved_at: int | None = None
    ended_at: int | None = None
    reason: str = ""
    flaps: int = 0
    is_silence: bool = False
    correction: str = ""
    expected: float | None = None
    evidence: str = ""
    once_in_weeks: float | None = None
    causes: tuple[Cause, ...] = ()
    related_to: str = ""
    affected_views: int = 0

    @property
    def is_open(self) -> bool:
        """True until it was resolved, closed or expired."""
        return self.status is Status.OPEN

    @property
    def affected_per_hour_on_open(self) -> float | None:
        """Views hit per hour from the start to the opening; None without a length of time."""
        return _per_hour(self.affected_viewers, self.opened_at - self.started_at)

    @property
    def affected_per_hour(self) -> float | None:
        """Views hit per hour over the whole incident; None while that is not known."""
        if self.resolved_at is None or not self.affected_views:
            return None
        return _per_hour(self.affected_views, self.resolved_at - self.started_at)

    @property
    def affected_viewers_per_hour(self) -> float:
        """Viewers hit in an hour, at the pace of the time in which they were counted."""
        since_crossing_s = (self.opened_at - self.started_at) / 1000
        window_s = self.window_s if math.isfinite(self.window_s) else 1.0
        return 3600.0 * self.affected_viewers / max(1.0, since_crossing_s, window_s)

    @property
    def is_of_a_rule(self) -> bool:
        """False for what the engine says of itself, and for what stands for others."""
        return self.alert_type is not AlertType.ENGINE and not self.id.startswith(ROLLUP)

    @property
    def dedup_key(self) -> str:
        """What the receivers know it by: one per incident, never per rule."""
        return f"playwatch/{self.id}"

    def words_on(self, change: Change) -> str:
        """Return what a turn of this incident is about, in one line."""
        if change is Change.CORRECTED:
            return self.correction or "late data agree with what was decided again"
        return self.reason or self.summary

    def closed(self, reason: str, at: int) -> Incident:
        """Return this incident after an end that is not its metric's."""
        at = max(at, self.opened_at)
        return self.ended(Status.CLOSED, reason=reason, resolved_at=at, ended_at=at, value=None)

    def ended(
        self, status: Status, *, reason: str, resolved_at: int, ended_at: int, value: float | None
    ) -> Incident:
        """Return this incident as it stands after its end."""
        return replace(
            self,
            status=status,
            reason=reason,
            resolved_at=resolved_at,
            ended_at=ended_at,
            measured_value_on_close=value,
        )


def _per_hour(views: int, length_ms: int) -> float | None:
    return views * 3_600_000 / length_ms if length_ms > 0 else None


def incident_key(rule: Rule, breakdowns: tuple[tuple[str, str], ...]) -> str:
    """Return the 64 hexadecimal digits shared by all incidents of one group."""
    return hashlib.sha256(repr((rule.name, breakdowns)).encode()).hexdigest()


def incident_id(installation: str, key: str, opened_at: int) -> str:
    """Return the identity of one incident: 12 lower-case letters and digits.

    Notes
    -----
    It derives from what a replay of the same samples gives again, so that an
    opening computed a second time after a crash is the same incident. Twelve
    hexadecimal digits: at a million incidents two share one with a chance of
    0.2 %, and the store would refuse the second.
    """
    return hashlib.sha256(repr((installation, key, opened_at)).encode()).hexdigest()[:12]
