"""Silences: who asked for quiet, about what, and for how long.

A silence stops triggers, never resolves, and never stops evaluation. A trigger
that was withheld is told when the silence ends and the incident is still open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.core.hours import ActiveHours
    from playwatch.core.incidents import Incident
    from playwatch.core.rules import Matcher

FACTS: Final = ("rule", "metric", "alert_type", "severity")
"""What can be matched beside dimensions."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch of time in which nobody is told of certain incidents.

    Attributes
    ----------
    matchers
        Over `FACTS` and the dimensions of the incident's group; all must pass.
    starts_at, ends_at
        Wall clock, milliseconds; the end is not part of it.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    author: str
    comment: str = ""
    created_at: int = 0

    def covers(self, at: int) -> bool:
        """Return whether it is in force at a moment."""
        return self.starts_at <= at < self.ends_at

    @property
    def words(self) -> str:
        """The silence as a reason: who and why."""
        return f"silence {self.id} by {self.author}" + (f": {self.comment}" * bool(self.comment))


@dataclass(frozen=True, slots=True)
class MuteWindow:
    """A silence that comes back: on certain days, between certain hours."""

    name: str
    hours: ActiveHours
    matchers: tuple[Matcher, ...] = ()

    def covers(self, at: int) -> bool:
        """Return whether it is in force at a moment."""
        return self.hours.covers(at)

    @property
    def words(self) -> str:
        """The window as a reason."""
        return f"mute window {self.name}"


def reason_for_quiet(
    quiet: tuple[Silence | MuteWindow, ...], incident: Incident, at: int
) -> str | None:
    """Return why nobody is to be told of an incident at a moment; None when they are.

    Parameters
    ----------
    quiet
        Silences and mute windows, past and coming ones among them.
    """
    facts: dict[str, str] | None = None
    for one in quiet:
        if not one.covers(at):
            continue
        facts = facts or facts_of(incident)
        if all(matcher.matches(facts) for matcher in one.matchers):
            return one.words
    return None


def facts_of(incident: Incident) -> dict[str, str]:
    """Return what matchers see of an incident: its dimensions that have a value, and `FACTS`."""
    return {
        **{name: value for name, value in incident.breakdowns if value},
        "rule": incident.rule,
        "metric": incident.measurement,
        "alert_type": incident.alert_type.value,
        "severity": incident.severity.word,
    }
