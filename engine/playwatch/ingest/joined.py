"""Small writes made into one."""

from __future__ import annotations

import asyncio

_WRITE_THROUGH_BYTES = 64 * 1024


class JoinedWrites(asyncio.Transport):
    """A transport that sends at once what one turn of the loop wrote.

    gmqtt writes each packet by itself, and a write is a system call: joined, what
    is published in one turn leaves together.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._to = transport
        self._loop = asyncio.get_running_loop()
        self._parts = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send soon, or now when much has gathered."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts += data
        if len(self._parts) >= _WRITE_THROUGH_BYTES:
            self._send()

    def is_closing(self) -> bool:
        """Say whether nothing more can be sent."""
        return self._to.is_closing()

    def close(self) -> None:
        """Send what is left, then close."""
        self._send()
        self._to.close()

    def abort(self) -> None:
        """Close without sending what is left."""
        self._parts.clear()
        self._to.abort()

    def _send(self) -> None:
        if self._parts and not self._to.is_closing():
            self._to.write(bytes(self._parts))
        self._parts.clear()
