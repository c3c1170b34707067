"""Self-alerts: complaints become incidents, and channels are told of them.

An incident opens once its complaint has held for long enough, and ends once the
complaint has been gone for long enough: what comes and goes is one incident. A
channel is never told that it does not work, and what is said of the engine
raises no complaint of its own, so nothing goes in circles.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwatch.core.decisions import decision_of, told, withheld
from playwatch.core.deliveries import Changes
from playwatch.core.incidents import Change, Incident, Status, incident_id
from playwatch.core.routing import Told, unwanted_ends
from playwatch.core.rules import AlertType
from playwatch.core.silences import reason_for_quiet
from playwatch.runtime.complaints import DEAD_LETTERS, ENDINGS, GONE_S, NO_MORE_DEAD_S, PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.core.routing import Route
    from playwatch.core.samples import Instant
    from playwatch.core.silences import MuteWindow, Silence
    from playwatch.runtime.complaints import Complaint

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A complaint's rule and whom it concerns."""


@dataclass(slots=True)
class _Open:
    """An incident with who was told of it, and since when its complaint is gone."""

    incident: Incident
    told: Told
    until_ms: int
    gone: Instant | None = None
    is_withheld: bool = False


_News = tuple[Change, _Open]
"""What happened, and to what."""


class SelfAlerts:
    """The incidents that the engine opens about itself.

    Parameters
    ----------
    routes
        Whom to tell.
    installation
        The name of this installation; goes into every incident's identity.
    is_forgotten
        Says of an incident whose complaint is gone that its subject is not
        expected any more, as against well again.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        installation: str,
        is_forgotten: Callable[[Incident], bool] = lambda _: False,
    ) -> None:
        self.routes = tuple(routes)
        self._installation = installation
        self._is_forgotten = is_forgotten
        self._since: dict[Key, Instant] = {}
        self._open: dict[Key, _Open] = {}

    @property
    def open_incidents(self) -> list[Incident]:
        """Every open incident, the oldest first."""
        return [one.incident for one in self._open.values()]

    def adopt(
        self,
        incidents: Iterable[Incident],
        routed: Iterable[Delivery],
        now: Instant,
        withheld: Collection[str] = (),
    ) -> None:
        """Take over what the store has open; each ends when its complaint stays away.

        Parameters
        ----------
        routed
            The triggers of these incidents.
        withheld
            Ids of those of which a silence kept the trigger back.
        """
        routes: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in routed:
            routes[delivery.incident_id].append(delivery)
        for incident in incidents:
            is_dead_letters = incident.rule == PREFIX + DEAD_LETTERS
            until_s = NO_MORE_DEAD_S if is_dead_letters else GONE_S
            self._open[incident.rule, incident.breakdowns] = _Open(
                incident,
                Told(routes[incident.id]),
                round(until_s * 1000),
                now,
                is_withheld=incident.id in withheld,
            )

    def withdraw(self, channel: str, at: int) -> list[Delivery]:
        """Return what ends every open incident for one channel, which is told nothing any more."""
        self.routes = tuple(route for route in self.routes if route.channel != channel)
        return [
            each
            for one in self._open.values()
            for each in one.told.withdraw(one.incident, channel, at)
        ]

    def tick(
        self,
        complaints: Iterable[Complaint],
        now: Instant,
        quiet: Sequence[Silence | MuteWindow] = (),
    ) -> Changes:
        """Return what follows from the complaints that hold now.

        Parameters
        ----------
        quiet
            Silences and mute windows: they keep triggers back, never resolves.
        """
        holding = {(complaint.rule, complaint.about): complaint for complaint in complaints}
        for key in self._since.keys() - holding.keys():
            del self._since[key]
        news = [*self._begin(holding, now), *self._end(holding, now)]
        deliveries: list[Delivery] = []
        decisions = [decision_of(change, one.incident, now.at) for change, one in news]
        for change, one in news:
            if change is Change.CLOSED:
                unwanted = unwanted_ends(self.routes)
                deliveries += one.told.resolves(one.incident, now.at, unwanted=unwanted)
            elif reason := reason_for_quiet(tuple(quiet), one.incident, now.at):
                one.is_withheld = True
                decisions.append(withheld(one.incident, now.at, reason))
            else:
                deliveries += self._triggers(one, now)
        for one in self._open.values():
            if one.is_withheld and reason_for_quiet(tuple(quiet), one.incident, now.at) is None:
                one.is_withheld = False
                decisions.append(told(one.incident, now.at))
                deliveries += self._triggers(one, now)
        return Changes([one.incident for _, one in news], deliveries, decisions)

    def _begin(self, holding: Mapping[Key, Complaint], now: Instant) -> list[_News]:
        """Open what has been complained of for long enough."""
        news: list[_News] = []
        for key, complaint in holding.items():
            since = self._since.setdefault(key, now)
            if one := self._open.get(key):
                one.gone = None
            elif now.monotonic_ms - since.monotonic_ms >= complaint.for_s * 1000:
                self._open[key] = opened = self._opened(complaint, since, now)
                news.append((Change.OPENED, opened))
        return news

    def _end(self, holding: Collection[Key], now: Instant) -> list[_News]:
        """End what has not been complained of for long enough."""
        news: list[_News] = []
        for key in [key for key in self._open if key not in holding]:
            one = self._open[key]
            one.gone = one.gone or now
            if now.monotonic_ms - one.gone.monotonic_ms >= one.until_ms:
                one.incident = self._ended(one, one.gone, now)
                news.append((Change.CLOSED, self._open.pop(key)))
        return news

    def _triggers(self, one: _Open, now: Instant) -> list[Delivery]:
        """Return what tells everyone but the channel that it is about."""
        about = dict(one.incident.breakdowns).get("channel", "")
        routes = [route for route in self.routes if route.channel != about]
        return one.told.triggers(one.incident, routes, now.at)

    def _opened(self, complaint: Complaint, since: Instant, now: Instant) -> _Open:
        what = repr((complaint.rule, complaint.about))
        key = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
        held_ms = now.monotonic_ms - since.monotonic_ms + round(complaint.lasted_s * 1000)
        incident = Incident(
            id=incident_id(self._installation, key, now.at),
            incident_key=key,
            rule=complaint.rule,
            scope="",
            alert_type=AlertType.ENGINE,
            status=Status.OPEN,
            severity=complaint.severity,
            measurement=complaint.measurement,
            unit=complaint.unit,
            breakdowns=complaint.about,
            measured_value=complaint.value,
            peak_value=complaint.value,
            threshold=complaint.limit,
            bound=f"> {complaint.limit:g}",
            sample_size=0,
            affected_viewers=0,
            started_at=now.at - held_ms,
            opened_at=now.at,
            window_s=0.0,
            summary=complaint.summary,
        )
        return _Open(incident, Told(), round(complaint.until_s * 1000))

    def _ended(self, one: _Open, gone: Instant, now: Instant) -> Incident:
        kind = one.incident.rule.removeprefix(PREFIX)
        reason = ENDINGS.get(kind, "over")
        if self._is_forgotten(one.incident):
            reason = "not expected any more"
        gone_at = max(now.at - (now.monotonic_ms - gone.monotonic_ms), one.incident.started_at)
        return one.incident.ended(
            Status.CLOSED, reason=reason, resolved_at=gone_at, ended_at=now.at, value=None
        )
