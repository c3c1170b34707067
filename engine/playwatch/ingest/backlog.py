"""The messages that have arrived and wait to be read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from playwatch.ports import Arrivals, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

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
        self._tickets: list[int] = []
        self._held_at: list[int] = []
        self._bytes = self._held_bytes = 0
        self._settle: Callable[[Collection[int]], None] = _forget

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._messages)

    @property
    def reached(self) -> str:
        """Which limit is reached: ``backlog_messages``, ``backlog_bytes``; empty for none."""
        if len(self._messages) >= self._limit:
            return "backlog_messages"
        return "backlog_bytes" if self._bytes >= self._limit_bytes else ""

    @property
    def is_heavy(self) -> bool:
        """True when the payloads that may not be refused have reached the limit in bytes."""
        return self._held_bytes >= self._limit_bytes

    @property
    def bytes(self) -> int:
        """Return the size of the payloads that wait."""
        return self._bytes

    def begin(self, settle: Callable[[Collection[int]], None], *, sends_again: bool) -> None:
        """Begin a connection: acknowledgements of the last one would reach nobody.

        Parameters
        ----------
        settle
            Acknowledges messages of the new connection by their tickets.
        sends_again
            True where the broker has kept what was not acknowledged; it is
            dropped here then, for it comes once more.
        """
        self._settle = settle
        if sends_again:
            held = set(self._held_at)
            self._messages = [one for at, one in enumerate(self._messages) if at not in held]
            self._bytes = sum(len(message.payload) for message in self._messages)
        self._tickets, self._held_at, self._held_bytes = [], [], 0

    def add(self, message: Message, ticket: int | None = None) -> bool:
        """Append a message; return False when it had to be dropped.

        Parameters
        ----------
        message
            What arrived.
        ticket
            Settled once the message has had its effect. A message with a
            ticket is never dropped: its sender holds back the next ones until
            it is acknowledged.
        """
        if ticket is None:
            if self.reached:
                return False
        else:
            self._held_at.append(len(self._messages))
            self._tickets.append(ticket)
            self._held_bytes += len(message.payload)
        self._messages.append(message)
        self._bytes += len(message.payload)
        return True

    def take(self, since_ms: int | None = None) -> Arrivals:
        """Return everything that waits, in the order of its arrival.

        Parameters
        ----------
        since_ms
            When the first of it arrived.
        """
        arrivals = Arrivals(self._messages, partial(self._settle, self._tickets), since_ms)
        self._messages = []
        self._tickets = []
        self._held_at = []
        self._bytes = self._held_bytes = 0
        return arrivals


def _forget(tickets: Collection[int]) -> None:
    """Acknowledge nothing: there is no connection."""
    del tickets
