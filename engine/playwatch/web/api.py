"""The API for changing things: silences, remarks, ends by hand, reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from playwatch.core.decisions import RemarkKind
from playwatch.web.authors import author_of
from playwatch.web.bodies import SilencesWanted
from playwatch.web.contract import asked_of
from playwatch.web.documents import (
    body_of,
    remark_document,
    report_document,
    silence_document,
    silence_request,
    text_of,
)
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwatch.ports import Clock
    from playwatch.runtime.desk import Desk
    from playwatch.runtime.reload import ReloadReport

    Reload = Callable[[str], Awaitable[ReloadReport]]

_SILENCE: Final = {"matchers", "starts_at", "ends_at", "for", "author", "comment"}


class Api:
    """The handlers under ``/api/v1`` and of ``/-/reload``."""

    def __init__(self, desk: Desk, reload: Reload | None, clock: Clock) -> None:
        self._desk = desk
        self._reload = reload
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        router = app.router
        router.add_post("/-/reload", self.reload)
        router.add_get("/api/v1/silences", self.silences)
        router.add_post("/api/v1/silences", self.silence)
        router.add_delete("/api/v1/silences/{id}", self.expire)
        router.add_post("/api/v1/incidents/{id}/ack", self.acknowledge)
        router.add_post("/api/v1/incidents/{id}/note", self.note)
        router.add_post("/api/v1/incidents/{id}/resolve", self.resolve)

    async def reload(self, request: web.Request) -> web.StreamResponse:
        """Read the configuration again; answer what became of rules and incidents."""
        if self._reload is None:
            message = "this engine was not started from a file"
            raise ProblemError(409, message)
        return web.json_response(report_document(await self._reload(author_of(request))))

    async def silences(self, request: web.Request) -> web.StreamResponse:
        """Answer with the silences in force and to come; with ``?all`` also the ended ones."""
        asked = asked_of(request, SilencesWanted)
        found = await self._desk.silences(with_ended=asked.all is not None)
        page = found[asked.offset : asked.offset + asked.limit]
        return web.json_response([silence_document(silence) for silence in page])

    async def silence(self, request: web.Request) -> web.StreamResponse:
        """Begin a silence."""
        body = await body_of(request, _SILENCE)
        made = await self._desk.silence(silence_request(body, self._clock.wall_ms()))
        return web.json_response(silence_document(made), status=201)

    async def expire(self, request: web.Request) -> web.StreamResponse:
        """End a silence."""
        author = author_of(request, request.query.get("author"))
        silence = await self._desk.expire(request.match_info["id"], author)
        if silence is None:
            message = "there is no such silence"
            raise ProblemError(404, message)
        return web.json_response(silence_document(silence))

    async def acknowledge(self, request: web.Request) -> web.StreamResponse:
        """Acknowledge an incident."""
        body = await body_of(request, {"author", "comment"})
        said = text_of(body, "comment", is_needed=False)
        return await self._remark(request, RemarkKind.ACKNOWLEDGED, body, said)

    async def note(self, request: web.Request) -> web.StreamResponse:
        """Add a note to an incident."""
        body = await body_of(request, {"author", "text"})
        return await self._remark(request, RemarkKind.NOTE, body, text_of(body, "text"))

    async def _remark(
        self, request: web.Request, kind: RemarkKind, body: dict[str, object], said: str
    ) -> web.StreamResponse:
        author = text_of(body, "author")
        remark = await self._desk.remark(request.match_info["id"], kind, author, said)
        if remark is None:
            message = "there is no such incident"
            raise ProblemError(404, message)
        return web.json_response(remark_document(remark), status=201)

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """Close an incident by hand."""
        body = await body_of(request, {"author"})
        incident_id = request.match_info["id"]
        standing = await self._desk.resolve(incident_id, text_of(body, "author"))
        if standing is None:
            message = "there is no such incident"
            raise ProblemError(404, message)
        status, _, reason = standing.partition(": ")
        return web.json_response({"id": incident_id, "status": status, "reason": reason})
