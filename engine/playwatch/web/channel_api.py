"""The API for channels: look at them, add, disable, remove and try them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from playwatch.web.authors import author_of
from playwatch.web.documents import body_of
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from playwatch.runtime.channel_desk import ChannelDesk

_RESOLVE: Final = "resolve"
_LEAVE: Final = "leave"


class ChannelApi:
    """The handlers under ``/api/v1/channels``; a key is taken and never given back."""

    def __init__(self, desk: ChannelDesk) -> None:
        self._desk = desk

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        router = app.router
        router.add_get("/api/v1/channels", self.channels)
        router.add_post("/api/v1/channels", self.add)
        router.add_get("/api/v1/channels/{name}", self.channel)
        router.add_patch("/api/v1/channels/{name}", self.enable)
        router.add_delete("/api/v1/channels/{name}", self.remove)
        router.add_post("/api/v1/channels/{name}/test", self.test)

    async def channels(self, _request: web.Request) -> web.StreamResponse:
        """Answer with every channel, those of the configuration first."""
        return web.json_response(await self._desk.channels())

    async def channel(self, request: web.Request) -> web.StreamResponse:
        """Answer with one channel."""
        return web.json_response(_there(await self._desk.channel(_name(request))))

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Add a channel, described as in a configuration file."""
        body = await body_of(request)
        author = author_of(request, body.pop("author", None))
        added = await self._desk.add(body, author)
        location = {"Location": f"/api/v1/channels/{added['name']}"}
        return web.json_response(added, status=201, headers=location)

    async def enable(self, request: web.Request) -> web.StreamResponse:
        """Let a channel take incidents again, or no new ones: ``{"enabled": false}``."""
        body = await body_of(request, {"enabled", "open_incidents", "author"})
        is_enabled = body.get("enabled")
        if not isinstance(is_enabled, bool):
            message = "enabled must be true or false"
            raise ProblemError(422, message, hint="nothing else of a channel can be changed here")
        changed = await self._desk.enable(
            _name(request),
            author_of(request, body.get("author")),
            is_enabled=is_enabled,
            resolves=_resolves(body.get("open_incidents", _LEAVE)),
        )
        return web.json_response(_there(changed))

    async def remove(self, request: web.Request) -> web.StreamResponse:
        """Remove a channel; ``?open_incidents=leave`` lets each end be told when it comes."""
        removed = await self._desk.remove(
            _name(request),
            author_of(request, request.query.get("author")),
            resolves=_resolves(request.query.get("open_incidents", _RESOLVE)),
        )
        return web.json_response(_there(removed))

    async def test(self, request: web.Request) -> web.StreamResponse:
        """Send a marked trigger and its resolve; answer with what the service said."""
        return web.json_response(_there(await self._desk.test(_name(request))))


def _name(request: web.Request) -> str:
    return request.match_info["name"]


def _there(answer: Any) -> Any:  # noqa: ANN401 - JSON
    if answer is None:
        message = "there is no such channel"
        raise ProblemError(404, message)
    return answer


def _resolves(word: object) -> bool:
    if word not in (_RESOLVE, _LEAVE):  # it may be any JSON, so there is no hash to look up
        message = "open_incidents must be resolve or leave"
        hint = "resolve ends them at this channel now; leave tells each end when it comes"
        raise ProblemError(422, message, hint=hint)
    return word == _RESOLVE
