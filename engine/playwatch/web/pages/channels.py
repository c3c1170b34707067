"""The notification channels: who is told of which alerts, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.web.pages.site import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from playwatch.config.schema import ChannelSettings
    from playwatch.runtime.outbox import Outbox
    from playwatch.web.pages.site import Site


class ChannelPages:
    """The list of channels.

    Parameters
    ----------
    settings
        Returns the channels in force.
    """

    def __init__(self, settings: Callable[[], Sequence[ChannelSettings]], outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the page to an application."""
        site.get(app, "/channels", self.all)

    async def all(self, request: web.Request) -> Page:
        """Show every channel."""
        del request
        waiting, away = self._outbox.complaints(), self._outbox.away()
        rows = [
            {
                "name": one.name,
                "service": one.service,
                "alert_types": one.alert_types,
                "key": f"****{one.key[-4:]}" if one.key else "",
                "only": _narrowed(one),
                "state": "misconfigured"
                if one.name in waiting
                else "waiting"
                if one.name in away
                else "well",
                "why": waiting.get(one.name) or away.get(one.name, ""),
            }
            for one in self._settings()
        ]
        return Page("channels.html.j2", "Notification channels", {"rows": rows})


def _narrowed(channel: ChannelSettings) -> str:
    """Return what a channel takes less than everything of its alert types."""
    parts = [] if channel.min_severity == "info" else [f"from {channel.min_severity}"]
    parts += ["some rules"] if channel.rules else []
    parts += ["some metrics"] if channel.metrics else []
    parts += [f"some values of {name}" for name in channel.where]
    parts += [] if channel.send_resolved else ["no resolves"]
    return ", ".join(parts)
