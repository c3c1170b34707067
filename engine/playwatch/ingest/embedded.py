"""An MQTT broker of our own, for a demo and for small sites.

The only file that knows the broker library, amqtt. It speaks MQTT 3.1.1 and
bears a few hundred messages per second; beyond that it loses some.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from playwatch.errors import ListenError

if TYPE_CHECKING:
    from types import TracebackType

    from amqtt.broker import Broker

WHAT = "the embedded broker"
_LISTENER = "default"
_STOP_TIMEOUT_S = 5.0
_PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


class EmbeddedBroker:
    """A broker on loopback, open to everybody on this machine.

    An async context manager: it listens from entering to leaving.

    Parameters
    ----------
    listen
        ``host:port``; port 0 picks a free one.

    Raises
    ------
    ListenError
        When the address is not one of this machine's loopback, or, on
        entering, when it is taken.
    """

    def __init__(self, listen: str) -> None:
        self._listen = listen
        self._host, self._port = _loopback(listen)
        self._broker: Broker | None = None
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens, as a URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"mqtt://{host}:{self._port}"

    async def __aenter__(self) -> Self:
        """Start to listen."""
        # Late, because importing the library takes longer than starting it.
        from amqtt.broker import Broker  # noqa: PLC0415
        from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType  # noqa: PLC0415

        for noisy in ("amqtt", "transitions"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
        try:
            # The listening socket is ours, so that a taken port is told from
            # other failures and port 0 can be asked for.
            self._server = await asyncio.start_server(self._connected, self._host, self._port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ListenError(WHAT, self._listen, reason) from error
        self._port = self._server.sockets[0].getsockname()[1]
        listener = ListenerConfig(type=ListenerType.EXTERNAL)
        self._broker = Broker(BrokerConfig(listeners={_LISTENER: listener}, plugins=_PLUGINS))
        await self._broker.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect everybody and stop listening."""
        server, broker = self._server, self._broker
        if server is None or broker is None:
            return
        server.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await broker.shutdown()
        except TimeoutError:
            pass  # a client that does not read; its task ends below
        finally:
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            await server.wait_closed()
            self._broker = self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client in a task of ours."""
        client = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter  # noqa: PLC0415

        broker = self._broker
        try:
            if broker is not None:
                await broker.external_connected(
                    StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER
                )
        except Exception:  # noqa: BLE001 - what a client sends must not end the engine
            logging.getLogger("playwatch.ingest").debug("a client of %s failed", WHAT)
        finally:
            writer.close()


def _loopback(listen: str) -> tuple[str, int]:
    """Take an address to pieces; refuse one that others can reach."""
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
        is_loopback = host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        host, port, is_loopback = None, None, False
    if host is None or port is None or not is_loopback:
        reason = "it asks for no password, so only 127.0.0.1:port or [::1]:port will do"
        raise ListenError(WHAT, listen, reason)
    return host, port
