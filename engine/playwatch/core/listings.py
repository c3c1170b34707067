"""Listings: which incidents somebody wants to see, and in what order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.incidents import Incident, Status
    from playwatch.core.rules import AlertType, Severity

_MOST_WORDS: Final = 32


class Ranking(Enum):
    """What a list of incidents is sorted by, before the time of their opening."""

    TIME = "time"
    IMPACT = "impact"
    """Viewers hit in an hour."""
    VALUE = "value"
    VIEWS = "views"
    NAME = "name"
    """The rule."""


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents to list; what is None asks for nothing.

    Attributes
    ----------
    is_ended
        Only those that are not open.
    text
        Words that must all stand in it somewhere; see `search_text`.
    severities
        Any of these.
    dimensions
        Names and values that the group must all have.
    begin_at, end_at
        The incident lasted, or lasts, at some moment from the first up to and
        without the second, milliseconds.
    related_to
        An incident: others of its group, and others that lasted at the same
        time and share its metric or one of its dimensions.
    ranking, is_ascending
        The order; by default the newest first.
    """

    status: Status | None = None
    rule: str | None = None
    limit: int = 100
    offset: int = 0
    alert_type: AlertType | None = None
    severities: frozenset[Severity] | None = None
    metric: str | None = None
    dimensions: tuple[tuple[str, str], ...] = ()
    begin_at: int | None = None
    end_at: int | None = None
    related_to: str | None = None
    ranking: Ranking = Ranking.TIME
    is_ascending: bool = False
    is_ended: bool = False
    text: str = ""


def search_text(incident: Incident) -> str:
    """Return what a search looks through: id, rule, metric, summary and group.

    Casefolded, a line each; a search for ``ß`` finds ``SS``.
    """
    group = [part for pair in incident.breakdowns for part in pair]
    lines = [incident.id, incident.rule, incident.measurement, incident.summary, *group]
    return "\n".join(lines).casefold()


def search_words(text: str) -> list[str]:
    """Return the words that a search asks for, each once, casefolded; 32 at most."""
    return list(dict.fromkeys(text.casefold().split()))[:_MOST_WORDS]


@dataclass(frozen=True, slots=True)
class FoundIncidents:
    """One page of a list of incidents, and how many there are in all."""

    incidents: Sequence[Incident]
    total: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about an incident, as those see it who only want to know of it.

    Attributes
    ----------
    number
        Its own for ever, in this store.
    queued_at, attempted_at
        When it was decided, and last tried; None when it was not yet.
    """

    number: int
    incident_id: str
    channel: str
    queued_at: int
    attempted_at: int | None
