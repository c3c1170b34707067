"""Has resolves repeated whose trigger may still be on its way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from playwatch.core.confirmations import confirmations, is_confirmation
from playwatch.core.deliveries import Changes
from playwatch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Clock, Store

_STORE_RETRY_S: Final = 1.0

log = logging.getLogger("playwatch.delivery")


class Repeats:
    """Queues the repetitions of a resolve, before the resolve itself counts as sent.

    So a crash in between loses none: the resolve is sent again, and what is
    queued already is not queued twice. The store is asked for doubts once, at
    the start; from then on they are known as they arise.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._doubted: set[str] = set()

    def doubt(self, dedup_keys: Iterable[str]) -> None:
        """Remember that triggers with these keys may have been accepted without an answer."""
        self._doubted.update(dedup_keys)

    async def queue(self, resolve: Delivery, accepted_at: int) -> list[Delivery]:
        """Return what was queued for a resolve that was accepted; waits for the store."""
        if resolve.dedup_key not in self._doubted or is_confirmation(resolve):
            return []
        repeated = confirmations(resolve, accepted_at)
        told = ""
        while True:
            try:
                await self._store.commit(Changes(deliveries=repeated))
            except StoreError as error:
                if str(error) != told:
                    told = str(error)
                    log.error("cannot have a resolve repeated, trying again: %s", told)  # noqa: TRY400 - a sentence
                await self._clock.sleep(_STORE_RETRY_S)
            else:
                self._doubted.discard(resolve.dedup_key)
                return repeated
