"""Messages to an MQTT broker."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Literal, Self

from playwatch.errors import BrokerError
from playwatch.ingest.connection import Connection
from playwatch.ingest.endpoint import Endpoint

if TYPE_CHECKING:
    from types import TracebackType

    from playwatch.config.schema import MqttSettings

TIMEOUT_S = 10.0
WINDOW = 1000

QoS = Literal[0, 1]
Outgoing = tuple[str, bytes]


class Publisher:
    """Connects once and publishes many messages; an async context manager.

    Parameters
    ----------
    settings
        The broker; only its address, credentials, TLS and protocol matter.
    client_id
        Our name at the broker; by default one that nobody else has.
    timeout_s
        How long the broker may take to accept us, and to acknowledge
        something while we wait for it.
    window
        How many messages of QoS 1 may be unacknowledged. A broker that speaks
        MQTT 5 may ask for fewer.

    Raises
    ------
    BrokerError
        On entering and from every method, when the broker cannot be reached,
        refuses us, or is lost. A publisher does not reconnect.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str | None = None,
        timeout_s: float = TIMEOUT_S,
        window: int = WINDOW,
    ) -> None:
        self._endpoint = Endpoint.of(settings)
        self._client_id = client_id or f"playwatch-publish-{uuid.uuid4().hex[:12]}"
        self._timeout_s = timeout_s
        self._window = window
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        """Connect."""
        connection = Connection(self._endpoint, self._client_id)
        try:
            await connection.open(self._timeout_s)
        except BaseException as error:
            await connection.close()
            if isinstance(error, BrokerError):
                raise self._named(error) from error
            raise
        self._window = max(1, min(self._window, connection.peer_receive_maximum - 1))
        self._connection = connection
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the acknowledgements still missing, then disconnect."""
        connection = self._opened()
        try:
            if kind is None:
                await self.flush()
        finally:
            await connection.close()
            self._connection = None

    async def publish(
        self, topic: str, payload: bytes, qos: QoS = 1, *, retain: bool = False
    ) -> None:
        """Send one message; wait only when the broker does not keep up.

        `flush` returns when the broker has acknowledged it. With ``retain`` the
        broker keeps it for those who subscribe later.
        """
        if not topic or "+" in topic or "#" in topic:
            message = f"{topic!r} is not a topic to publish to: it is empty or has a wildcard"
            raise BrokerError(message)
        connection = self._opened()
        is_full = qos > 0 and connection.unacknowledged >= self._window
        try:
            await connection.settle(self._window // 2 if is_full else self._window, self._timeout_s)
            connection.publish(topic, payload, qos, retain=retain)
        except BrokerError as error:
            raise self._named(error) from error

    async def flush(self) -> None:
        """Return when the broker has acknowledged every message of QoS 1."""
        try:
            await self._opened().settle(0, self._timeout_s)
        except BrokerError as error:
            raise self._named(error) from error

    def _opened(self) -> Connection:
        if self._connection is None:
            message = f"{self._endpoint}: not connected"
            raise BrokerError(message)
        return self._connection

    def _named(self, error: BrokerError) -> BrokerError:
        """Say which broker it was."""
        return BrokerError(f"{self._endpoint}: {error}")


async def publish(
    settings: MqttSettings,
    messages: Iterable[Outgoing] | AsyncIterable[Outgoing],
    qos: QoS = 1,
    *,
    client_id: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> int:
    """Publish messages, each a topic and a payload; return how many.

    Parameters
    ----------
    settings
        The broker; only its address, credentials, TLS and protocol matter.
    messages
        What to publish. An asynchronous iterable sets the pace.
    qos
        With 1 every message is acknowledged by the broker at the return.
    client_id
        Our name at the broker; by default one that nobody else has.
    timeout_s
        How long the broker may take to accept us, and to acknowledge
        something while we wait for it.

    Raises
    ------
    BrokerError
        When the broker cannot be reached, refuses us, or is lost.
    """
    count = 0
    async with Publisher(settings, client_id=client_id, timeout_s=timeout_s) as publisher:
        async for topic, payload in _paced(messages):
            await publisher.publish(topic, payload, qos)
            count += 1
    return count


async def _paced(messages: Iterable[Outgoing] | AsyncIterable[Outgoing]) -> AsyncIterator[Outgoing]:
    """Walk through either kind of iterable."""
    if isinstance(messages, AsyncIterable):
        async for message in messages:
            yield message
    else:
        for message in messages:
            yield message
