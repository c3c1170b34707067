"""Delivering in tests: an outbox by a hand-turned clock, and receivers to send to."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from playwatch.channels.http import PostLimits
from playwatch.channels.pagerduty import PagerDutyChannel
from playwatch.core.deliveries import Action, Changes, Delivery, DeliveryStatus, Sent
from playwatch.demo.listener import Listener
from playwatch.runtime.outbox import Outbox
from playwatch.telemetry import Telemetry
from tests.kit.channels import KEY, QUICK, pagerduty_settings
from tests.kit.stores import a_delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from playwatch.core.deliveries import Attempt
    from playwatch.core.incidents import Incident
    from playwatch.demo.stand_in import StandIn
    from playwatch.ports import Channel, Store
    from tests.fakes import HandClock

OTHER_KEY = "b" * 32


class Middling(random.Random):
    """Draws the middle each time, so that waits can be told beforehand."""

    def random(self) -> float:
        return 0.5


def seeded(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311 - jitter, not secrets


@asynccontextmanager
async def delivering(
    store: Store,
    clock: HandClock,
    *channels: Channel,
    rng: random.Random | None = None,
    telemetry: Telemetry | None = None,
    rate_limits: Mapping[str, int | None] | None = None,
    unrolled: Collection[str] = (),
) -> AsyncIterator[Outbox]:
    """Run an outbox; close its channels at the end."""
    outbox = Outbox(
        channels,
        store,
        clock,
        telemetry or Telemetry(),
        rng or seeded(7),
        rate_limits=rate_limits,
        unrolled=unrolled,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            try:
                yield outbox
            finally:
                await outbox.stop(5.0)
    finally:
        for channel in channels:
            await channel.close()


def pagerduty(
    url: str,
    clock: HandClock,
    name: str = "on-call",
    key: str = KEY,
    key_of: Callable[[str], str | None] = lambda _: None,
    limits: PostLimits = QUICK,
) -> PagerDutyChannel:
    settings = pagerduty_settings(url, key).model_copy(update={"name": name})
    return PagerDutyChannel(settings, clock=clock, limits=limits, key_of=key_of)


def patient(url: str, clock: HandClock, name: str = "on-call", key: str = KEY) -> PagerDutyChannel:
    """Return a channel with the time limits of the product: a busy machine trips none."""
    return pagerduty(url, clock, name, key, limits=PostLimits())


def message(
    incident: Incident, action: Action = Action.TRIGGER, channel: str = "on-call"
) -> Delivery:
    return a_delivery(incident, action, channel, key_fingerprint="")


async def put(store: Store, outbox: Outbox | None, *deliveries: Delivery) -> None:
    """Commit deliveries with their incidents, as an evaluator does."""
    incidents = {delivery.incident_id: delivery.incident for delivery in deliveries}
    await store.commit(Changes(list(incidents.values()), deliveries))
    if outbox is not None:
        outbox.wake(deliveries)


async def soon(holds: Callable[[], object]) -> None:
    """Wait for a condition that sockets and threads bring, not the clock."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another thread brings it
            await asyncio.sleep(0.001)


def next_moment_s(clock: HandClock) -> float | None:
    """Return how far the earliest sleeper is away; None when nobody sleeps."""
    until = [moment for moment, _, future in clock._sleepers if not future.done()]
    return None if not until else (min(until) - clock.monotonic_ms()) / 1000


async def asleep(clock: HandClock) -> None:
    """Wait until the lanes have done what they can and wait for the clock."""
    await soon(lambda: next_moment_s(clock) is not None)


async def turn(clock: HandClock, holds: Callable[[], object]) -> None:
    """Turn the clock from one sleeper to the next until something holds."""
    for _ in range(1_000):
        await soon(lambda: holds() or next_moment_s(clock) is not None)
        if holds():
            return
        await clock.advance(next_moment_s(clock) or 0.0)
    pytest.fail("it never came to hold")


async def status_of(store: Store, delivery: Delivery) -> DeliveryStatus:
    story = await store.incident(delivery.incident_id)
    assert story is not None
    return next(one.status for one in story.deliveries if one.id == delivery.id)


async def until_ended(store: Store, *deliveries: Delivery) -> None:
    async with asyncio.timeout(10):
        for delivery in deliveries:
            while await status_of(store, delivery) is DeliveryStatus.PENDING:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)


def gaps_s(server: StandIn) -> list[float]:
    moments = [entry.monotonic_ms for entry in server.journal]
    return [(after - before) / 1000 for before, after in itertools.pairwise(moments)]


@asynccontextmanager
async def holding() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """Yield a receiver's URL, when it has a request, and what lets it answer."""
    arrived, release = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        arrived.set()
        await release.wait()
        return web.json_response({"status": "success"}, status=202)

    app = web.Application()
    app.router.add_post("/", answer)
    listener = Listener("a slow receiver", app, 10)
    port = await listener.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}/", arrived, release
    finally:
        await listener.close()


class Scripted:
    """A channel that answers as told, then accepts everything."""

    key_fingerprint = ""

    def __init__(self, *answers: Attempt | Exception, name: str = "on-call") -> None:
        self.name = name
        self.sent: list[str] = []
        self._answers = list(answers)

    async def send(self, delivery: Delivery) -> Attempt:
        self.sent.append(delivery.id)
        await asyncio.sleep(0)
        answer = self._answers.pop(0) if self._answers else Sent("ok")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass
