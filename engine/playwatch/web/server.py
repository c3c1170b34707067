"""The HTTP server: health, readiness, metrics, and the API where there is one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from playwatch.errors import ListenError
from playwatch.telemetry import CONTENT_TYPE
from playwatch.web.api import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.telemetry import Telemetry
    from playwatch.web.api import Api


class Health(Protocol):
    """Tells what keeps the engine from doing its work."""

    def complaints(self) -> list[str]:
        """Return one sentence for each thing that is not as it should be."""


class Part(Protocol):
    """Something more to serve."""

    def add_to(self, app: web.Application) -> None:
        """Add its routes to an application."""


class _Pages:
    """The handlers of the operational paths."""

    def __init__(self, telemetry: Telemetry, health: Health) -> None:
        self._telemetry = telemetry
        self._health = health

    async def healthy(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="Playwatch is healthy.\n")

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer whether samples arrive, are evaluated and are delivered."""
        complaints = self._health.complaints()
        if complaints:
            text = "".join(f"{complaint}\n" for complaint in complaints)
            return web.Response(status=503, text=f"Playwatch is not ready.\n{text}")
        return web.Response(text="Playwatch is ready.\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with the engine's own metrics."""
        body = self._telemetry.exposition()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    telemetry: Telemetry,
    health: Health,
    api: Api | None = None,
    *parts: Part,
) -> AsyncIterator[str]:
    """Serve while the context lasts; yield the address, with the port that was taken.

    Raises
    ------
    ListenError
        If the address cannot be bound.
    """
    pages = _Pages(telemetry, health)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_get("/-/healthy", pages.healthy)
    app.router.add_get("/-/ready", pages.ready)
    app.router.add_get("/metrics", pages.metrics)
    if api is not None:
        api.add_to(app)
    for part in parts:
        part.add_to(app)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            what = "the web server"
            raise ListenError(what, f"{host}:{port}", error.strerror or str(error)) from error
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()
