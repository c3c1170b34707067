"""The API for looking at incidents: a filtered list, and one with its whole record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery
from playwatch.web.contract import answer, asked_of
from playwatch.web.incident_documents import (
    SEVERITIES,
    IncidentPage,
    IncidentsWanted,
    incident_document,
    story_document,
)
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from datetime import datetime

    from aiohttp import web

    from playwatch.ports import Store


class IncidentApi:
    """The handlers that read ``/api/v1/incidents``.

    Parameters
    ----------
    store
        Is only read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("/api/v1/incidents", self.all)
        app.router.add_get("/api/v1/incidents/{id}", self.one)

    async def all(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page of incidents."""
        asked = asked_of(request, IncidentsWanted)
        pairs = (one.partition(":") for one in asked.dimension)
        severities = frozenset(SEVERITIES[word] for word in asked.severity)
        query = IncidentQuery(
            status=None if asked.status in {None, "ended"} else Status(asked.status),
            is_ended=asked.status == "ended",
            text=asked.q,
            alert_type=asked.alert_type,
            severities=severities or None,
            rule=asked.rule,
            metric=asked.metric,
            dimensions=tuple({(name, value): None for name, _, value in pairs}),
            begin_at=_milliseconds(asked.begin),
            end_at=_milliseconds(asked.end),
            related_to=asked.related_to,
            ranking=asked.order,
            is_ascending=asked.direction == "asc",
            limit=asked.limit,
            offset=asked.offset,
        )
        found = await self._store.found(query)
        page = IncidentPage(
            incidents=tuple(incident_document(one) for one in found.incidents),
            total=found.total,
            limit=asked.limit,
            offset=asked.offset,
        )
        return answer(page)

    async def one(self, request: web.Request) -> web.StreamResponse:
        """Answer with one incident and its record."""
        story = await self._store.incident(request.match_info["id"])
        if story is None:
            message = "there is no such incident"
            raise ProblemError(404, message, hint="it may have been removed after its retention")
        return answer(story_document(story))


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
