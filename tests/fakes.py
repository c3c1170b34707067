"""A clock that tests turn by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class HandClock:
    """Stands still until a test advances it."""

    def __init__(self, at: int = 1_800_000_000_000) -> None:
        self._at = at
        self._monotonic_ms = 0
        self._numbers = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall_ms(self) -> int:
        return self._at

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator would."""
        self._at += round(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        until = self._monotonic_ms + seconds * 1000
        heapq.heappush(self._sleepers, (until, next(self._numbers), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move both clocks on, waking every sleeper at its own moment."""
        end = self._monotonic_ms + round(seconds * 1000)
        while self._sleepers and self._sleepers[0][0] <= end:
            until, _, future = heapq.heappop(self._sleepers)
            self._turn_to(max(round(until), self._monotonic_ms))
            if not future.done():
                future.set_result(None)
            await settle()
        self._turn_to(end)
        await settle()

    def _turn_to(self, monotonic_ms: int) -> None:
        self._at += monotonic_ms - self._monotonic_ms
        self._monotonic_ms = monotonic_ms


async def settle(turns: int = 20) -> None:
    """Let every task that is ready run until it waits again."""
    for _ in range(turns):
        await asyncio.sleep(0)
