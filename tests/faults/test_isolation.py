"""A channel that is slow delays no other: shown by the order of events, not by a stopwatch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from playwatch.core.deliveries import Retry
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.admission import CONCURRENT
from tests.delivering import Scripted, delivering, message, pagerduty, put, until_ended
from tests.faults.truth import assert_true, incidents
from tests.waiting import soon

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Store
    from tests.fakes import HandClock


class Slow(Scripted):
    """Answers nothing until it is let."""

    def __init__(self) -> None:
        super().__init__(name="slow")
        self.release = asyncio.Event()

    async def send(self, delivery: Delivery) -> Retry:
        self.sent.append(delivery.id)
        await self.release.wait()
        return Retry("too slow")


async def test_a_slow_channel_delays_no_other(store: Store, clock: HandClock) -> None:
    """The whole storm is out, and recorded, before one request of the slow channel has ended."""
    slow, storm = Slow(), incidents(200)
    async with StandIn(clock=clock, rate_limit=None) as server:
        async with delivering(store, clock, slow, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, *(message(one, channel="slow") for one in storm))
            await soon(lambda: len(slow.sent) == CONCURRENT)
            await put(store, outbox, *map(message, storm))
            await until_ended(store, *map(message, storm))
            assert clock.monotonic_ms() == 0
            assert len(slow.sent) == CONCURRENT
            slow.release.set()
        assert_true(server, storm)
