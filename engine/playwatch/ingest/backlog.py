"""The messages that have arrived and wait to be read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from playwatch.ports import Arrivals, Message

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

LIMIT_BYTES = 64 * 1024 * 1024


class Backlog:
    """Gathers messages until they are taken, all at once.

    Parameters
    ----------
    limit
        How many messages may wait. Beyond it, those that nobody would send
        again are refused.
    limit_bytes
        The same for the sum of their payloads.
    """

    def __init__(self, limit: int, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._messages: list[Message] = []
        self._receipts: list[asyncio.Future[int]] = []
        self._held_at: list[int] = []
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._messages)

    @property
    def reached(self) -> str:
        """Which limit is reached: ``backlog_messages``, ``backlog_bytes``; empty for none."""
        if len(self._messages) >= self._limit:
            return "backlog_messages"
        return "backlog_bytes" if self._bytes >= self._limit_bytes else ""

    def add(self, message: Message, receipt: asyncio.Future[int] | None = None) -> bool:
        """Append a message; return False when it had to be dropped.

        Parameters
        ----------
        message
            What arrived.
        receipt
            Resolved with 0 once the message has had its effect. A message with
            a receipt is never dropped: its sender holds back the next ones
            until it is acknowledged.
        """
        if receipt is None:
            if self.reached:
                return False
        else:
            self._held_at.append(len(self._messages))
            self._receipts.append(receipt)
        self._messages.append(message)
        self._bytes += len(message.payload)
        return True

    def take(self) -> Arrivals:
        """Return everything that waits, in the order of its arrival."""
        arrivals = Arrivals(self._messages, partial(_acknowledge, self._receipts))
        self._clear()
        return arrivals

    def forget_held(self) -> None:
        """Drop the messages with a receipt, because their sender will send them again."""
        held = set(self._held_at)
        kept = [message for at, message in enumerate(self._messages) if at not in held]
        self._clear()
        self._messages = kept
        self._bytes = sum(len(message.payload) for message in kept)

    def _clear(self) -> None:
        self._messages = []
        self._receipts = []
        self._held_at = []
        self._bytes = 0


def _acknowledge(receipts: Sequence[asyncio.Future[int]]) -> None:
    """Resolve the receipts that are still open."""
    for receipt in receipts:
        if not receipt.done():
            receipt.set_result(0)
