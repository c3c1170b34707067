"""A wait that ends when something happens or a time has passed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwatch.ports import Clock


class Alarm:
    """Wakes one waiter, by call or by clock; a call before the wait is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter now, or make its next wait end at once."""
        self._rung.set()

    async def wait(self, seconds: float | None) -> None:
        """Return when the alarm rings, or after so many seconds; None for never."""
        if seconds is None:
            await self._rung.wait()
        elif seconds > 0 and not self._rung.is_set():
            await self._first_of(seconds)
        self._rung.clear()

    async def _first_of(self, seconds: float) -> None:
        tasks = {
            asyncio.ensure_future(self._rung.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # Not awaited one by one: that could swallow a cancellation of ours.
            await asyncio.wait(tasks)
