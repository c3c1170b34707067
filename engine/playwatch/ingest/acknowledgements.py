"""The messages of one connection that wait to be acknowledged, in their order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from playwatch.ingest.packets import ACKNOWLEDGEMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Acknowledgements:
    """Acknowledges messages in the order in which they came, many in one write.

    MQTT asks for that order (3.1.1 and 5.0, section 4.6). Each message gets a
    ticket: a packet id may come again while its first message waits, if the
    broker repeats itself.

    Parameters
    ----------
    write
        Sends bytes to the broker.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._waiting: deque[bytes] = deque()
        self._first = 0
        self._settled: set[int] = set()

    def expect(self, packet_id: bytes) -> int:
        """Return the ticket of a message that has come."""
        self._waiting.append(packet_id)
        return self._first + len(self._waiting) - 1

    def settle(self, tickets: Collection[int]) -> None:
        """Acknowledge messages, each as soon as none before it waits."""
        self._settled.update(ticket for ticket in tickets if ticket >= self._first)
        packets: list[bytes] = []
        while self._first in self._settled:
            self._settled.remove(self._first)
            packets.append(self._waiting.popleft())
            self._first += 1
        if packets:
            self._write(ACKNOWLEDGEMENT + ACKNOWLEDGEMENT.join(packets))
