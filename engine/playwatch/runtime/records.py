"""Records ended attempts, many in one commit."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError

if TYPE_CHECKING:
    from playwatch.ports import AttemptRecord, Clock, Store

_RETRY_S: Final = 1.0

log = logging.getLogger("playwatch.delivery")


class Recorder:
    """Collects ended attempts while the last commit is under way, then commits them together.

    A storm of a thousand deliveries so costs some dozens of commits. A store
    that cannot write is tried again until it can: what was sent stays marked
    as busy until then, and is not sent twice.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[tuple[AttemptRecord, asyncio.Future[None]]] = []
        self._has_work = asyncio.Event()

    async def record(self, record: AttemptRecord) -> None:
        """Return once an attempt is stored."""
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((record, stored))
        self._has_work.set()
        await stored

    async def run(self) -> None:
        """Commit what was collected, until cancelled."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            taken, self._waiting = self._waiting, []
            await self._commit([record for record, _ in taken])
            for _, stored in taken:
                if not stored.done():
                    stored.set_result(None)

    async def _commit(self, records: list[AttemptRecord]) -> None:
        while True:
            try:
                await self._store.record(records)
            except StoreError as error:
                log.error("cannot record %d attempts, trying again: %s", len(records), error)  # noqa: TRY400 - a sentence
                await self._clock.sleep(_RETRY_S)
            else:
                return
