"""What there is to see of a demo so far: samples, incidents, pages."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Final

from playwatch.channels.wording import headline, one_line, place
from playwatch.core.incidents import Status
from playwatch.core.summary import share_of
from playwatch.demo.audience import FAILURES, PAIRS, REBUFFERING
from playwatch.demo.pages_book import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.incidents import Incident
    from playwatch.demo.audience import Fault, Sample
    from playwatch.demo.pages_book import Entry

WINDOW_S: Final = 5
"""What the values on the board are taken over: the window of the demo's rules."""

DEDUP_PREFIX: Final = "playwatch/"
"""What stands before an incident's id in its ``dedup_key``."""

_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One country on one CDN, now.

    Attributes
    ----------
    failures, rebuffering
        Percent over the window; None before the first views.
    views
        In the window.
    viewers
        At this moment.
    rules
        The rules with an open incident that this row is part of.
    """

    country: str
    cdn: str
    failures: float | None
    rebuffering: float | None
    views: int
    viewers: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request that the stand-in answered.

    Attributes
    ----------
    latency_ms
        From the sample's time that opened or ended the incident to the
        request; None when the incident is not known.
    """

    entry: Entry
    latency_ms: int | None


@dataclass(slots=True)
class Board:
    """Collects what is published, stored and received, and tells what is new.

    Attributes
    ----------
    samples
        How many were published.
    incidents
        Every incident seen, by id, in the order of their opening.
    receipts
        The newest requests at the stand-in, oldest first.
    fault
        What the simulation does wrong now, or None.
    """

    samples: int = 0
    incidents: dict[str, Incident] = field(default_factory=dict)
    receipts: deque[Receipt] = field(default_factory=lambda: deque(maxlen=_KEPT))
    fault: Fault | None = None
    _recent: deque[list[Sample]] = field(default_factory=lambda: deque(maxlen=WINDOW_S))
    _latencies_ms: list[int] = field(default_factory=list)

    @property
    def opened(self) -> int:
        """How many incidents have opened, those with the cause of another one aside."""
        return len(self._told_of())

    @property
    def resolved(self) -> int:
        """How many of these have been resolved."""
        return sum(one.status is Status.CLOSED for one in self._told_of())

    @property
    def related(self) -> int:
        """How many more have opened that have the cause of another one."""
        return len(self.incidents) - self.opened

    @property
    def by_alert_type(self) -> dict[str, int]:
        """How many have opened of each type of alert."""
        return dict(Counter(one.alert_type.value for one in self._told_of()))

    @property
    def cause(self) -> str:
        """Where the newest anomaly came from, in words; empty before the first."""
        causes = [share_of(one.causes[0]) for one in self._told_of() if one.causes]
        return causes[-1] if causes else ""

    def _told_of(self) -> list[Incident]:
        return [one for one in self.incidents.values() if not one.related_to]

    @property
    def latency_ms(self) -> float | None:
        """The median time from sample to trigger; None before the first."""
        return median(self._latencies_ms) if self._latencies_ms else None

    def hear(self, samples: list[Sample]) -> None:
        """Take the samples of one more second, as they were published."""
        self._recent.append(samples)
        self.samples += len(samples)

    def befall(self, fault: Fault | None) -> list[str]:
        """Note what the simulation does wrong from now on; return the news of it."""
        before, self.fault = self.fault, fault
        over = [f"simulation: over: {before}"] if before and before != fault else []
        begun = [f"simulation: {fault}"] if fault and before != fault else []
        return [*over, *begun]

    def learn(self, incidents: Iterable[Incident], entries: Iterable[Entry]) -> list[str]:
        """Take what the store and the stand-in hold; return the news, one line each.

        Parameters
        ----------
        incidents
            Those that may have changed.
        entries
            Requests not told before, oldest first.
        """
        news = []
        for incident in sorted(incidents, key=lambda one: one.opened_at):
            before = self.incidents.get(incident.id)
            self.incidents[incident.id] = incident
            if incident.related_to:
                continue
            if before is None:
                news.append(f"{moment(incident.opened_at)} opened    {_told(incident)}")
            if incident.ended_at is not None and (before is None or before.is_open):
                news.append(f"{moment(incident.ended_at)} resolved  {_told(incident)}")
        return [*news, *map(self._receive, entries)]

    def rows(self) -> list[Row]:
        """Return the state of every country on every CDN."""
        return [self._row(country, cdn) for country, cdn in PAIRS]

    def _receive(self, entry: Entry) -> str:
        incident = self.incidents.get(entry.dedup_key.removeprefix(DEDUP_PREFIX))
        latency_ms = None
        if incident is not None:
            since_at = incident.opened_at if entry.action == "trigger" else incident.ended_at
            latency_ms = max(0, entry.at - since_at) if since_at is not None else None
        if entry.effect is Effect.OPENED and latency_ms is not None:
            self._latencies_ms.append(latency_ms)
        self.receipts.append(Receipt(entry, latency_ms))
        after = "" if latency_ms is None else f" after {latency_ms} ms"
        return (
            f"{moment(entry.at)} PagerDuty {entry.action} {one_line(entry.dedup_key)}"
            f" with key {entry.key}: {entry.status}{after}"
        )

    def _row(self, country: str, cdn: str) -> Row:
        samples = [
            sample
            for second in self._recent
            for sample in second
            if (sample.country, sample.cdn) == (country, cdn)
        ]
        failures = [sample for sample in samples if sample.metric == FAILURES]
        rebuffering = [sample for sample in samples if sample.metric == REBUFFERING]
        rules = {
            incident.rule
            for incident in self.incidents.values()
            if incident.is_open
            and not incident.related_to
            and set(incident.breakdowns) <= {("country", country), ("cdn", cdn)}
        }
        return Row(
            country=country,
            cdn=cdn,
            failures=_mean(failures),
            rebuffering=_mean(rebuffering),
            views=sum(sample.views for sample in failures),
            viewers=samples[-1].views if samples else 0,
            rules=tuple(sorted(rules)),
        )


def moment(at: int | None) -> str:
    """Return milliseconds since the epoch as a time of the day, UTC; None as nothing."""
    return "" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%SZ")


def _mean(samples: list[Sample]) -> float | None:
    """Return the mean weighted by views, as the engine does; None without views."""
    views = sum(sample.views for sample in samples)
    return sum(sample.value * sample.views for sample in samples) / views if views else None


def _told(incident: Incident) -> str:
    if incident.is_open:
        what = headline(incident)
        # The built-in words name the bound, a rule's own may not.
        bound = "" if incident.bound in what else f" ({incident.bound})"
        return f"{one_line(incident.rule)}: {what}{bound}"
    lasted_s = ((incident.ended_at or 0) - incident.opened_at) / 1000
    value = incident.measured_value_on_close
    now = "" if value is None else f", now {value:,.1f} {one_line(incident.unit)}".rstrip()
    where = place(incident.breakdowns) or "everywhere"
    return f"{one_line(incident.rule)}: {where} after {lasted_s:.0f} s{now}"
