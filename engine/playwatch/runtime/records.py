"""Records ended attempts, many in one commit."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError

if TYPE_CHECKING:
    from playwatch.ports import AttemptRecord, Clock, Store

    Waiting = tuple[AttemptRecord, asyncio.Future[None]]

_RETRY_S: Final = 1.0

log = logging.getLogger("playwatch.delivery")


class Recorder:
    """Collects ended attempts while the last commit is under way, then commits them together.

    A storm of a thousand deliveries so costs some dozens of commits. A store
    that cannot write is tried again until it can: what was sent stays marked
    as busy until then, and is not sent twice. One record that the store
    refuses does not hold up the others.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._has_work = asyncio.Event()
        self._complaint = ""

    @property
    def can_store(self) -> bool:
        """False while the store refuses a record."""
        return not self._complaint

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
            refused = await self._refused(taken)
            if refused:
                await self._clock.sleep(_RETRY_S)
                self._waiting = [*refused, *self._waiting]
                self._has_work.set()

    async def _refused(self, taken: list[Waiting]) -> list[Waiting]:
        """Commit together, or one by one if that fails; return what was refused."""
        complaint = await self._commit(taken)
        if not complaint:
            refused = []
        elif len(taken) == 1:
            refused = taken
        else:
            refused = [one for one in taken if await self._commit([one])]
        if not refused:
            complaint = ""
        elif complaint != self._complaint:
            log.error("cannot record %d attempts, trying again: %s", len(refused), complaint)
        self._complaint = complaint
        return refused

    async def _commit(self, taken: list[Waiting]) -> str:
        """Commit and wake who waits; return the complaint of the store, empty for none."""
        try:
            await self._store.record([record for record, _ in taken])
        except StoreError as error:
            return str(error)
        for _, stored in taken:
            if not stored.done():
                stored.set_result(None)
        return ""
