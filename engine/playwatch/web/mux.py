"""Mux's Incidents API: the official clients ask it without a change of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery, Ranking
from playwatch.web.contract import answer, asked_of
from playwatch.web.mux_documents import (
    RANKINGS,
    SEVERITIES,
    IncidentsAsked,
    ManyIncidents,
    OneIncident,
    RelatedAsked,
    mux_incident,
    timeframe,
)
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.core.listings import FoundIncidents
    from playwatch.ports import Clock, Store

_BASE: Final = "data/v1/incidents"


class MuxIncidents:
    """The paths under ``/data/v1/incidents``.

    Parameters
    ----------
    store
        Is only read.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application, each also with more slashes before it.

        A client whose host ends with a slash sends two.
        """
        for begin in ("/", "/{slashes:/+}"):
            app.router.add_get(f"{begin}{_BASE}", self.all)
            app.router.add_get(f"{begin}{_BASE}/{{id}}", self.one)
            app.router.add_get(f"{begin}{_BASE}/{{id}}/related", self.related)

    async def all(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page of incidents."""
        asked = asked_of(request, IncidentsAsked, is_strict=False)
        return await self._page(asked, status=asked.status, severity=asked.severity)

    async def related(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page of what is related to an incident."""
        asked = asked_of(request, RelatedAsked, is_strict=False)
        name = request.match_info["id"]
        if await self._store.incident(name) is None:
            raise _unknown()
        return await self._page(asked, related_to=name)

    async def one(self, request: web.Request) -> web.StreamResponse:
        """Answer with one incident."""
        name = request.match_info["id"]
        story = await self._store.incident(name)
        if story is None:
            raise _unknown()
        document = OneIncident(
            data=mux_incident(story.incident, await self._store.notices([name])),
            timeframe=timeframe(self._clock.wall_ms()),
            total_row_count=1,
        )
        return answer(document)

    async def _page(
        self,
        asked: RelatedAsked,
        *,
        status: str | None = None,
        severity: str | None = None,
        related_to: str | None = None,
    ) -> web.Response:
        found = await self._store.found(
            IncidentQuery(
                status=None if status is None else Status(status),
                severities=None if severity is None else SEVERITIES[severity],
                related_to=related_to,
                limit=asked.limit,
                offset=(asked.page - 1) * asked.limit,
                ranking=RANKINGS.get(asked.order_by or "", Ranking.TIME),
                is_ascending=asked.order_direction == "asc",
            )
        )
        return answer(await self._document(found))

    async def _document(self, found: FoundIncidents) -> ManyIncidents:
        notices = await self._store.notices([one.id for one in found.incidents])
        return ManyIncidents(
            data=tuple(
                mux_incident(one, [notice for notice in notices if notice.incident_id == one.id])
                for one in found.incidents
            ),
            timeframe=timeframe(self._clock.wall_ms()),
            total_row_count=found.total,
        )


def _unknown() -> ProblemError:
    return ProblemError(404, "there is no such incident")
