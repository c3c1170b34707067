"""Faults 5 and 10: a receiver that is away, or cannot be reached."""

from __future__ import annotations

import itertools
import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action
from playwatch.demo.stand_in import StandIn
from playwatch.telemetry import Telemetry
from tests.brokers import free_port
from tests.delivering import (
    OTHER_KEY,
    delivering,
    message,
    next_moment_s,
    pagerduty,
    put,
    turn,
    until_ended,
)
from tests.faults.truth import assert_true, incidents
from tests.kit.channels import UNREACHABLE
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from playwatch.ports import Store
    from tests.fakes import HandClock

STATUSES = (500, 502, 503, 504)


async def test_five_minutes_of_5xx_with_a_thousand_pages_cost_few_requests(
    store: Store, clock: HandClock
) -> None:
    storm = incidents(1_000)
    telemetry = Telemetry()
    async with StandIn(clock=clock, rate_limit=None) as server:
        for status in itertools.islice(itertools.cycle(STATUSES), 500):
            server.fail("status", status=status)
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, telemetry=telemetry) as outbox:
            await put(store, outbox, *map(message, storm))
            await turn(clock, lambda: clock.monotonic_ms() >= 300_000)
            cost = server.requests
            page = telemetry.exposition().decode()
            assert "away" in outbox.complaints()["on-call"]
            assert 'playwatch_channel_away{channel="on-call"} 1.0' in page
            assert 'playwatch_deliveries_pending{channel="on-call"} 1000.0' in page
            assert 'playwatch_delivery_oldest_seconds{channel="on-call"} 3' in page

            server.faults.clear()
            began_ms = clock.monotonic_ms()
            await turn(clock, lambda: len(server.pages) == 1_000)
            assert clock.monotonic_ms() - began_ms <= 60_000
            assert outbox.complaints() == {}
            await soon(lambda: 'pending{channel="on-call"} 0.0' in telemetry.exposition().decode())

        # 32 were out when it began to fail; then the breaker lets one ask now and then.
        assert 32 < cost < 32 + 40
        assert_true(server, storm)


async def test_an_outage_that_outlasts_the_incident_loses_neither_trigger_nor_resolve(
    store: Store, clock: HandClock
) -> None:
    over, still = incidents(2)
    async with StandIn(clock=clock) as server:
        server.fail("status", status=503, times=None)
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(over), message(still))
            await turn(clock, lambda: clock.monotonic_ms() >= 3_600_000)
            await put(store, outbox, message(over, Action.RESOLVE))
            server.faults.clear()
            await turn(clock, lambda: server.resolves == 1 and len(server.pages) == 2)
        assert_true(server, [still])


async def test_a_new_page_is_tried_at_once_though_its_receiver_counts_as_away(
    store: Store, clock: HandClock
) -> None:
    old, new = incidents(2)
    async with StandIn(clock=clock) as server:
        server.fail("status", status=503, times=None)
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(old))
            await turn(clock, lambda: outbox.away() and (next_moment_s(clock) or 0) > 20)
            await clock.advance(6)
            server.faults.clear()
            at = clock.monotonic_ms()
            await put(store, outbox, message(new))
            await server.wait_for(lambda it: new.dedup_key in it.open_keys)

            assert clock.monotonic_ms() == at
            await turn(clock, lambda: len(server.pages) == 2)
        assert_true(server, [old, new])


async def test_channels_of_one_receiver_learn_together_that_it_is_away_and_back(
    store: Store, clock: HandClock
) -> None:
    first, second = incidents(20), incidents(20, name="other")
    async with StandIn(clock=clock) as server:
        server.fail("status", status=500, times=None)
        channels = (pagerduty(server.url, clock), pagerduty(server.url, clock, "other", OTHER_KEY))
        async with delivering(store, clock, *channels) as outbox:
            await put(store, outbox, *map(message, first))
            await put(store, outbox, *(message(one, channel="other") for one in second))
            await turn(clock, lambda: clock.monotonic_ms() > 1_800_000)
            assert server.requests < 150
            assert set(outbox.away()) == {"on-call", "other"}
            server.faults.clear()
            began_ms = clock.monotonic_ms()
            await turn(clock, lambda: len(server.pages) == 40)
            assert clock.monotonic_ms() - began_ms <= 60_000
        assert_true(server, [*first, *second])


@contextmanager
def blackhole() -> Iterator[str]:
    """Yield a URL whose port takes no connection and refuses none: its queue is full."""
    with closing(socket.socket()) as listener, closing(socket.socket()) as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        first.connect(("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}/v2/enqueue"


@contextmanager
def refused() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}/v2/enqueue"


@contextmanager
def unknown() -> Iterator[str]:
    yield "http://events.invalid/v2/enqueue"


@pytest.mark.parametrize("away", [unknown, refused, blackhole])
async def test_what_cannot_be_reached_is_tried_again_and_delays_nobody(
    store: Store, clock: HandClock, away: Callable[[], AbstractContextManager[str]]
) -> None:
    storm = incidents(50)
    with away() as url:
        async with StandIn(clock=clock) as server:
            lost = pagerduty(url, clock, "other", limits=UNREACHABLE)
            found = pagerduty(server.url, clock, "other")
            channels = (lost, pagerduty(server.url, clock))
            async with delivering(store, clock, *channels) as outbox:
                await put(store, outbox, *(message(one, channel="other") for one in storm))
                await put(store, outbox, *map(message, storm))
                await until_ended(store, *map(message, storm))
                assert clock.monotonic_ms() == 0
                await turn(clock, lambda: "other" in outbox.away())

                outbox.put(found)
                await turn(clock, lambda: server.triggers == 100)
            await found.close()
        assert_true(server, storm)
