"""Has resolves repeated whose trigger may still be on its way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from playwatch.core.confirmations import confirmations, is_confirmation, is_in_doubt
from playwatch.core.deliveries import Changes
from playwatch.errors import StoreError

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Clock, Store

_STORE_RETRY_S: Final = 1.0

log = logging.getLogger("playwatch.delivery")


class Repeats:
    """Queues the repetitions of a resolve, before the resolve itself counts as sent.

    So a crash in between loses none: the resolve is sent again, and what is
    queued already is not queued twice.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def queue(self, resolve: Delivery, accepted_at: int) -> list[Delivery]:
        """Return what was queued for a resolve that was accepted; waits for the store."""
        if is_confirmation(resolve):
            return []
        told = ""
        while True:
            try:
                story = await self._store.incident(resolve.incident_id)
                tried = [(one.delivery, one.outcome) for one in story.attempts] if story else []
                if not is_in_doubt(resolve, tried):
                    return []
                repeated = confirmations(resolve, accepted_at)
                await self._store.commit(Changes(deliveries=repeated))
            except StoreError as error:
                if str(error) != told:
                    told = str(error)
                    log.error("cannot have a resolve repeated, trying again: %s", told)  # noqa: TRY400 - a sentence
                await self._clock.sleep(_STORE_RETRY_S)
            else:
                return repeated
