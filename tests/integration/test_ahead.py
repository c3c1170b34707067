"""What a lane reads of the store ahead of its turn, and when it asks again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from playwatch.core.deliveries import Action, Changes
from playwatch.core.rules import Severity
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.ahead import Ahead
from playwatch.store.memory import MemoryStore
from tests.delivering import delivering, message, pagerduty, put, until_ended
from tests.fakes import settle
from tests.kit.stores import an_incident

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Store
    from playwatch.runtime.outbox import Outbox
    from tests.fakes import HandClock

FAR = 2**62


class CountingStore(MemoryStore):
    """Counts how often it is asked what is due."""

    readings = 0

    async def due(self, channel: str, now_at: int, limit: int, busy: set[str]) -> list[Delivery]:
        self.readings += 1
        return await super().due(channel, now_at, limit, busy)


async def test_a_storm_without_a_limit_asks_the_store_a_few_times(clock: HandClock) -> None:
    store = CountingStore()
    storm = [message(an_incident(f"i{number}")) for number in range(300)]
    async with StandIn(clock=clock, rate_limit=None) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, *storm)
            await until_ended(store, *storm)
        assert len(server.pages) == 300
    assert store.readings < 30


async def put_new(store: Store, outbox: Outbox, *deliveries: Delivery) -> None:
    """Commit deliveries and say what the store says of them, as an evaluator does."""
    incidents = [delivery.incident for delivery in deliveries]
    outbox.wake(deliveries, await store.commit(Changes(incidents, deliveries)))


class Blind(MemoryStore):
    """Never finds anything due."""

    async def due(self, channel: str, now_at: int, limit: int, busy: set[str]) -> list[Delivery]:
        del channel, now_at, limit, busy
        return []


async def test_what_was_just_stored_is_sent_without_being_read_back(clock: HandClock) -> None:
    store = Blind()
    storm = [message(an_incident(f"i{number}")) for number in range(100)]
    async with StandIn(clock=clock, rate_limit=None) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await settle()  # the lane has looked for what an earlier process left
            await put_new(store, outbox, *storm)
            await until_ended(store, *storm)
        assert len(server.pages) == 100


async def test_what_was_stored_before_is_not_sent_again(clock: HandClock) -> None:
    store = MemoryStore()
    first, second = message(an_incident("first")), message(an_incident("second"))
    async with StandIn(clock=clock, rate_limit=None) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put_new(store, outbox, first)
            await until_ended(store, first)
            await settle()
            await put_new(store, outbox, first, second)
            await until_ended(store, second)
        assert server.requests == 2


async def test_what_is_given_waits_for_nothing_of_its_incident_and_goes_by_severity(
    clock: HandClock,
) -> None:
    ahead = Ahead("on-call", MemoryStore(), clock)
    mild, grave = (
        message(an_incident(severity.word, severity=severity))
        for severity in (Severity.INFO, Severity.CRITICAL)
    )
    ahead.offer([mild, grave])
    assert await ahead.due(FAR, 10, set()) == [grave, mild]

    ahead.offer([grave, message(grave.incident, Action.RESOLVE)])
    assert not ahead
    ahead.offer([replace(grave, not_before_at=1)])
    assert not ahead


async def test_the_rest_of_a_reading_is_kept_for_a_second(clock: HandClock) -> None:
    store = CountingStore()
    ahead = Ahead("on-call", store, clock)
    await put(store, None, *(message(an_incident(f"i{number}")) for number in range(3)))
    found = await ahead.due(FAR, 10, set())
    ahead.keep(found[1:])

    assert await ahead.due(FAR, 10, set()) == found[1:]
    ahead.keep(found[2:])
    await clock.advance(1.1)
    assert await ahead.due(FAR, 10, {found[0].id}) == found[1:]
    assert store.readings == 2


async def test_what_is_new_in_the_queue_is_not_kept_waiting(clock: HandClock) -> None:
    store = CountingStore()
    ahead = Ahead("on-call", store, clock)
    first = [message(an_incident(f"i{number}", severity=Severity.INFO)) for number in range(3)]
    await put(store, None, *first)
    found = await ahead.due(FAR, 10, set())
    graver = message(an_incident("graver", severity=Severity.CRITICAL))
    await put(store, None, graver)
    ahead.forget()
    ahead.keep(found[1:])

    assert not ahead
    assert (await ahead.due(FAR, 10, set()))[0].id == graver.id
