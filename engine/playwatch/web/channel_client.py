"""Asks a running engine over HTTP about its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.web.client import RemoteDesk

Document = dict[str, Any]


class RemoteChannels:
    """A `ChannelDesk` of a running engine.

    Parameters
    ----------
    engine
        What asks it.
    """

    def __init__(self, engine: RemoteDesk) -> None:
        self._engine = engine

    async def channels(self) -> list[Document]:
        """Return every channel."""
        found: list[Document] = await self._engine.ask("GET", "/api/v1/channels") or []
        return found

    async def channel(self, name: str) -> Document | None:
        """Return one channel."""
        return await self._one("GET", _path(name))

    async def add(self, body: Mapping[str, object], author: str) -> Document:
        """Add a channel."""
        added: Document = await self._engine.ask(
            "POST", "/api/v1/channels", {**body, "author": author}
        )
        return added

    async def enable(
        self, name: str, author: str, *, is_enabled: bool, resolves: bool
    ) -> Document | None:
        """Enable a channel, or disable it."""
        body = {"enabled": is_enabled, "open_incidents": _word(resolves=resolves), "author": author}
        return await self._one("PATCH", _path(name), body)

    async def remove(self, name: str, author: str, *, resolves: bool) -> Document | None:
        """Remove a channel."""
        query = urlencode({"open_incidents": _word(resolves=resolves), "author": author})
        return await self._one("DELETE", f"{_path(name)}?{query}")

    async def test(self, name: str) -> list[Document] | None:
        """Send a marked trigger and its resolve."""
        answers: list[Document] | None = await self._engine.ask("POST", f"{_path(name)}/test")
        return answers

    async def _one(self, method: str, path: str, body: object = None) -> Document | None:
        answer: Document | None = await self._engine.ask(method, path, body)
        return answer


def _path(name: str) -> str:
    return f"/api/v1/channels/{quote(name, safe='')}"


def _word(*, resolves: bool) -> str:
    return "resolve" if resolves else "leave"
