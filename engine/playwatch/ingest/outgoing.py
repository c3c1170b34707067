"""The messages that a publisher has sent and the broker has not acknowledged."""

from __future__ import annotations

import asyncio


class Outgoing:
    """The messages we sent that are not acknowledged, to be counted.

    Nothing is kept to be sent again: a connection has one life.
    """

    def __init__(self) -> None:
        self._mids: set[int] = set()
        self._limit = 0
        self._below: asyncio.Future[None] | None = None

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self._mids)

    @property
    def is_empty(self) -> bool:
        """True when there are none."""
        return not self._mids

    def push_message(self, mid: int, _raw: bytes) -> None:
        """Count a message that was sent."""
        self._mids.add(mid)

    def remove_message_by_mid(self, mid: int) -> None:
        """Forget a message that was acknowledged."""
        self._mids.discard(mid)
        if self._below is not None and len(self._mids) <= self._limit:
            self._below.set_result(None)
            self._below = None

    def below(self, limit: int) -> asyncio.Future[None]:
        """Return a future that is done when so many or fewer are left."""
        self._limit = limit
        self._below = asyncio.get_running_loop().create_future()
        return self._below

    async def wait_empty(self) -> None:
        """Return at once: nothing is sent again, so there is nothing to wait for."""

    def clear(self) -> None:
        """Forget them all."""
        self._mids.clear()

    def get_all(self) -> list[tuple[int, bytes]]:
        """Return what is to be sent again: nothing."""
        return []
