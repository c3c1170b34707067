"""The outbox: hands what the store holds to the channels, a lane for each.

A delivery is in the store before anyone tries to send it, committed together
with the change of its incident. So nothing is lost by a crash, and a channel
that is away for a day costs disk, not memory. Lanes share nothing but the store and
what they know of the receivers (`playwatch.runtime.traffic`): a slow channel
does not delay another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from playwatch.runtime.lane import Lane
from playwatch.runtime.records import Recorder
from playwatch.runtime.traffic import Traffic

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterable, Mapping

    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Channel, Clock, Store
    from playwatch.telemetry import Telemetry


class Outbox:
    """Delivers what is committed, for every channel.

    Parameters
    ----------
    rate_limits
        By channel, how many requests in any minute; a channel that is not
        named has no limit. Channels with one routing key share the lowest.
    unrolled
        Channels that are told of each incident on its own, however long it takes.
    """

    def __init__(
        self,
        channels: Iterable[Channel],
        store: Store,
        clock: Clock,
        telemetry: Telemetry,
        rng: random.Random,
        *,
        rate_limits: Mapping[str, int | None] | None = None,
        unrolled: Collection[str] = (),
    ) -> None:
        self._recorder = Recorder(store, clock)
        self._traffic = Traffic(rate_limits, unrolled)
        self._surroundings = (store, self._recorder, clock, telemetry, rng, self._traffic)
        self._lanes = {channel.name: Lane(channel, *self._surroundings) for channel in channels}
        self._loops: list[asyncio.Task[None]] = []
        self._tasks: asyncio.TaskGroup | None = None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Start delivering, what an earlier process left behind first."""
        self._tasks = tasks
        self._recording = tasks.create_task(self._recorder.run(), name="record attempts")
        for name in self._lanes:
            self._run(name, tasks)

    def _run(self, name: str, tasks: asyncio.TaskGroup) -> None:
        self._loops.append(tasks.create_task(self._lanes[name].run(tasks), name=f"lane {name}"))

    def put(
        self, channel: Channel, rate_limit: int | None = None, *, rolls_up: bool = True
    ) -> None:
        """Send by this channel from here on: a new one, or in place of the one of its name.

        Parameters
        ----------
        rate_limit
            Its requests in any minute; None for no limit.
        rolls_up
            Whether a storm beyond that is told by a roll-up.
        """
        self._traffic.limit(channel.name, rate_limit)
        self._traffic.roll_up(channel.name, is_on=rolls_up)
        lane = self._lanes.get(channel.name)
        if lane is not None:
            lane.replace(channel)
            return
        self._lanes[channel.name] = Lane(channel, *self._surroundings)
        if self._tasks is not None:
            self._run(channel.name, self._tasks)

    def remember(self, former: Channel) -> None:
        """Send what was routed with the key of a former channel where that one sends."""
        self._lanes[former.name].senders.remember(former)

    def retire(self, name: str) -> None:
        """Expect nothing new for a channel; what is routed to it still goes out."""
        self._lanes[name].is_retired = True

    def wake(self, deliveries: Iterable[Delivery], are_new: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback
        """Send what was just committed, without reading it back where all of it was new."""
        by_channel: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_channel.setdefault(delivery.channel, []).append(delivery)
        for name, mine in by_channel.items():
            if name in self._lanes:
                self._lanes[name].expect(mine, are_new=are_new)

    def look(self) -> None:
        """Look at once in every queue: something was put there by other hands."""
        for lane in self._lanes.values():
            lane.wake()

    @property
    def can_store(self) -> bool:
        """False while the store refuses to record what was sent."""
        return self._recorder.can_store

    def complaints(self) -> dict[str, str]:
        """Return, by channel, what is wrong with it; empty when all is well."""
        return {
            name: lane.complaint
            for name, lane in self._lanes.items()
            if lane.complaint and not lane.is_retired
        }

    def away(self) -> dict[str, str]:
        """Return, by channel whose receiver fails and is asked only now and then, why."""
        return {name: lane.away for name, lane in self._lanes.items() if lane.away}

    def held_back(self) -> dict[str, str]:
        """Return, by channel that a limit holds back, how much waits there."""
        return {name: lane.held_back for name, lane in self._lanes.items() if lane.held_back}

    def given_up(self) -> dict[str, int]:
        """Return, by channel, how many deliveries were given up since the start, where any."""
        return {name: lane.given_up for name, lane in self._lanes.items() if lane.given_up}

    async def settled(self) -> None:
        """Wait until what is in flight has its answer, and that is recorded."""
        await asyncio.gather(*(lane.drain() for lane in self._lanes.values()))

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
        if not self._recording.done():  # else nothing would be recorded any more
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self.settled()
        for lane in self._lanes.values():
            lane.abandon()
        self._recording.cancel()
