"""A web server of a test's own: parts behind the gate that a configuration asks for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from playwatch.config.web import WebSettings
from playwatch.telemetry import Telemetry
from playwatch.web.callers import caller_of
from playwatch.web.gate import Gate
from playwatch.web.login import Login
from playwatch.web.server import Operations, Part, serving
from tests.fakes import HandClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.web.limits import Limits

READER, WRITER = "reader-of-the-wall", "writer-on-the-night"
TOKENS = {
    "token": WRITER,
    "tokens": [{"id": "wall", "secret": READER, "role": "read"}],
}


class Sick:
    """An engine that complains."""

    def complaints(self) -> list[str]:
        return ["channel on-call: refused"]


class Echo:
    """Says who asks, keeps what was written, and fails on demand."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.has_stopped = asyncio.Event()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/api/v1/echo", self.who)
        app.router.add_post("/api/v1/echo", self.write)
        app.router.add_get("/api/v1/fail", self.fail)
        app.router.add_get("/page/{name}", self.page)
        app.router.add_post("/page/{name}", self.write)
        app.router.add_get("/api/v1/flood", self.flood)

    async def who(self, request: web.Request) -> web.Response:
        return web.json_response({"name": caller_of(request).name})

    async def page(self, request: web.Request) -> web.Response:
        return web.Response(text=caller_of(request).csrf or "none", content_type="text/html")

    async def write(self, request: web.Request) -> web.Response:
        self.written.append(await request.text())
        return web.json_response({"name": caller_of(request).name}, status=201)

    async def fail(self, _request: web.Request) -> web.Response:
        message = "the inside of the house"
        raise RuntimeError(message)

    async def flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        finally:
            self.has_stopped.set()


@asynccontextmanager
async def served(
    *parts: Part,
    clock: HandClock | None = None,
    limits: Limits | None = None,
    has_tokens: bool = False,
    **settings: object,
) -> AsyncIterator[str]:
    """Serve parts, the log-in and the operational paths; yield the URL."""
    tokens = TOKENS if has_tokens else {}
    web_settings = WebSettings.model_validate({"listen": "127.0.0.1:0", **tokens, **settings})
    clock = clock or HandClock()
    gate = Gate.of(web_settings, clock, limits)
    every: list[Part] = [Operations(Telemetry(), Sick()), Login(gate, clock), *parts]
    assert web_settings.listen is not None
    async with serving(web_settings.listen, gate, every, web_settings.tls) as url:
        yield url.replace("//0.0.0.0", "//127.0.0.1")


@asynccontextmanager
async def browser(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Keep cookies, accept pages, and say where forms come from."""
    jar = aiohttp.CookieJar(unsafe=True)  # the host is a number
    headers = {"Accept": "text/html", "Origin": url}
    async with aiohttp.ClientSession(url, cookie_jar=jar, headers=headers) as session:
        yield session
