"""Deliveries read ahead of their turn: a storm need not ask the store before each."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from playwatch.core.deliveries import urgency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Clock, Store

_FRESH_MS: Final = 1_000
"""How long the rest of a reading holds good: what failed meanwhile may be due again."""


class Ahead:
    """Keeps what the store found due, or was just given, and the lane could not begin at once.

    The store offers one delivery of an incident and none of an incident that is
    busy, so what is kept cannot overtake anything. It is forgotten when
    something more urgent may have come, and after a second.
    """

    def __init__(self, channel: str, store: Store, clock: Clock) -> None:
        self._channel = channel
        self._store = store
        self._clock = clock
        self._kept: Sequence[Delivery] = ()
        self._read_ms = 0
        self._forgotten = 0
        self._asked = 0
        self._is_asking = False

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def forget(self) -> None:
        """Ask the store next time."""
        self._kept = ()
        self._forgotten += 1

    async def due(self, until: int, limit: int, busy: set[str]) -> Sequence[Delivery]:
        """Return what may be sent, the most urgent first; nothing of it stays kept."""
        self._asked = self._forgotten
        kept, self._kept = self._kept, ()
        now_ms = self._clock.monotonic_ms()
        if kept and now_ms - self._read_ms <= _FRESH_MS:
            return kept
        self._read_ms = now_ms
        self._is_asking = True
        try:
            return await self._store.due(self._channel, until, limit, busy)
        finally:
            self._is_asking = False

    def offer(self, stored: Sequence[Delivery]) -> None:
        """Keep what was just stored for the first time, and is all that waits.

        It is sent without being read back, unless the order among it or the
        answer to a question under way tells more.
        """
        has_queues = len({each.incident_id for each in stored}) < len(stored)
        if not (self._is_asking or has_queues or any(each.not_before_at for each in stored)):
            self._kept = sorted(sorted(stored, key=attrgetter("created_at")), key=urgency)
            self._read_ms = self._clock.monotonic_ms()

    def keep(self, rest: Sequence[Delivery]) -> None:
        """Keep the end of what `due` returned, unless it was to be forgotten since."""
        if self._asked == self._forgotten:
            self._kept = rest
