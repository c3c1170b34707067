"""Publishes prepared payloads faster than a client library would."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from playwatch.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

TOPIC: Final = "playwatch/samples/bench"
PACKED_TOPIC: Final = "playwatch/packed/bench"
WINDOW: Final = 1000
"""Messages that may be unacknowledged."""

_TIMEOUT_S: Final = 10.0
_CONNECT: Final = b"\x10"
_PUBLISH_QOS_1: Final = b"\x32"
_DISCONNECT: Final = b"\xe0\x00"
_CONNECTED: Final = b"\x20\x02\x00\x00"
_ACKNOWLEDGEMENT_BYTES: Final = 4
_IDS: Final = 65_535


class Wire:
    """One publisher's connection, QoS 1; an async context manager.

    It writes MQTT 3.1.1 by itself, on loopback, and hears nothing but
    acknowledgements: a client would be slower than the engine that it is to
    fill.

    Raises
    ------
    BrokerError
        On entering and from every method, when the broker refuses us, is
        silent, or is lost.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent = self._acknowledged = 0
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect."""
        body = _text("MQTT") + b"\x04\x02\x00\x00" + _text("playwatch-bench")
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
                self._writer.write(_CONNECT + remaining_length(len(body)) + body)
                answer = await reader.readexactly(len(_CONNECTED))
        except (OSError, EOFError) as error:
            message = "the broker of the bench cannot be reached"
            raise BrokerError(message) from error
        if answer != _CONNECTED:
            message = "the broker of the bench refused us"
            raise BrokerError(message)
        self._listening = asyncio.create_task(self._listen(reader))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take leave."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.write(_DISCONNECT)
            self._writer.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        if self._writer is not None:
            with suppress(OSError):
                await self._writer.wait_closed()

    async def publish(self, payloads: Iterable[bytes], topic: str = TOPIC) -> None:
        """Send some messages as one write; wait while `WINDOW` are unacknowledged."""
        await self._unacknowledged_below(WINDOW)
        named, packets = _text(topic), bytearray()
        for payload in payloads:
            self._sent += 1
            head = named + struct.pack(">H", self._sent % _IDS + 1)
            size = len(head) + len(payload)
            packets += _PUBLISH_QOS_1 + remaining_length(size) + head + payload
        self._connected().write(bytes(packets))

    async def flush(self) -> None:
        """Return when the broker has acknowledged everything."""
        await self._unacknowledged_below(1)

    async def _unacknowledged_below(self, limit: int) -> None:
        while self._sent - self._acknowledged >= limit:
            self._news.clear()
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._news.wait()
            except TimeoutError:
                message = f"the broker acknowledged nothing for {_TIMEOUT_S:g} s"
                raise BrokerError(message) from None
            self._connected()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        heard = 0
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                heard += len(chunk)
                self._acknowledged = heard // _ACKNOWLEDGEMENT_BYTES
                self._news.set()

    def _connected(self) -> asyncio.StreamWriter:
        if self._writer is None or self._listening is None or self._listening.done():
            message = "the connection to the broker of the bench was lost"
            raise BrokerError(message)
        return self._writer


def remaining_length(size: int) -> bytes:
    """Return a length as MQTT writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while True:
        size, digit = divmod(size, 128)
        written.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(written)


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()
