"""The outbox: hands what the store holds to the channels, a lane for each.

A delivery is in the store before anyone tries to send it, committed together
with the change of its incident. So nothing is lost by a crash, and a channel
that is away for a day costs disk, not memory. Lanes do not share anything but
the store: a slow channel does not delay another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from playwatch.runtime.lane import Lane
from playwatch.runtime.records import Recorder

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Channel, Clock, Store
    from playwatch.telemetry import Telemetry


class Outbox:
    """Delivers what is committed, for every channel."""

    def __init__(
        self,
        channels: Iterable[Channel],
        store: Store,
        clock: Clock,
        telemetry: Telemetry,
        rng: random.Random,
    ) -> None:
        self._recorder = Recorder(store, clock)
        self._lanes = {
            channel.name: Lane(channel, store, self._recorder, clock, telemetry, rng)
            for channel in channels
        }
        self._loops: list[asyncio.Task[None]] = []

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Start delivering, what an earlier process left behind first."""
        self._recording = tasks.create_task(self._recorder.run(), name="record attempts")
        self._loops = [
            tasks.create_task(lane.run(tasks), name=f"lane {name}")
            for name, lane in self._lanes.items()
        ]

    def wake(self, deliveries: Iterable[Delivery]) -> None:
        """Look at once for what was just committed."""
        for name in {delivery.channel for delivery in deliveries}:
            if name in self._lanes:
                self._lanes[name].wake()

    @property
    def can_store(self) -> bool:
        """False while the store refuses to record what was sent."""
        return self._recorder.can_store

    def complaints(self) -> dict[str, str]:
        """Return, by channel, what the operator has to do; empty when all is well."""
        return {name: lane.complaint for name, lane in self._lanes.items() if lane.complaint}

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, let what is in flight finish, then end.

        Parameters
        ----------
        grace_s
            How long to wait for answers. What is still out after that stays
            in the store as pending and is sent again by the next process.
        """
        for loop in self._loops:
            loop.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await asyncio.gather(*(lane.drain() for lane in self._lanes.values()))
        for lane in self._lanes.values():
            lane.abandon()
        self._recording.cancel()
