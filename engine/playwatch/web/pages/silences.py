"""The silences: whom they keep quiet, until when, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.web.documents import matcher_document
from playwatch.web.pages.site import Page

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.ports import Clock
    from playwatch.runtime.desk import Desk
    from playwatch.web.pages.site import Site


class SilencePages:
    """The silences in force and to come, and those that ended."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the page to an application."""
        site.get(app, "/silences", self.all)

    async def all(self, request: web.Request) -> Page:
        """Show silences, those that end first at the top."""
        with_ended = "all" in request.query
        now = self._clock.wall_ms()
        found = await self._desk.silences(with_ended=with_ended)
        rows = [
            {
                "silence": one,
                "matchers": sorted(matcher_document(one.matchers).items()),
                "state": "ended"
                if one.ends_at <= now
                else "active"
                if one.starts_at <= now
                else "to come",
            }
            for one in sorted(found, key=lambda one: one.ends_at, reverse=with_ended)
        ]
        return Page("silences.html.j2", "Silences", {"rows": rows, "with_ended": with_ended})
