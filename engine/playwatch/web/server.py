"""The HTTP server: its parts behind one gate, and the operational paths."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from playwatch.telemetry import CONTENT_TYPE
from playwatch.web.callers import Role, caller_of
from playwatch.web.failures import in_words
from playwatch.web.headers import secure
from playwatch.web.listening import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from playwatch.config.web import WebTlsSettings
    from playwatch.telemetry import Telemetry
    from playwatch.web.gate import Gate


class Health(Protocol):
    """Tells what keeps the engine from doing its work."""

    def complaints(self) -> list[str]:
        """Return one sentence for each thing that is not as it should be."""


class Part(Protocol):
    """Some of the paths that are served."""

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""


class Operations:
    """The operational paths: alive, ready, metrics."""

    def __init__(self, telemetry: Telemetry, health: Health) -> None:
        self._telemetry = telemetry
        self._health = health

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("/-/healthy", self.healthy)
        app.router.add_get("/-/ready", self.ready)
        app.router.add_get("/metrics", self.metrics)

    async def healthy(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="Playwatch is healthy.\n")

    async def ready(self, request: web.Request) -> web.Response:
        """Answer whether samples arrive, are evaluated and are delivered.

        Anyone may ask; why not is told to those who may read.
        """
        complaints = self._health.complaints()
        if not complaints:
            return web.Response(text="Playwatch is ready.\n")
        may_know = caller_of(request).role >= Role.READ
        text = "".join(f"{complaint}\n" for complaint in complaints if may_know)
        return web.Response(status=503, text=f"Playwatch is not ready.\n{text}")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with the engine's own metrics."""
        body = self._telemetry.exposition()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


@asynccontextmanager
async def serving(
    address: str, gate: Gate, parts: Iterable[Part], tls: WebTlsSettings | None = None
) -> AsyncIterator[str]:
    """Serve parts behind a gate while the context lasts; yield the URL.

    Raises
    ------
    ListenError
        If the address cannot be bound, or the certificate cannot be used.
    """
    app = web.Application(
        middlewares=[in_words, gate.guard], client_max_size=gate.limits.body_bytes
    )
    app.on_response_prepare.append(secure)
    for part in parts:
        part.add_to(app)
    async with listening(app, address, gate.limits, tls) as url:
        yield url
