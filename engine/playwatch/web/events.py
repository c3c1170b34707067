"""Server-sent events: tells browsers what changes, one line of text at a time.

A stream ends with the log-in that it was opened by: nothing is told after that.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import web

from playwatch.runtime.news import TooManyError
from playwatch.web.callers import MAY_STILL_READ
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from playwatch.runtime.news import Event, News

WRITE_S: Final = 10.0
"""How long a browser may take nothing before it is let go."""
RETRY_MS: Final = 2_000


class EventStream:
    """The handler of ``/events``.

    Parameters
    ----------
    heartbeat_s
        How long a stream may be silent: proxies close those that are silent
        for longer.
    """

    def __init__(self, news: News, *, heartbeat_s: float = 15.0) -> None:
        self._news = news
        self._heartbeat_s = heartbeat_s

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application, and let listeners go before it stops."""
        app.router.add_get("/events", self.answer)
        app.on_shutdown.append(self._close)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with events for as long as the browser listens."""
        try:
            with self._news.listening(request.headers.get("Last-Event-ID", "")) as queue:
                return await self._send(request, queue)
        except TooManyError:
            message = "too many pages are watched at this moment"
            raise ProblemError(
                503, message, hint="load the page again to bring it up to date"
            ) from None

    async def _close(self, _app: web.Application) -> None:
        self._news.close()

    async def _send(
        self, request: web.Request, queue: asyncio.Queue[Event | None]
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        may_read = request.get(MAY_STILL_READ, lambda: True)
        with suppress(ConnectionError, TimeoutError):
            await self._write(response, f"retry: {RETRY_MS}\n\n")
            while (event := await self._next(queue)) is not None and may_read():
                await self._write(response, event)
        return response

    async def _next(self, queue: asyncio.Queue[Event | None]) -> str | None:
        """Return the next event as text, or a comment after a silence; None at the end."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                event = await queue.get()
        except TimeoutError:
            return ": still here\n\n"
        if event is None:
            return None
        return f"id: {self._news.mark(event)}\nevent: {event.kind}\ndata: {event.data}\n\n"

    async def _write(self, response: web.StreamResponse, text: str) -> None:
        async with asyncio.timeout(WRITE_S):
            await response.write(text.encode())
