"""Storms beyond a channel's limit: one incident stands for those that would wait too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.deliveries import Action
from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import Severity
from playwatch.demo.stand_in import StandIn
from tests.delivering import delivering, message, pagerduty, put, turn, until_ended
from tests.faults.truth import assert_true, busiest_minute, incidents

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident
    from playwatch.ports import Store
    from tests.fakes import HandClock

LIMITS = {"on-call": 20}


async def rollups_in(store: Store) -> list[Incident]:
    found = await store.incidents(IncidentQuery())
    return [one for one in found if one.id.startswith("rollup-")]


async def test_a_storm_beyond_the_limit_is_told_as_one_and_ends_with_the_last(
    store: Store, clock: HandClock
) -> None:
    grave, light = incidents(30), incidents(100, Severity.WARNING)
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, [*light, *grave]))
            await turn(clock, lambda: len(server.pages) == 37)
            (rollup,) = await rollups_in(store)
            assert rollup.summary == (
                "and 94 more warning incidents of playback-failures: more than the rate limit of"
                " on-call lets through"
            )
            assert rollup.severity is Severity.WARNING
            told = {page.dedup_key for page in server.pages}
            assert {one.dedup_key for one in grave} <= told
            assert clock.monotonic_ms() <= 61_000

            alone = [one for one in light if one.dedup_key in told]
            rolled = [one for one in light if one.dedup_key not in told]
            assert len(rolled) == 94
            await put(store, outbox, *(message(one, Action.RESOLVE) for one in rolled[1:]))
            await until_ended(store, *(message(one, Action.RESOLVE) for one in rolled[1:]))
            await clock.advance(120)
            assert rollup.dedup_key in server.open_keys
            await put(store, outbox, message(rolled[0], Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 1)
            await put(store, outbox, *(message(one, Action.RESOLVE) for one in alone))
            await turn(clock, lambda: server.resolves == 7)
            (rollup,) = await rollups_in(store)
            assert rollup.status is Status.CLOSED
        assert busiest_minute(server) <= 20
        assert_true(server, grave)


async def test_off_means_that_each_is_told_however_long_it_takes(
    store: Store, clock: HandClock
) -> None:
    storm = incidents(100)
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        off = delivering(store, clock, channel, rate_limits=LIMITS, unrolled={"on-call"})
        async with off as outbox:
            await put(store, outbox, *map(message, storm))
            await turn(clock, lambda: len(server.pages) == 100)
        assert await rollups_in(store) == []
        assert_true(server, storm)


async def test_a_rollup_outlives_restarts(store: Store, clock: HandClock) -> None:
    storm = incidents(80)
    async with StandIn(clock=clock) as server:
        first, second, third = (pagerduty(server.url, clock) for _ in range(3))
        async with delivering(store, clock, first, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, storm))
            await server.wait_for_events(20)
        async with delivering(store, clock, second, rate_limits=LIMITS):
            await turn(clock, lambda: len(server.pages) == 37)
        told = {page.dedup_key for page in server.pages}
        rolled = [one for one in storm if one.dedup_key not in told]
        await put(store, None, *(message(one, Action.RESOLVE) for one in rolled))
        async with delivering(store, clock, third, rate_limits=LIMITS):
            await turn(clock, lambda: server.resolves == 1)
        assert_true(server, [one for one in storm if one.dedup_key in told])
