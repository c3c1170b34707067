"""Routing: which channels are told of a change of an incident.

Routing only adds. It is decided when an incident opens and again at each rise;
a channel that was told once is told of the end, with the key it was told with,
whatever the configuration says by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwatch.core.deliveries import Action, Delivery
from playwatch.core.rules import AlertType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.incidents import Incident

ALL_TYPES = frozenset(AlertType)


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
    """

    channel: str
    key_fingerprint: str
    alert_types: frozenset[AlertType] = field(default=ALL_TYPES)

    def takes(self, incident: Incident) -> bool:
        """Return whether the channel wants to hear of an incident."""
        return incident.alert_type in self.alert_types


class Told:
    """Which channels were told of one incident, and with which key."""

    def __init__(self, deliveries: Iterable[Delivery] = ()) -> None:
        self._key_of = {
            delivery.channel: delivery.key_fingerprint
            for delivery in deliveries
            if delivery.action is Action.TRIGGER
        }

    def triggers(self, incident: Incident, routes: Iterable[Route], at: int) -> list[Delivery]:
        """Return the triggers of an opening or a rise, and remember them.

        A channel told before gets the same key again, with the new severity,
        even if it would not be chosen now.
        """
        for route in routes:
            if route.takes(incident):
                self._key_of.setdefault(route.channel, route.key_fingerprint)
        name = f"trigger/{incident.severity.word}"
        return [
            _delivery(incident, channel, key, Action.TRIGGER, name, at)
            for channel, key in self._key_of.items()
        ]

    def resolves(self, incident: Incident, at: int) -> list[Delivery]:
        """Return the resolve for every channel that was told."""
        return [
            _delivery(incident, channel, key, Action.RESOLVE, "resolve", at)
            for channel, key in self._key_of.items()
        ]


def _delivery(
    incident: Incident, channel: str, key: str, action: Action, name: str, at: int
) -> Delivery:
    return Delivery(
        id=f"{incident.id}/{channel}/{name}",
        incident=incident,
        channel=channel,
        key_fingerprint=key,
        action=action,
        dedup_key=incident.dedup_key,
        created_at=at,
    )
