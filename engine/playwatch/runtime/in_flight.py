"""The deliveries of a lane that have begun: on their way, or answered and being recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

_MOST_RECORDING: Final = 224
"""Answered deliveries, beyond which each takes a slot until it is recorded."""


class InFlight:
    """Counts what has begun: a delivery is a task until it is answered, and busy until recorded."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._recording: set[str] = set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def __len__(self) -> int:
        """Return how many have begun and are not recorded."""
        return len(self._tasks)

    @property
    def ids(self) -> set[str]:
        """The ids of all of them."""
        return set(self._tasks)

    @property
    def on_their_way(self) -> int:
        """How many take a slot: an answered one takes none, unless the store cannot keep up."""
        return len(self._tasks) - min(len(self._recording), _MOST_RECORDING)

    def begin(
        self, tasks: asyncio.TaskGroup, delivery_id: str, work: Coroutine[Any, Any, None]
    ) -> None:
        """Run the work of a delivery as a task of the group."""
        self._is_empty.clear()
        self._tasks[delivery_id] = tasks.create_task(work)

    def answer(self, delivery_id: str) -> None:
        """Count a delivery as answered, to be recorded."""
        self._recording.add(delivery_id)

    def end(self, delivery_id: str) -> None:
        """Count out a delivery that is recorded, or was cancelled."""
        del self._tasks[delivery_id]
        self._recording.discard(delivery_id)
        if not self._tasks:
            self._is_empty.set()

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        await self._is_empty.wait()

    def abandon(self) -> None:
        """Wait no longer for what is in flight."""
        for task in self._tasks.values():
            task.cancel()
