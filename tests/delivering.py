"""Delivering in tests: an outbox by a hand-turned clock, and receivers to send to."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from playwatch.channels.pagerduty import PagerDutyChannel
from playwatch.core.deliveries import Action, Changes, Delivery, DeliveryStatus, Sent
from playwatch.demo.listener import Listener
from playwatch.demo.pagerduty_faults import FaultKind
from playwatch.runtime.outbox import Outbox
from playwatch.telemetry import Telemetry
from tests.kit.channels import HALF_AN_ANSWER, KEY, PATIENT, SILENCE, pagerduty_settings
from tests.kit.stores import a_delivery
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from playwatch.channels.http import PostLimits
    from playwatch.config.schema import PagerDutySettings
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
                await outbox.stop(PATIENCE_S)
    finally:
        for channel in channels:
            await channel.close()


def pagerduty(
    url: str,
    clock: HandClock,
    name: str = "on-call",
    key: str = KEY,
    key_of: Callable[[str], str | None] = lambda _: None,
    limits: PostLimits = PATIENT,
) -> PagerDutyChannel:
    return PagerDutyChannel(_named(name, url, key), clock=clock, limits=limits, key_of=key_of)


class Impatient(PagerDutyChannel):
    """Waits as long as it takes, except where the next fault in the script is silence.

    Short limits for every request would be met by a machine that stalls.
    """

    def __init__(self, server: StandIn, clock: HandClock) -> None:
        super().__init__(_named("on-call", server.url, KEY), clock=clock, limits=PATIENT)
        self._faults = server.faults
        self._hasty = {
            kind: pagerduty(server.url, clock, limits=limits) for kind, limits in _HASTE.items()
        }

    async def send(self, delivery: Delivery) -> Attempt:
        for fault in self._faults.left[:1]:
            if fault.kind in self._hasty:
                return await self._hasty[fault.kind].send(delivery)
        return await super().send(delivery)

    async def close(self) -> None:
        for channel in self._hasty.values():
            await channel.close()
        await super().close()


_HASTE = {
    FaultKind.HANG: SILENCE,
    FaultKind.ACCEPT_THEN_HANG: SILENCE,
    FaultKind.SLOW_HEADERS: SILENCE,
    FaultKind.SLOW_BODY: HALF_AN_ANSWER,
}


def _named(name: str, url: str, key: str) -> PagerDutySettings:
    return pagerduty_settings(url, key).model_copy(update={"name": name})


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
    async with asyncio.timeout(PATIENCE_S):
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
