"""Storms beyond a channel's limit: one incident stands for those that would wait too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action
from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import Severity
from playwatch.demo.stand_in import StandIn
from playwatch.errors import StoreError
from playwatch.store.memory import MemoryStore
from tests.delivering import delivering, message, pagerduty, put, turn, until_ended
from tests.faults.truth import assert_true, busiest_minute, incidents
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.deliveries import Changes
    from playwatch.core.incidents import Incident
    from playwatch.ports import AttemptRecord, Store
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


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_a_rollup_grew_to_is_told_a_minute_later_though_nothing_more_happens(
    store: Store, clock: HandClock, *, restarts: bool
) -> None:
    async with StandIn(clock=clock) as server:

        def is_told_twice() -> bool:
            return sum(one.dedup_key.startswith("playwatch/rollup-") for one in server.journal) == 2

        first, second = (pagerduty(server.url, clock) for _ in range(2))
        async with delivering(store, clock, first, rate_limits=LIMITS) as outbox:
            for name, count, size in (("early", 40, 4), ("late", 60, 64)):
                await put(store, outbox, *map(message, incidents(count, name=name)))
                await until_size(store, size)
            if not restarts:
                await turn(clock, is_told_twice)
        if restarts:
            async with delivering(store, clock, second, rate_limits=LIMITS):
                await turn(clock, is_told_twice)
        (rollup,) = await rollups_in(store)
        story = await store.incident(rollup.id)
        assert story is not None
        said = [one.incident.sample_size for one in story.deliveries]
        assert said == [4, 64]


class Forgetful(MemoryStore):
    """Records nothing until it is well."""

    is_well = False

    async def record(self, records: Iterable[AttemptRecord]) -> None:
        if not self.is_well:
            message = "the disk is full"
            raise StoreError(message)
        await super().record(records)


async def test_a_crash_before_a_rollup_is_recorded_counts_nobody_twice(clock: HandClock) -> None:
    store, storm = Forgetful(), incidents(80)
    async with StandIn(clock=clock) as server:
        first, second = (pagerduty(server.url, clock) for _ in range(2))
        async with delivering(store, clock, first, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, storm))
            await until_size(store, 44)
            await outbox.stop(0)
        store.is_well = True
        async with delivering(store, clock, second, rate_limits=LIMITS):
            await turn(clock, lambda: len(server.pages) == 37)
            await until_ended(store, *map(message, storm))
        (rollup,) = await rollups_in(store)
        assert rollup.sample_size == 44


class Unsure(MemoryStore):
    """Keeps a roll-up and says that it could not, once."""

    is_sure = False

    async def commit(self, changes: Changes) -> bool:
        are_new = await super().commit(changes)
        if not self.is_sure and any(one.id.startswith("rollup-") for one in changes.incidents):
            self.is_sure = True
            message = "disk I/O error"
            raise StoreError(message)
        return are_new


async def test_a_rollup_that_was_kept_in_spite_of_an_error_holds_nothing_up(
    clock: HandClock,
) -> None:
    store, storm = Unsure(), incidents(80)
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, storm))
            await turn(clock, lambda: len(server.pages) == 37)
            await until_ended(store, *map(message, storm))
        (rollup,) = await rollups_in(store)
        assert rollup.sample_size == 44


async def until_size(store: Store, size: int) -> None:
    """Wait until the only roll-up stands for so many."""
    async with asyncio.timeout(PATIENCE_S):
        while [one.sample_size for one in await rollups_in(store)] != [size]:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.001)


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
            await turn(clock, lambda: len(server.open_keys) == 36)
        assert_true(server, [one for one in storm if one.dedup_key in told])
