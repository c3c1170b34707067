"""The letter desk: deliveries that wait or were given up are listed, replayed, purged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from playwatch.core.audit import AuditEntry
from playwatch.core.deliveries import DeliveryStatus
from playwatch.runtime.moments import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Clock, Store
    from playwatch.runtime.outbox import Outbox

Document = dict[str, Any]


class LetterDesk(Protocol):
    """What a person may do with deliveries."""

    async def letters(
        self, statuses: Collection[DeliveryStatus], limit: int, offset: int = 0
    ) -> list[Document]:
        """Return deliveries that stand so, in the order they were decided."""

    async def replay(self, ids: Sequence[str], author: str) -> int:
        """Queue given-up deliveries again; return how many."""

    async def purge(self, ids: Sequence[str], author: str) -> int:
        """Forget given-up deliveries; return how many."""


class StoreLetters:
    """Works straight on a store, for when no engine holds it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def letters(
        self, statuses: Collection[DeliveryStatus], limit: int, offset: int = 0
    ) -> list[Document]:
        """Return deliveries that stand so, in the order they were decided."""
        found = await self._store.letters(statuses, limit, offset)
        return [letter_view(each) for each in found]

    async def replay(self, ids: Sequence[str], author: str) -> int:
        """Queue given-up deliveries again; an engine sends them when it starts."""
        entry = self._entry(author, "deliveries replayed", ids)
        return await self._store.replay(ids, self._clock.wall_ms(), entry)

    async def purge(self, ids: Sequence[str], author: str) -> int:
        """Forget given-up deliveries; the trigger of an open incident stays."""
        return await self._store.purge(ids, self._entry(author, "deliveries purged", ids))

    def _entry(self, author: str, what: str, ids: Sequence[str]) -> AuditEntry:
        return AuditEntry(self._clock.wall_ms(), author, what, after={"deliveries": list(ids)})


class EngineLetters(StoreLetters):
    """Works inside a running engine: what is queued again is sent at once."""

    def __init__(self, store: Store, clock: Clock, outbox: Outbox) -> None:
        super().__init__(store, clock)
        self._outbox = outbox

    async def replay(self, ids: Sequence[str], author: str) -> int:
        """Queue given-up deliveries again, and send them."""
        count = await super().replay(ids, author)
        if count:
            self._outbox.look()
        return count


def letter_view(delivery: Delivery) -> Document:
    """Return a delivery as JSON; it names its key by nothing but the fingerprint."""
    is_pending = delivery.status is DeliveryStatus.PENDING
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "incident": delivery.incident_id,
        "action": delivery.action.value,
        "severity": delivery.incident.severity.word,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "created_at": moment(delivery.created_at),
        "next_try_at": moment(delivery.not_before_at or None) if is_pending else None,
        "reason": delivery.reason,
    }
