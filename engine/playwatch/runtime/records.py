"""Records ended attempts, many in one commit."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError
from playwatch.runtime.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwatch.ports import AttemptRecord, Clock, Store

    Waiting = tuple[Sequence[AttemptRecord], Callable[[], None]]

_RETRY_MS: Final = 1_000
_WORTHWHILE: Final = 128
"""Attempts in one commit, beyond which more of them hardly make each cheaper."""
_STORM: Final = 8
"""Attempts in one commit, from which on the next one waits for as many as are worthwhile."""
_STORM_S: Final = 0.05
"""How long it waits at most."""

log = logging.getLogger("playwatch.delivery")


class Recorder:
    """Collects ended attempts while the last commit is under way, then commits them together.

    A storm of a thousand deliveries so costs some ten commits: while attempts
    end by the dozen, more of them are waited for, for 50 ms at most. A store
    that cannot write is tried again until it can: what was sent stays marked
    as busy until then, and is not sent twice. One record that the store
    refuses does not hold up the others.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._refused: list[Waiting] = []
        self._alarm = Alarm(clock)
        self._complaint = ""
        self._is_worthwhile = asyncio.Event()
        self._is_storm = False

    @property
    def can_store(self) -> bool:
        """False while the store refuses a record."""
        return not self._complaint

    async def record(self, *records: AttemptRecord) -> None:
        """Return once attempts of one delivery are stored, all in one commit."""
        stored = asyncio.Event()
        self.put(records, stored.set)
        await stored.wait()

    def put(self, records: Sequence[AttemptRecord], stored: Callable[[], None]) -> None:
        """Have attempts of one delivery stored, all in one commit, then call back."""
        self._waiting.append((records, stored))
        if len(self._waiting) == 1:
            self._alarm.ring()
        elif len(self._waiting) == _WORTHWHILE:
            self._is_worthwhile.set()

    async def run(self) -> None:
        """Commit what was collected, until cancelled."""
        retry_at_ms = 0
        while True:
            left_s = (retry_at_ms - self._clock.monotonic_ms()) / 1000
            await self._alarm.wait(left_s if self._refused else None)
            await self._gather()
            taken, self._waiting = self._waiting, []
            self._is_storm = len(taken) >= _STORM
            self._is_worthwhile.clear()
            if self._refused and self._clock.monotonic_ms() >= retry_at_ms:
                taken, self._refused = [*self._refused, *taken], []
            refused, complaint = await self._sort_out(taken)
            if refused:
                self._refused += refused
                retry_at_ms = self._clock.monotonic_ms() + _RETRY_MS
            self._complain(complaint)

    async def _gather(self) -> None:
        """Return when nothing more comes just now, or a commit is worth its price."""
        if self._is_storm:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STORM_S):
                    await self._is_worthwhile.wait()
        count = 0
        while count < len(self._waiting) < _WORTHWHILE:
            count = len(self._waiting)
            await asyncio.sleep(0)

    def _complain(self, complaint: str) -> None:
        """Say once what the store refuses, until it refuses something else or nothing."""
        if not self._refused:
            self._complaint = ""
        elif complaint and complaint != self._complaint:
            log.error("cannot record what was sent, trying again: %s", complaint)
            self._complaint = complaint

    async def _sort_out(self, taken: list[Waiting]) -> tuple[list[Waiting], str]:
        """Commit together, or one by one if that fails; return what was refused, and why."""
        complaint = await self._commit(taken) if taken else ""
        if not complaint:
            return [], ""
        if len(taken) == 1:
            return taken, complaint
        return [one for one in taken if await self._commit([one])], complaint

    async def _commit(self, taken: list[Waiting]) -> str:
        """Commit and wake who waits; return the complaint of the store, empty for none."""
        try:
            await self._store.record([record for records, _ in taken for record in records])
        except StoreError as error:
            return str(error)
        for _, stored in taken:
            stored()
        return ""
