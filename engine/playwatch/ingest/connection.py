"""One connection to an MQTT broker: the only file that knows the client library.

gmqtt reconnects by itself, but stops for good after a refusal, and answers on
the new connection for messages of the old one. So each connection here is a
fresh client that never reconnects; whoever owns the connection opens the next.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import gmqtt

from playwatch.errors import BrokerError
from playwatch.ingest import reasons
from playwatch.ingest.outgoing import Outgoing
from playwatch.ingest.reader import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwatch.ingest.acknowledgements import Acknowledgements
    from playwatch.ingest.endpoint import Endpoint
    from playwatch.ingest.reader import Receive

REFUSED = 0x80
_VERSIONS = {"5": 5, "3.1.1": 4}
_NEVER_RECONNECT = -2
_CLOSE_TIMEOUT_S = 2.0
_WRITE_BUFFER_BYTES = 64 * 1024

# gmqtt logs payloads, and tracebacks for what is said here in one sentence.
_QUIET = logging.getLogger("gmqtt")
_QUIET.setLevel(logging.CRITICAL + 1)


class Connection:
    """One connection, from CONNECT to its loss.

    Parameters
    ----------
    endpoint
        The broker.
    client_id
        Our name there. A broker lets only one connection bear it.
    on_messages
        Called with the messages that one read of the socket brought. Those of
        QoS 1 want to be acknowledged.
    on_session
        Called when the broker has accepted us, before any message of this
        connection, with True when it kept a session, and what acknowledges
        the messages.
    session_expiry_s
        How long the broker keeps a session after a loss; None for no session.
        MQTT 3.1.1 leaves the time to the broker.
    receive_maximum
        How many unacknowledged messages the broker may send. MQTT 5 only.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        *,
        on_messages: Receive | None = None,
        on_session: Callable[[bool, Acknowledgements], None] | None = None,
        session_expiry_s: float | None = None,
        receive_maximum: int | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._granted: asyncio.Future[tuple[int, ...]] = self._loop.create_future()
        self._on_session = on_session
        self._outgoing = Outgoing()
        self.is_taken_over = False
        self.peer_receive_maximum = 0xFFFF
        properties: dict[str, int] = {}
        if session_expiry_s is not None:
            properties["session_expiry_interval"] = min(round(session_expiry_s), 0xFFFFFFFF)
        if receive_maximum is not None:
            properties["receive_maximum"] = min(receive_maximum, 0xFFFF)
        # Bytes, because gmqtt counts a text's characters where its length on the wire belongs.
        self._client = client = Client(
            client_id.encode(),
            receive=on_messages,
            has_properties=endpoint.protocol == "5",
            clean_session=session_expiry_s is None,
            persistent_storage=self._outgoing,
            logger=_QUIET,
            **properties,
        )
        client.reconnect_retries = _NEVER_RECONNECT
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        if endpoint.username is not None:
            client.set_auth_credentials(endpoint.username, endpoint.password)

    async def open(self, timeout_s: float) -> None:
        """Connect, and return once the broker has accepted us.

        Raises
        ------
        BrokerError
            When the broker cannot be reached, refuses us, or does not answer
            in time. The connection must be closed nevertheless.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._connect()
        except TimeoutError as error:
            message = f"no answer within {timeout_s:g} s"
            raise BrokerError(message) from error
        except gmqtt.MQTTConnectError as error:
            reason = error.message.removeprefix("Connection Refused: ").lower()
            message = f"the broker refused us: {reason}"
            raise BrokerError(message) from error
        except OSError as error:
            raise BrokerError(self._endpoint.cause(error)) from error

    def pause(self) -> None:
        """Read no messages for now."""
        if self._client.reader is not None:
            self._client.reader.pause()

    def resume(self) -> None:
        """Read messages again."""
        if self._client.reader is not None:
            self._client.reader.resume()

    async def _connect(self) -> None:
        endpoint = self._endpoint
        connecting = asyncio.create_task(
            self._client.connect(
                endpoint.host,
                endpoint.port,
                ssl=endpoint.ssl_context() or False,
                keepalive=endpoint.keepalive_s,
                version=_VERSIONS[endpoint.protocol],
            )
        )
        try:
            ends: set[asyncio.Future[Any]] = {connecting, self._lost}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            # A refusal closes the connection too; gmqtt reports it a few turns later.
            await asyncio.wait({connecting}, timeout=0.1)
            if not connecting.done():
                message = self._fault or "the broker closed the connection without an answer"
                if endpoint.protocol == "5":
                    message += "; if it does not speak MQTT 5, set mqtt.protocol to 3.1.1"
                raise BrokerError(message)
            connecting.result()
        finally:
            connecting.cancel()
            await asyncio.wait({connecting})

    async def subscribe(
        self, filters: Sequence[tuple[str, int, bool]], timeout_s: float
    ) -> list[int]:
        """Subscribe to filters; return what the broker granted.

        Parameters
        ----------
        filters
            Each with a QoS, and whether what the broker retains is wanted
            each time, and not for a new subscription only (MQTT 5).
        timeout_s
            How long the broker may take to answer.

        Returns
        -------
        list of int
            The QoS granted for each filter, or a reason of at least `REFUSED`.

        Raises
        ------
        BrokerError
            When the connection is lost or the broker does not answer in time.
        """
        is_5 = self._endpoint.protocol == "5"
        self._granted = self._loop.create_future()
        self._client.subscriptions.clear()
        self._client.subscribe(
            [
                gmqtt.Subscription(
                    topic, qos=qos, retain_handling_options=int(is_5 and not is_retained_wanted)
                )
                for topic, qos, is_retained_wanted in filters
            ]
        )
        await self._first(self._granted, timeout_s)
        return list(self._granted.result())

    async def lost(self) -> str:
        """Wait for the end of the connection and return its reason."""
        while not self._lost.done():
            await asyncio.wait({self._lost}, timeout=self._endpoint.keepalive_s)
            # gmqtt gives up a silent connection, but hears of the end only when
            # what it had to send is sent.
            if not self._lost.done() and not self._client.is_connected:
                return "the connection was lost: the broker is silent"
            if self._client.reader is not None and self._client.reader.is_paused:
                self._client.reader.excuse()
        return self._lost.result()

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        """Send one message without waiting; raise `BrokerError` when the connection is lost."""
        if self._lost.done():
            raise BrokerError(self._lost.result())
        self._client.publish(topic, payload, qos=qos, retain=retain)

    @property
    def unacknowledged(self) -> int:
        """Return how many published messages the broker has not acknowledged."""
        return self._outgoing.count

    async def settle(self, limit: int, timeout_s: float) -> None:
        """Wait until at most so many messages are unacknowledged, and the rest is on its way.

        Raises
        ------
        BrokerError
            When the connection is lost, or nothing moves for so long.
        """
        while self._outgoing.count > limit:
            before = self._outgoing.count
            try:
                await self._first(self._outgoing.below(limit), timeout_s)
            except BrokerError:
                if self._lost.done() or self._outgoing.count == before:
                    raise
        writer = self._client.writer
        if writer is None or writer.transport.get_write_buffer_size() < _WRITE_BUFFER_BYTES:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await writer.drain()
        except OSError as error:
            message = "the broker does not read what we send"
            raise BrokerError(message) from error

    async def close(self, timeout_s: float = _CLOSE_TIMEOUT_S) -> None:
        """Say goodbye, keep the session, and leave nothing running, even when cancelled."""
        closing = asyncio.create_task(self._close(timeout_s))
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise

    async def _close(self, timeout_s: float) -> None:
        connection = self._client._connection  # noqa: SLF001 - the only way to its transport
        if connection is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._client.disconnect()
        except OSError:
            pass  # the goodbye was not heard
        finally:
            connection._transport.abort()  # noqa: SLF001 - gmqtt waits for a peer that may be gone
        await asyncio.wait({connection._protocol.closed}, timeout=timeout_s)  # noqa: SLF001
        for _ in range(2):  # what the end has woken, ends
            await asyncio.sleep(0)

    async def _first(self, awaited: asyncio.Future[Any], timeout_s: float) -> None:
        """Wait for a future or the loss of the connection, whichever is first."""
        done, _ = await asyncio.wait(
            {awaited, self._lost}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if awaited in done:
            return
        message = self._lost.result() if done else f"no answer within {timeout_s:g} s"
        raise BrokerError(message)

    def _connected(
        self, _client: gmqtt.Client, flags: int, _code: int, properties: dict[str, Any]
    ) -> None:
        limits = properties.get("receive_maximum")
        if isinstance(limits, list):
            self.peer_receive_maximum = limits[0]
        if self._on_session is not None and self._client.reader is not None:
            self._on_session(bool(flags), self._client.reader.acknowledgements)

    def _disconnected(self, _client: gmqtt.Client, packet: object, _error: object = None) -> None:
        if self._lost.done():
            return
        reason = self._fault or "the connection was lost"
        if isinstance(packet, bytes) and packet:
            self.is_taken_over = packet[0] == reasons.TAKEN_OVER
            named = reasons.DISCONNECTED.get(packet[0], f"reason {packet[0]:#x}")
            reason = f"the broker ended the connection: {named}"
        self._lost.set_result(reason)

    @property
    def _fault(self) -> str:
        """Why we have ended the connection; empty while we have not."""
        return self._client.reader.fault if self._client.reader is not None else ""

    def _subscribed(
        self, _client: gmqtt.Client, _mid: int, granted: tuple[int, ...], _properties: object
    ) -> None:
        if not self._granted.done():
            self._granted.set_result(granted)
