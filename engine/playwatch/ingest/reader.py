"""Takes what an MQTT connection brings: messages by the read, the rest to the client library.

gmqtt looks at each packet several times, copies a large one for each piece of
it, and makes a task for each message of QoS 1. A message of one sample costs it
more than everything that follows. So messages never reach it: `Client` puts a
`Reader` between the transport and gmqtt's own protocol before anything is sent.
gmqtt still connects, subscribes, publishes and keeps the connection alive.

What is used of gmqtt's inside is used here, and a test asks whether it is there.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import gmqtt
from gmqtt.mqtt.connection import MQTTConnection
from gmqtt.mqtt.package import Package
from gmqtt.mqtt.protocol import MQTTProtocol

from playwatch.errors import BrokerError
from playwatch.ingest.acknowledgements import Acknowledgements
from playwatch.ingest.joined import JoinedWrites
from playwatch.ingest.packets import Packets, Published

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    Receive = Callable[[Sequence[Published]], None]
    """Called with the messages that one read of the socket brought."""

log = logging.getLogger("playwatch.ingest")


class Client(gmqtt.Client):
    """gmqtt's client, without its reading of messages and with fewer writes.

    Parameters
    ----------
    receive
        Takes the messages; None where nothing is subscribed to.
    has_properties
        True for MQTT 5.
    settings
        What gmqtt's client takes.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - gmqtt's own
        receive: Receive | None,
        has_properties: bool,
        **settings: Any,  # noqa: ANN401 - gmqtt's own
    ) -> None:
        super().__init__(*args, **settings)
        self._receive = receive
        self._has_properties = has_properties
        self.reader: Reader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def _create_connection(
        self,
        host: str,
        *,
        port: int,
        ssl: ssl.SSLContext | bool,
        clean_session: bool,
        keepalive: int,
    ) -> MQTTConnection:
        """Connect, and take over the transport before the first byte of either side."""
        handler, loop = self._package_handler, asyncio.get_running_loop()
        made = partial(
            _Protocol,
            connection_state=self._connection_state,
            id_generator=handler.id_generator,
        )
        transport, protocol = await loop.create_connection(made, host, port, ssl=ssl or None)
        connection = MQTTConnection(
            transport, protocol, clean_session, keepalive, handler, self._logger
        )
        self.writer = asyncio.StreamWriter(transport, protocol, None, loop)
        joined = JoinedWrites(transport)
        connection._transport = protocol._transport = joined  # noqa: SLF001 - see the module
        packets = Packets(has_properties=self._has_properties)
        self.reader = Reader(connection, transport, packets, self._receive)
        transport.set_protocol(self.reader)
        return connection


class _Protocol(MQTTProtocol):
    """gmqtt's protocol; it can be lost before it belongs to a connection.

    That happens to whoever is stopped just when the broker has been reached.
    """

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the connection, where there is one."""
        if self._connection is None:
            self.set_connection(_Nobody())
        super().connection_lost(exc)


class _Nobody:
    """Stands for the connection that was never made."""

    def put_package(self, _package: Package) -> None:
        """Drop what cannot concern anybody."""


class Reader(asyncio.BufferedProtocol):
    """Stands before gmqtt's protocol and keeps the messages back.

    Parameters
    ----------
    connection
        gmqtt's, which gets every other packet.
    """

    def __init__(
        self,
        connection: Any,  # noqa: ANN401 - gmqtt has no types
        transport: asyncio.Transport,
        packets: Packets,
        receive: Receive | None,
    ) -> None:
        self._connection = connection
        self._protocol: asyncio.StreamReaderProtocol = connection._protocol  # noqa: SLF001 - see the module
        self._transport = transport
        self._packets = packets
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self.acknowledgements = Acknowledgements(self._write)
        self.fault = ""
        """Why the connection was given up; empty while it is well."""

    @property
    def is_paused(self) -> bool:
        """True while the socket is not read."""
        return not self._transport.is_reading()

    def pause(self) -> None:
        """Read no more for now; the broker and the system hold what comes."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self.excuse()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def excuse(self) -> None:
        """Count the broker as heard: it is not silent while nobody listens."""
        self._connection._last_data_in = self._loop.time()  # noqa: SLF001 - see the module

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next read belongs."""
        del sizehint
        return self._packets.room

    def buffer_updated(self, nbytes: int) -> None:
        """Take what one read brought."""
        try:
            found = self._packets.filled(nbytes)
        except BrokerError as error:
            self.fault = str(error)
            self._transport.abort()
            return
        self.excuse()
        published: list[Published] = []
        for packet in found:
            if isinstance(packet, Published):
                published.append(packet)
                continue
            self._hand_over(published)
            published = []
            self._connection.put_package(Package(packet.first, packet.body))
        self._hand_over(published)

    def eof_received(self) -> bool:
        """Let the transport close: the broker has nothing more to say."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell gmqtt."""
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell who waits for the writer."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Tell who waits for the writer."""
        self._protocol.resume_writing()

    def _hand_over(self, published: list[Published]) -> None:
        if not published or self._receive is None:
            return
        try:
            self._receive(published)
        except Exception:
            # They are not acknowledged, and neither can later ones be: the broker has them still.
            log.exception("%d messages were not taken by an error of ours", len(published))
            self.fault = "an error of ours ended the connection"
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._connection._transport.write(data)  # noqa: SLF001 - see the module
