"""What a PagerDuty stand-in remembers: open incidents and a journal."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections import deque

    from playwatch.demo.event_checks import Event

_TOLD: Final = 4
_SHORTEST_TOLD: Final = 12


class Effect(Enum):
    """What a request did to the incidents."""

    OPENED = "opened"
    REPEATED = "repeated"
    """A trigger on an open incident: a line in its log, no page."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    DROPPED = "dropped"
    """Accepted without any effect: nothing was open under that key."""
    REFUSED = "refused"
    """Answered, but not ingested."""
    LOST = "lost"
    """Neither answered nor ingested."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request in the journal.

    Attributes
    ----------
    at
        When it was judged, wall clock, milliseconds.
    monotonic_ms
        The same on a clock that never steps.
    key
        The routing key, all but its last four characters masked.
    action, dedup_key
        As they were asked for; empty when the body was no event.
    status
        The HTTP status that was answered; 0 when none was.
    effect
        What it did.
    event
        The body with its routing key masked; None when it was no JSON object.
    size
        Of the body in bytes.
    """

    at: int
    monotonic_ms: int
    key: str
    action: str
    dedup_key: str
    status: int
    effect: Effect
    event: Event | None
    size: int

    def as_json(self) -> Event:
        """Return the entry for a JSON encoder."""
        return {**asdict(self), "effect": self.effect.value}


@dataclass(frozen=True, slots=True)
class Page:
    """One incident as a responder would see it."""

    number: int
    key: str
    dedup_key: str
    status: str
    summary: str
    severity: str
    source: str
    opened_at: int
    resolved_at: int | None = None
    triggers: int = 1


@dataclass(slots=True)
class PagesBook:
    """Incidents by (routing key, ``dedup_key``), and everything that happened.

    Attributes
    ----------
    journal
        The newest requests, oldest first; as many as fit.
    pages
        The newest incidents, open and resolved, in the order of their opening.
    counts
        Requests by (action, effect) since the start.
    """

    journal: deque[Entry]
    pages: dict[int, Page] = field(default_factory=dict)
    counts: dict[tuple[str, Effect], int] = field(default_factory=dict)
    _open: dict[tuple[str, str], int] = field(default_factory=dict)
    _opened: int = 0
    _page_limit: int = 20_000

    def ingest(self, event: Event, now_at: int) -> tuple[Effect, str]:
        """Apply a valid event; return what it did and its ``dedup_key``."""
        action = event["event_action"]
        key = (str(event["routing_key"]), str(event.get("dedup_key") or uuid.uuid4().hex))
        number = self._open.get(key)
        if number is None:
            if action != "trigger":
                return Effect.DROPPED, key[1]
            return self._opened_page(key, event, now_at), key[1]
        page = self.pages[number]
        if action == "trigger":
            self.pages[number] = replace(page, triggers=page.triggers + 1)
            return Effect.REPEATED, key[1]
        if action == "acknowledge":
            self.pages[number] = replace(page, status="acknowledged")
            return Effect.ACKNOWLEDGED, key[1]
        self.pages[number] = replace(page, status="resolved", resolved_at=now_at)
        del self._open[key]
        return Effect.RESOLVED, key[1]

    def write(self, entry: Entry) -> None:
        """Add a request to the journal."""
        self.journal.append(entry)
        counted = (entry.action, entry.effect)
        self.counts[counted] = self.counts.get(counted, 0) + 1

    def opened(self, routing_key: str | None = None) -> list[Page]:
        """Return the incidents that are open, of one routing key or of all."""
        return [
            self.pages[number]
            for (key, _), number in self._open.items()
            if routing_key is None or key == routing_key
        ]

    def _opened_page(self, key: tuple[str, str], event: Event, now_at: int) -> Effect:
        payload = event.get("payload")
        told = payload if isinstance(payload, dict) else {}
        self._opened += 1
        self._open[key] = self._opened
        self.pages[self._opened] = Page(
            number=self._opened,
            key=masked(key[0]),
            dedup_key=key[1],
            status="open",
            summary=str(told.get("summary", "")),
            severity=str(told.get("severity", "")),
            source=str(told.get("source", "")),
            opened_at=now_at,
        )
        self._forget_the_oldest()
        return Effect.OPENED

    def _forget_the_oldest(self) -> None:
        """Keep the book bounded: resolved incidents go first."""
        if len(self.pages) <= self._page_limit:
            return
        resolved = (page.number for page in self.pages.values() if page.status == "resolved")
        number = next(resolved, next(iter(self.pages)))
        del self.pages[number]
        self._open = {key: kept for key, kept in self._open.items() if kept != number}


def masked(key: object) -> str:
    """Return a routing key with all but its last four characters hidden."""
    text = key if isinstance(key, str) else ""
    return "…" + (text[-_TOLD:] if len(text) >= _SHORTEST_TOLD else "") if text else ""
