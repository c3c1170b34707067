"""Serves an aiohttp application on one address, with so many sockets at most."""

from __future__ import annotations

import asyncio

from aiohttp import web

from playwatch.errors import ListenError


class Listener:
    """Listens for one application.

    Parameters
    ----------
    what
        What listens, for the error.
    app
        Answers.
    connection_limit
        How many sockets may be open; more are closed at once.
    """

    def __init__(self, what: str, app: web.Application, connection_limit: int) -> None:
        self._what = what
        self._limit = connection_limit
        self._server: asyncio.Server | None = None
        # A handler that hangs ends with its client, and soon after the server.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port; 0 picks a free one.

        Raises
        ------
        ListenError
            If the address cannot be bound.
        """
        await self._runner.setup()
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._connection, host, port)
        except (OSError, OverflowError, ValueError) as error:
            await self._runner.cleanup()
            reason = getattr(error, "strerror", None) or str(error)
            raise ListenError(self._what, f"{host}:{port}", reason) from error
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
        if self._server is not None:
            await self._server.wait_closed()

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._limit:
            return _Refused()
        return server()


class _Refused(asyncio.Protocol):
    """Closes a connection as soon as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
