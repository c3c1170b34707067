"""Listening: how many may connect, how long they may take, and how TLS is spoken."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from playwatch.config.quantities import split_address
from playwatch.errors import ListenError
from playwatch.web.problems import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwatch.config.web import WebTlsSettings
    from playwatch.web.limits import Limits

_HANDSHAKE_S: Final = 10.0
_STOP_S: Final = 1.0

_WHAT: Final = "the web server"

log = logging.getLogger("playwatch.web")


class _Client(web.RequestHandler):
    """One connection, dropped when it leaves what it was sent unread."""

    __slots__ = ("_patience", "_unread_s")

    def __init__(self, server: web.Server, limits: Limits) -> None:
        self._patience: asyncio.TimerHandle | None = None
        self._unread_s = limits.unread_s
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle_s,
            access_log=cast("logging.Logger", None),  # None means none
            lingering_time=2.0,
            auto_decompress=False,
        )

    def pause_writing(self) -> None:
        """Start to lose patience: the client does not read."""
        super().pause_writing()
        self._patience = asyncio.get_running_loop().call_later(self._unread_s, self._drop)

    def resume_writing(self) -> None:
        """Find patience again."""
        self._calm()
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the client."""
        self._calm()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request; the log hears of it only when asked for details."""
        if status >= web.HTTPInternalServerError.status_code:
            return super().handle_error(request, status, exc, message)
        log.debug("not a request, from %s: %s", request.remote, message)
        answer = problem(status, "this is no request that a server could read")
        answer.force_close()
        return answer

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Refused(asyncio.Protocol):
    """Closes a connection as soon as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


@asynccontextmanager
async def listening(
    app: web.Application, address: str, limits: Limits, tls: WebTlsSettings | None = None
) -> AsyncIterator[str]:
    """Serve an application while the context lasts; yield its URL, with the port taken.

    Raises
    ------
    ListenError
        If the address cannot be bound, or the certificate cannot be used.
    """
    context = None if tls is None else _context(tls, address)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_STOP_S)
    await runner.setup()

    def connected() -> asyncio.Protocol:
        server = runner.server
        if server is None or len(server.connections) >= limits.connections:
            return _Refused()
        return _Client(server, limits)

    try:
        server = await _bound(connected, address, context)
        try:
            host, port = server.sockets[0].getsockname()[:2]
            yield f"http{'' if context is None else 's'}://{_in_url(host)}:{port}"
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _bound(
    connected: Callable[[], asyncio.Protocol], address: str, context: ssl.SSLContext | None
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    host, port = split_address(address)
    patience_s = None if context is None else _HANDSHAKE_S
    try:
        return await loop.create_server(
            connected, host, port, ssl=context, ssl_handshake_timeout=patience_s
        )
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(_WHAT, address, reason) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _context(tls: WebTlsSettings, address: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        reason = f"web.tls: {tls.cert_file} and {tls.key_file} cannot be used ({error})"
        raise ListenError(_WHAT, address, reason) from error
    return context
