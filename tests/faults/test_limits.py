"""Faults 3, 4 and 20: a receiver that wants fewer requests."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from playwatch.channels import fingerprint
from playwatch.core.deliveries import Action
from playwatch.core.rules import Severity
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from tests.delivering import (
    OTHER_KEY,
    asleep,
    delivering,
    message,
    next_moment_s,
    pagerduty,
    put,
    turn,
    until_ended,
)
from tests.faults.truth import assert_true, busiest_minute, incidents, routed
from tests.kit.channels import KEY

if TYPE_CHECKING:
    from playwatch.ports import Store
    from tests.fakes import HandClock

LIMITS = {"on-call": 100, "other": 120}
NOON = "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "least_s", "most_s"),
    [
        pytest.param(429, {"Retry-After": "20"}, 20, 20, id="seconds"),
        pytest.param(429, {"Retry-After": "Fri, 15 Jan 2027 08:00:20 GMT"}, 20, 20, id="date"),
        pytest.param(429, {"Retry-After": "10000000000"}, 300, 300, id="absurd"),
        pytest.param(429, {"Retry-After": "0"}, 1, 1, id="zero"),
        pytest.param(429, {"ratelimit-reset": "7"}, 7, 7, id="reset"),
        pytest.param(429, {"Retry-After": "-5"}, 15, 45, id="negative"),
        pytest.param(429, {}, 15, 45, id="missing"),
        pytest.param(503, {"Retry-After": "20"}, 20, 20, id="503"),
    ],
)
async def test_a_429_holds_its_key_for_as_long_as_it_asks_and_no_other(
    store: Store,
    clock: HandClock,
    status: int,
    headers: dict[str, str],
    least_s: float,
    most_s: float,
) -> None:
    first, second = incidents(2)
    async with StandIn(clock=clock) as server:
        held = {"status": status, "headers": {"Date": NOON, **headers}, "routing_key": KEY[-8:]}
        server.fail("status", **held)
        channels = (pagerduty(server.url, clock), pagerduty(server.url, clock, "other", OTHER_KEY))
        async with delivering(store, clock, *channels) as outbox:
            await put(store, outbox, message(first))
            await server.wait_for_events(1)
            await asleep(clock)
            await put(store, outbox, message(second), message(second, channel="other"))
            await server.wait_for_events(2)
            await asleep(clock)
            assert least_s <= (next_moment_s(clock) or 0) <= most_s
            assert list(outbox.held_back()) == ["on-call"]
            await turn(clock, lambda: len(server.pages) == 3)

        refused, other, *mine = server.journal
        assert (refused.status, other.monotonic_ms, len(mine)) == (status, 0, 2)
        assert least_s <= mine[0].monotonic_ms / 1000 <= most_s
        assert_true(server, [first, second])


async def test_ten_minutes_of_429_in_a_storm_of_300(store: Store, clock: HandClock) -> None:
    grave, light = incidents(150), incidents(150, Severity.WARNING)
    storm = [one for pair in zip(light, grave, strict=True) for one in pair]
    async with StandIn(clock=clock) as server:
        server.fail("status", status=429, times=None)
        channel = pagerduty(server.url, clock)
        one_by_one = delivering(store, clock, channel, rate_limits=LIMITS, unrolled=("on-call",))
        async with one_by_one as outbox:
            await put(store, outbox, *map(message, storm))
            await turn(clock, lambda: clock.monotonic_ms() >= 600_000)
            wasted = server.requests
            server.faults.clear()
            await turn(clock, lambda: len(server.pages) == 300)
            await put(store, outbox, *(message(one, Action.RESOLVE) for one in storm))
            await turn(clock, lambda: not server.open_keys)

        assert wasted < 32 + 600 / 15
        assert busiest_minute(server) <= 100
        taken = [entry for entry in server.journal if entry.status == 202]
        assert len(taken) == 600
        assert {entry.dedup_key for entry in taken[:150]} == {one.dedup_key for one in grave}
        assert_true(server)


async def test_below_the_limit_nothing_is_paced_and_past_it_the_gravest_go_first(
    store: Store, clock: HandClock
) -> None:
    light, grave = incidents(160, Severity.WARNING), incidents(40)
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, light))
            await server.wait_for_events(100)
            assert clock.monotonic_ms() == 0
            await put(store, outbox, *map(message, grave))
            await put(store, outbox, *(message(one, Action.RESOLVE) for one in light))
            await turn(clock, lambda: len(server.pages) == 200 and server.resolves == 160)

        assert {one.monotonic_ms for one in server.journal[:100]} == {0}
        second = [one.dedup_key for one in server.journal[100:140]]
        assert set(second) == {one.dedup_key for one in grave}
        assert [one.action for one in server.journal[140:200]] == ["trigger"] * 60
        assert busiest_minute(server) == 100
        assert server.count("trigger", Effect.REFUSED) == 0
        assert_true(server, grave)


async def test_two_channels_with_one_key_share_its_limit_and_its_429(
    store: Store, clock: HandClock
) -> None:
    mine, yours = incidents(90), incidents(90, name="other")
    async with StandIn(clock=clock) as server:
        channels = (pagerduty(server.url, clock), pagerduty(server.url, clock, "other"))
        async with delivering(store, clock, *channels, rate_limits=LIMITS) as outbox:
            # In one commit: neither channel has sent anything when the other looks.
            both = [*map(message, mine), *(message(one, channel="other") for one in yours)]
            await put(store, outbox, *both)
            await server.wait_for_events(100)
            await asleep(clock)
            assert server.requests == 100
            await turn(clock, lambda: len(server.pages) == 180)
            assert busiest_minute(server) == 100

            await clock.advance(60)
            server.fail("status", status=429, headers={"Retry-After": "50"})
            seen = server.requests
            await put(store, outbox, message(mine[0], Action.RESOLVE))
            await server.wait_for_events(seen + 1)
            await asleep(clock)
            await put(store, outbox, message(yours[0], Action.RESOLVE, "other"))
            await clock.advance(49)
            assert server.requests == seen + 1
            await turn(clock, lambda: server.resolves == 2)
        assert_true(server, [*mine[1:], *yours[1:]])


async def test_two_channels_with_different_keys_both_tell_of_one_incident(
    store: Store, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    async with StandIn(clock=clock) as server:
        channels = (pagerduty(server.url, clock), pagerduty(server.url, clock, "other", OTHER_KEY))
        async with delivering(store, clock, *channels) as outbox:
            for action, name in itertools.product(Action, ("on-call", "other")):
                await put(store, outbox, message(incident, action, name))
            await server.wait_for(lambda it: it.resolves == 2)
        assert len(server.pages) == 2
        assert_true(server)


async def test_a_restart_does_not_forget_what_was_sent_in_the_last_minute(
    store: Store, clock: HandClock
) -> None:
    early, late = incidents(90), incidents(90, name="late")
    async with StandIn(clock=clock) as server:
        first, second = (pagerduty(server.url, clock) for _ in range(2))
        async with delivering(store, clock, first, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, early))
            await until_ended(store, *map(message, early))
        async with delivering(store, clock, second, rate_limits=LIMITS) as outbox:
            await put(store, outbox, *map(message, late))
            await server.wait_for_events(100)
            await asleep(clock)
            assert server.requests == 100
            await turn(clock, lambda: len(server.pages) == 180)
        assert busiest_minute(server) == 100
        assert_true(server, [*early, *late])


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_former_key_has_the_limit_of_its_channel(
    store: Store, clock: HandClock, *, restarts: bool
) -> None:
    storm = incidents(150)
    async with StandIn(clock=clock) as server:
        former = pagerduty(server.url, clock)
        rotated = pagerduty(server.url, clock, key=OTHER_KEY, key_of={fingerprint(KEY): KEY}.get)
        told = pagerduty(server.url, clock)
        async with delivering(
            store, clock, told, rate_limits=LIMITS, unrolled={"on-call"}
        ) as outbox:
            await put(store, outbox, *map(routed, storm))
            await turn(clock, lambda: len(server.pages) == 150)
            await until_ended(store, *map(routed, storm))
        await clock.advance(60)
        ends = [routed(one, Action.RESOLVE) for one in storm]
        first = rotated if restarts else former
        async with delivering(store, clock, first, rate_limits=LIMITS) as outbox:
            if not restarts:
                outbox.put(rotated, LIMITS["on-call"])
            await put(store, outbox, *ends)
            await turn(clock, lambda: server.resolves == 150)
            await until_ended(store, *ends)
        await rotated.close()
        await former.close()
        assert busiest_minute(server) == 100
        assert {one.status for one in server.journal} == {202}
        assert_true(server)
