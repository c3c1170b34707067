"""The API for deliveries that wait or were given up, and for the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from playwatch.core.deliveries import DeliveryStatus
from playwatch.ports import AuditQuery
from playwatch.runtime.audit_views import audit_view
from playwatch.web.authors import author_of
from playwatch.web.bodies import AuditWanted, LettersWanted
from playwatch.web.contract import asked_of
from playwatch.web.documents import body_of
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from playwatch.ports import Store
    from playwatch.runtime.letter_desk import LetterDesk

_UNDONE: Final = (DeliveryStatus.PENDING, DeliveryStatus.DEAD)


class LetterApi:
    """The handlers under ``/api/v1/deliveries`` and of ``/api/v1/audit``."""

    def __init__(self, desk: LetterDesk, store: Store) -> None:
        self._desk = desk
        self._store = store

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        router = app.router
        router.add_get("/api/v1/deliveries", self.letters)
        router.add_post("/api/v1/deliveries/replay", self.replay)
        router.add_post("/api/v1/deliveries/purge", self.purge)
        router.add_get("/api/v1/audit", self.audit)

    async def letters(self, request: web.Request) -> web.StreamResponse:
        """Answer with what waits and what was given up; ``?status=dead`` narrows it."""
        asked = asked_of(request, LettersWanted)
        statuses = {DeliveryStatus(word) for word in asked.status} or set(_UNDONE)
        return web.json_response(await self._desk.letters(statuses, asked.limit, asked.offset))

    async def replay(self, request: web.Request) -> web.StreamResponse:
        """Queue given-up deliveries again: ``{"ids": [...]}``."""
        ids, author = await _wanted(request)
        return web.json_response({"count": await self._desk.replay(ids, author)})

    async def purge(self, request: web.Request) -> web.StreamResponse:
        """Forget given-up deliveries: ``{"ids": [...]}``."""
        ids, author = await _wanted(request)
        return web.json_response({"count": await self._desk.purge(ids, author)})

    async def audit(self, request: web.Request) -> web.StreamResponse:
        """Answer with who changed what, the newest first; ``?subject=NAME`` narrows it."""
        asked = asked_of(request, AuditWanted)
        query = AuditQuery(asked.subject, asked.limit, asked.offset)
        return web.json_response([audit_view(each) for each in await self._store.audit(query)])


async def _wanted(request: web.Request) -> tuple[list[str], str]:
    body = await body_of(request, {"ids", "author"})
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
        message = "ids must be a list of ids of deliveries"
        raise ProblemError(422, message, hint="GET /api/v1/deliveries?status=dead lists them")
    return ids, author_of(request, body.get("author"))
