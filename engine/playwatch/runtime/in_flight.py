"""The deliveries of a lane that have begun: on their way, or answered and being recorded."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

_MOST_RECORDING: Final = 224
"""Answered deliveries, beyond which each takes a slot until it is recorded."""


class InFlight:
    """Counts what has begun; each is a task until it is recorded."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._recording = 0

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
        return len(self._tasks) - min(self._recording, _MOST_RECORDING)

    def begin(
        self, tasks: asyncio.TaskGroup, delivery_id: str, work: Coroutine[Any, Any, None]
    ) -> None:
        """Run the work of a delivery as a task of the group."""
        self._tasks[delivery_id] = tasks.create_task(work, name=f"deliver {delivery_id}")

    def end(self, delivery_id: str) -> None:
        """Count out a delivery that is recorded, or was cancelled."""
        del self._tasks[delivery_id]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Count a delivery as answered while the context lasts."""
        self._recording += 1
        try:
            yield
        finally:
            self._recording -= 1

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    def abandon(self) -> None:
        """Wait no longer for what is in flight."""
        for task in self._tasks.values():
            task.cancel()
