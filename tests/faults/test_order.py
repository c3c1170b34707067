"""Faults 16 to 19: a resolve after its trigger, under its key, and again where in doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from playwatch.channels import fingerprint
from playwatch.core.deliveries import Action
from playwatch.core.incidents import Status
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.keys import configured_keys, former_channels
from playwatch.store.keyring import KeyRing
from playwatch.store.memory import MemoryStore
from tests.delivering import (
    OTHER_KEY,
    Impatient,
    asleep,
    delivering,
    message,
    next_moment_s,
    pagerduty,
    put,
    turn,
    until_ended,
)
from tests.faults.truth import accepted, assert_true, incidents, routed
from tests.kit.channels import KEY, pagerduty_settings
from tests.kit.stores import sqlite_store
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.channels.pagerduty import PagerDutyChannel
    from playwatch.core.incidents import Incident
    from playwatch.ports import IncidentStory, Store
    from tests.fakes import HandClock


async def test_a_resolve_never_passes_a_trigger_that_is_tried_again(
    store: Store, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    async with StandIn(clock=clock) as server:
        server.fail("status", status=503, times=3, action="trigger")
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(incident))
            await server.wait_for_events(1)
            await put(store, outbox, message(incident, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 1)
            await until_ended(store, message(incident, Action.RESOLVE))
            await clock.advance(700)  # longer than any planned repetition

        assert [one.action for one in server.journal] == ["trigger"] * 4 + ["resolve"]
        assert_true(server)


async def test_a_copy_of_the_trigger_after_the_resolve_is_ended_by_its_repetition(
    store: Store, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    async with StandIn(clock=clock) as server:
        server.fail("hang")
        async with delivering(store, clock, Impatient(server, clock)) as outbox:
            await put(store, outbox, message(incident), message(incident, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 1)
            accepted_ms = clock.monotonic_ms()
            for resolves, after_ms in ((2, 60_000), (3, 600_000)):
                await arrive_late(server, clock, incident)
                assert server.open_keys == {incident.dedup_key}
                await turn(clock, lambda: server.resolves == resolves)  # noqa: B023 - ends in its turn
                assert server.open_keys == set()
                assert clock.monotonic_ms() - accepted_ms == after_ms
            await soon(lambda: next_moment_s(clock) is None)

        assert server.resolves == 3
        assert server.open_keys == set()


async def arrive_late(server: StandIn, clock: HandClock, incident: Incident) -> None:
    """Let a copy of the trigger arrive that was on its way all the time."""
    late = pagerduty(server.url, clock)
    await late.send(message(incident))
    await late.close()


async def test_a_doubt_outlives_restarts_between_each_step(
    tmp_path: Path, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    trigger, resolve = message(incident), message(incident, Action.RESOLVE)
    async with StandIn(clock=clock) as server:
        server.fail("hang")
        for one in (trigger, resolve):
            channel: PagerDutyChannel = Impatient(server, clock)
            async with (
                sqlite_store(tmp_path) as store,
                delivering(store, clock, channel) as outbox,
            ):
                await put(store, outbox, one)
                await turn(clock, lambda: server.journal and server.journal[-1].status == 202)
                await until_ended(store, one)

        for count in (2, 3):
            await clock.advance(30)
            channel = pagerduty(server.url, clock)
            repeated = replace(resolve, id=f"{resolve.id}/confirm-{count - 1}")
            async with sqlite_store(tmp_path) as store, delivering(store, clock, channel):
                await asleep(clock)
                assert server.resolves == count - 1  # not at once, in spite of the restart
                await turn(clock, lambda: server.resolves == count)  # noqa: B023 - as above
                await until_ended(store, repeated)
        assert_true(server)


class Counting(MemoryStore):
    """Counts how often somebody asks for the whole of an incident."""

    stories = 0

    async def incident(self, incident_id: str) -> IncidentStory | None:
        self.stories += 1
        return await super().incident(incident_id)


async def test_a_resolve_without_any_doubt_asks_the_store_for_nothing(clock: HandClock) -> None:
    store, storm = Counting(), incidents(20)
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            for action in Action:
                await put(store, outbox, *(message(one, action) for one in storm))
            await server.wait_for(lambda it: it.resolves == 20)
        assert store.stories == 0
        assert_true(server)


async def test_what_an_earlier_process_left_counts_as_perhaps_sent(
    store: Store, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    await put(store, None, message(incident))
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await until_ended(store, message(incident))
            await put(store, outbox, message(incident, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 3)
        story = await store.incident(incident.id)
        assert story is not None
        assert [one.outcome for one in story.attempts][:2] == ["ambiguous", "sent"]
        assert_true(server)


async def test_fifty_flaps_of_one_rule_are_fifty_incidents_all_ended(
    store: Store, clock: HandClock
) -> None:
    flaps = incidents(50)
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, rate_limits={"on-call": 100}) as outbox:
            for one in flaps:
                await put(store, outbox, message(one))
                await put(store, outbox, message(one, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 50)
        assert len(server.pages) == 50
        assert_true(server)


async def test_a_resolve_goes_out_with_the_key_of_its_trigger_after_a_rotation(
    store: Store, clock: HandClock
) -> None:
    before, after = incidents(2)
    async with StandIn(clock=clock) as server:
        former = pagerduty(server.url, clock)
        rotated = pagerduty(server.url, clock, key=OTHER_KEY, key_of={fingerprint(KEY): KEY}.get)
        async with delivering(store, clock, former) as outbox:
            await put(store, outbox, routed(before))
            await until_ended(store, routed(before))
            outbox.put(rotated)
            await put(store, outbox, routed(after, key=OTHER_KEY))
            await put(store, outbox, routed(before, Action.RESOLVE))
            await server.wait_for(lambda it: it.resolves == 1)
        await rotated.close()

        assert [page.key[-4:] for page in server.opened()] == [OTHER_KEY[-4:]]
        assert server.count("resolve", Effect.DROPPED) == 0
        assert_true(server, [after])


async def test_a_former_key_that_is_refused_holds_nobody_back(
    store: Store, clock: HandClock
) -> None:
    before, after = incidents(2)
    async with StandIn(clock=clock) as server:
        former = pagerduty(server.url, clock)
        rotated = pagerduty(server.url, clock, key=OTHER_KEY, key_of={fingerprint(KEY): KEY}.get)
        async with delivering(store, clock, former) as outbox:
            await put(store, outbox, routed(before))
            await until_ended(store, routed(before))
            outbox.put(rotated)
            server.fail("status", status=404, routing_key=KEY, times=None)
            await put(store, outbox, routed(before, Action.RESOLVE))
            await until_ended(store, routed(before, Action.RESOLVE))
            assert outbox.complaints() == {}
            await put(store, outbox, routed(after, key=OTHER_KEY))
            await until_ended(store, routed(after, key=OTHER_KEY))
        await rotated.close()
        assert clock.monotonic_ms() == 0


async def test_a_former_receiver_that_is_gone_holds_nobody_back(
    store: Store, clock: HandClock
) -> None:
    *before, after = incidents(8)
    ends = [routed(one, Action.RESOLVE) for one in before]
    async with StandIn(clock=clock) as there:
        async with StandIn(clock=clock) as here:
            former = pagerduty(here.url, clock)
            moved = pagerduty(there.url, clock, key=OTHER_KEY, key_of={fingerprint(KEY): KEY}.get)
        async with delivering(store, clock, former) as outbox:
            outbox.put(moved)
            await put(store, outbox, *ends)
            await asleep(clock)
            await put(store, outbox, routed(after, key=OTHER_KEY))
            await until_ended(store, routed(after, key=OTHER_KEY))
            assert outbox.away() == {}
            await turn(clock, lambda: there.resolves == len(ends))
            await until_ended(store, *ends)
        await moved.close()
        assert there.open_keys == {after.dedup_key}


async def test_a_channel_that_is_gone_ends_what_it_opened(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "playwatch.db"
    (incident,) = incidents(1)
    ended = replace(incident, status=Status.CLOSED)
    async with StandIn(clock=clock) as server:
        async with sqlite_store(tmp_path) as store:
            ring = KeyRing.open(path)
            ring.renew(configured_keys([pagerduty_settings(server.url)]), await store.keys_in_use())
            async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
                await put(store, outbox, routed(incident))
                await until_ended(store, routed(incident))

        async with sqlite_store(tmp_path) as store:
            ring = KeyRing.open(path)
            ring.renew([], await store.keys_in_use())
            ((gone, rate_limit),) = former_channels(ring, [], clock)
            assert rate_limit == 100
            async with delivering(store, clock, gone) as outbox:
                await put(store, outbox, routed(ended, Action.RESOLVE))
                await until_ended(store, routed(ended, Action.RESOLVE))
            ring.renew([], await store.keys_in_use())

        assert ring.held == ()
        assert KEY not in path.with_name("playwatch.db.keys").read_text()
        assert accepted(server) == ["trigger critical-0", "resolve critical-0"]
        assert_true(server)


async def test_a_store_that_was_left_in_a_storm_is_emptied_in_order(
    tmp_path: Path, clock: HandClock
) -> None:
    storm = incidents(30)
    async with sqlite_store(tmp_path) as left:
        await put(left, None, *map(message, storm))
        await put(left, None, *(message(one, Action.RESOLVE) for one in storm[:20]))
    async with StandIn(clock=clock) as server, sqlite_store(tmp_path) as store:
        async with delivering(store, clock, pagerduty(server.url, clock)):
            await turn(clock, lambda: server.resolves == 3 * 20)
        assert_true(server, storm[20:])
