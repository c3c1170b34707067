"""The teller: who was told of which open incident, and who is to be told now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.routing import Told, unwanted_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.routing import Route


class Teller:
    """Makes deliveries of what happens to incidents.

    Parameters
    ----------
    routes
        Which channels want to hear of what; they may be replaced.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._told: dict[str, Told] = {}
        self.route(routes)

    def route(self, routes: Sequence[Route]) -> None:
        """Go on with other routes."""
        self._routes = tuple(routes)
        self._unwanted = unwanted_ends(routes)

    def adopt(self, incident: Incident, triggers: Iterable[Delivery]) -> None:
        """Remember who was told of an incident."""
        self._told[incident.id] = Told(triggers)

    def triggers(self, incident: Incident, at: int, *, pages_again: bool) -> list[Delivery]:
        """Return the triggers of an opening or a rise."""
        told = self._told.setdefault(incident.id, Told())
        return told.triggers(incident, self._routes, at, pages_again=pages_again)

    def resolves(self, incident: Incident, at: int) -> list[Delivery]:
        """Return the resolves of an end, for all who were told."""
        told = self._told.pop(incident.id, Told())
        return told.resolves(incident, at, unwanted=self._unwanted)

    def withdraw(self, channel: str, incidents: Iterable[Incident], at: int) -> list[Delivery]:
        """Tell a channel that every incident is over for it, and nothing any more."""
        is_wanted = channel not in self._unwanted
        self.route([route for route in self._routes if route.channel != channel])
        told = ((one, self._told[one.id]) for one in incidents if one.id in self._told)
        resolves = [each for one, by in told for each in by.withdraw(one, channel, at)]
        return resolves if is_wanted else []
