"""Routing: which channels are told of a change of an incident.

Routing only adds. It is decided when an incident opens and again at each rise;
a channel that was told once is told of the end, with the key it was told with,
whatever the configuration says by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from playwatch.core.deliveries import WITHDRAWN, Action, Delivery, is_withdrawal
from playwatch.core.incidents import Status
from playwatch.core.rules import AlertType, Matcher, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from playwatch.core.incidents import Incident

ALL_TYPES = frozenset(AlertType)
ANY_RULE = Matcher("rule")
ANY_METRIC = Matcher("metric")


@dataclass(frozen=True, slots=True)
class Route:
    """What one channel wants to hear.

    Attributes
    ----------
    channel
        Its name.
    key_fingerprint
        Which key it uses today.
    alert_types
        The types of alert it takes.
    min_severity
        The lowest severity it takes.
    rules, metrics
        Over the rule's name and the metric's key.
    where
        Over the dimensions of the incident's group; all must pass.
    sends_resolves
        False when it is not to be told of the end.
    """

    channel: str
    key_fingerprint: str
    alert_types: frozenset[AlertType] = field(default=ALL_TYPES)
    min_severity: Severity = Severity.INFO
    rules: Matcher = ANY_RULE
    metrics: Matcher = ANY_METRIC
    where: tuple[Matcher, ...] = ()
    sends_resolves: bool = True

    def takes(self, incident: Incident) -> bool:
        """Return whether the channel wants to hear of an incident."""
        if (
            incident.alert_type not in self.alert_types
            or incident.severity < self.min_severity
            or not self.rules.matches({"rule": incident.rule})
            or not self.metrics.matches({"metric": incident.measurement})
        ):
            return False
        group = {name: value for name, value in incident.breakdowns if value} if self.where else {}
        return all(matcher.matches(group) for matcher in self.where)


def unwanted_ends(routes: Iterable[Route]) -> frozenset[str]:
    """Return the channels that are not to be told of the end of an incident."""
    return frozenset(route.channel for route in routes if not route.sends_resolves)


class Told:
    """Which channels were told of one incident, by which dedup key, and with which key of theirs.

    Notes
    -----
    A channel is first told by the incident's own dedup key. A rule that pages
    again on a rise tells it by a second one, ``<dedup_key>/<tier>``, because a
    receiver does not wake anybody twice for one dedup key.
    """

    def __init__(self, deliveries: Iterable[Delivery] = ()) -> None:
        self._key_of: dict[str, str] = {}
        self._dedup_keys: dict[str, list[str]] = {}
        for delivery in deliveries:
            if delivery.action is Action.TRIGGER:
                self._remember(delivery.channel, delivery.key_fingerprint, delivery.dedup_key)
            elif is_withdrawal(delivery):
                self._forget(delivery.channel)

    @property
    def channels(self) -> list[str]:
        """The channels that were told, and not that it is over."""
        return list(self._key_of)

    def triggers(
        self, incident: Incident, routes: Iterable[Route], at: int, *, pages_again: bool = False
    ) -> list[Delivery]:
        """Return the triggers of an opening or a rise, and remember them.

        A channel told before gets the same keys again, with the new severity,
        even if it would not be chosen now.

        Parameters
        ----------
        pages_again
            Tell those who were told before by a dedup key of the new tier.
        """
        name = f"trigger/{incident.severity.word}"
        again = f"{incident.dedup_key}/{incident.severity.word}"
        dedup_keys = dict.fromkeys(self._key_of, again if pages_again else incident.dedup_key)
        for route in routes:
            if route.takes(incident) and route.channel not in self._key_of:
                dedup_keys[route.channel] = incident.dedup_key
                self._key_of[route.channel] = route.key_fingerprint
        for channel, dedup_key in dedup_keys.items():
            self._remember(channel, self._key_of[channel], dedup_key)
        return [
            _delivery(incident, channel, self._key_of[channel], Action.TRIGGER, name, dedup_key, at)
            for channel, dedup_key in dedup_keys.items()
        ]

    def resolves(
        self, incident: Incident, at: int, *, unwanted: Collection[str] = ()
    ) -> list[Delivery]:
        """Return a resolve for every dedup key of every channel that was told.

        Parameters
        ----------
        unwanted
            Channels that are not to be told of an end.
        """
        return [
            _delivery(
                incident,
                channel,
                self._key_of[channel],
                Action.RESOLVE,
                "resolve" + dedup_key.removeprefix(incident.dedup_key),
                dedup_key,
                at,
            )
            for channel, dedup_keys in self._dedup_keys.items()
            if channel not in unwanted
            for dedup_key in dedup_keys
        ]

    def withdraw(self, incident: Incident, channel: str, at: int) -> list[Delivery]:
        """Return what ends an open incident for one channel, which counts as never told then."""
        ended = incident.ended(
            Status.CLOSED,
            reason=f"channel {channel} is told no more; the incident goes on",
            resolved_at=max(at, incident.started_at),
            ended_at=max(at, incident.opened_at),
            value=None,
        )
        unwanted = self._dedup_keys.keys() - {channel}
        resolves = self.resolves(ended, at, unwanted=unwanted)
        self._forget(channel)
        return [replace(each, id=f"{each.id}{WITHDRAWN}{at}") for each in resolves]

    def _forget(self, channel: str) -> None:
        self._key_of.pop(channel, None)
        self._dedup_keys.pop(channel, None)

    def _remember(self, channel: str, key: str, dedup_key: str) -> None:
        self._key_of.setdefault(channel, key)
        known = self._dedup_keys.setdefault(channel, [])
        if dedup_key not in known:
            known.append(dedup_key)


def _delivery(
    incident: Incident,
    channel: str,
    key: str,
    action: Action,
    name: str,
    dedup_key: str,
    at: int,
) -> Delivery:
    return Delivery(
        id=f"{incident.id}/{channel}/{name}",
        incident=incident,
        channel=channel,
        key_fingerprint=key,
        action=action,
        dedup_key=dedup_key,
        created_at=at,
    )
