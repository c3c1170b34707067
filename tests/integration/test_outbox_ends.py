"""What an outbox does when it is stopped, dies, or its store fails."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import (
    Action,
    Delivery,
    DeliveryStatus,
)
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from playwatch.errors import StoreError
from playwatch.runtime.outbox import Outbox
from playwatch.store.memory import MemoryStore
from playwatch.store.sqlite import SqliteStore
from playwatch.telemetry import Telemetry
from tests.delivering import (
    asleep,
    delivering,
    gaps_s,
    holding,
    message,
    pagerduty,
    put,
    seeded,
    status_of,
    turn,
    until_ended,
)
from tests.fakes import HandClock, settle
from tests.kit.stores import T0, an_incident
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from playwatch.ports import AttemptRecord, Store


class Forgetful(SqliteStore):
    """Dies before it could record what was sent."""

    async def record(self, records: Iterable[AttemptRecord]) -> None:
        del records
        await asyncio.get_running_loop().create_future()


class Crash(Exception):  # noqa: N818 - what ends a process is no error of ours
    pass


async def crash_after(outbox: Outbox, server: StandIn) -> None:
    """Deliver until the receiver has a message, and end like a crash."""
    async with asyncio.TaskGroup() as tasks:
        outbox.start(tasks)
        await server.wait_for_events(1)
        await settle()
        raise Crash


async def test_a_crash_before_the_answer_is_recorded_sends_the_same_bytes_once_more(
    tmp_path: Path, clock: HandClock
) -> None:
    path = tmp_path / "playwatch.db"
    incident = an_incident()
    async with StandIn(clock=clock) as server:
        store = await Forgetful.open(path)
        await put(store, None, message(incident))
        channel = pagerduty(server.url, clock)
        with pytest.raises(ExceptionGroup):
            await crash_after(Outbox([channel], store, clock, Telemetry(), seeded(1)), server)
        await store.close()
        await channel.close()

        again = await SqliteStore.open(path)
        clock.step_wall(90)
        await put(again, None, message(incident, Action.RESOLVE))
        async with delivering(again, clock, pagerduty(server.url, clock)):
            await server.wait_for_events(3)
            await until_ended(again, message(incident, Action.RESOLVE))
        await again.close()

        first, second, last = server.journal
        assert first.event == second.event
        assert json.dumps(first.event) == json.dumps(second.event)
        assert first.size == second.size
        assert [first.effect, second.effect, last.effect] == [
            Effect.OPENED,
            Effect.REPEATED,
            Effect.RESOLVED,
        ]
        assert len(server.pages) == 1


async def test_a_stop_waits_for_the_answer_in_flight_and_records_it(
    store: Store, clock: HandClock
) -> None:
    first, second = message(an_incident("first")), message(an_incident("second"))
    async with holding() as (url, arrived, release):
        channel = pagerduty(url, clock)
        outbox = Outbox([channel], store, clock, Telemetry(), seeded(1))
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            await put(store, outbox, first)
            await arrived.wait()
            stopping = asyncio.create_task(outbox.stop(10.0))
            await settle()
            await put(store, outbox, second)
            await settle()

            assert not stopping.done()
            release.set()
            await stopping

        assert await status_of(store, first) is DeliveryStatus.SENT
        assert await status_of(store, second) is DeliveryStatus.PENDING
        await channel.close()


async def test_a_stop_ends_when_its_grace_is_over_and_keeps_what_is_out(
    store: Store, clock: HandClock
) -> None:
    delivery = message(an_incident())
    async with holding() as (url, arrived, _), asyncio.timeout(PATIENCE_S):
        channel = pagerduty(url, clock)
        outbox = Outbox([channel], store, clock, Telemetry(), seeded(1))
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            await put(store, outbox, delivery)
            await arrived.wait()
            await outbox.stop(0.0)

        assert await status_of(store, delivery) is DeliveryStatus.PENDING
        await channel.close()


async def test_a_stop_ends_though_the_store_takes_no_records(clock: HandClock) -> None:
    store = Sick(record=1_000_000)
    async with StandIn(clock=clock) as server, asyncio.timeout(PATIENCE_S):
        channel = pagerduty(server.url, clock)
        outbox = Outbox([channel], store, clock, Telemetry(), seeded(1))
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            await put(store, outbox, message(an_incident()))
            await soon(lambda: not outbox.can_store)
            await outbox.stop(0.05)
        await channel.close()


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_a_wall_clock_that_steps_neither_delays_nor_hastens(
    store: Store, clock: HandClock, step_s: float
) -> None:
    async with StandIn(clock=clock) as server:
        server.fail("status", status=503, headers={"Retry-After": "20"})
        one, two = message(an_incident("one")), message(an_incident("two"))
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, one)
            await server.wait_for_events(1)
            await asleep(clock)
            clock.step_wall(step_s)
            await put(store, outbox, replace(two, created_at=clock.wall_ms()))
            await asleep(clock)
            await clock.advance(19.9)
            await asleep(clock)
            assert server.requests == 1
            await clock.advance(0.1)
            await server.wait_for_events(3)

        assert len(server.pages) == 2
        assert gaps_s(server) == [20, 0]


async def test_what_the_last_process_put_off_to_a_wrong_time_is_sent_at_the_start(
    store: Store, clock: HandClock
) -> None:
    ahead = [
        replace(message(an_incident(f"i{number}")), not_before_at=T0 + 3_600_000, attempts=1)
        for number in range(70)
    ]
    await put(store, None, *ahead)

    async with (
        StandIn(clock=clock) as server,
        delivering(store, clock, pagerduty(server.url, clock)),
    ):
        await server.wait_for(lambda it: len(it.pages) == 70)

        assert clock.monotonic_ms() == 0
        assert server.requests == 70


class Sick(MemoryStore):
    """Refuses the first calls of some methods, and records of some deliveries for ever."""

    def __init__(self, *poison: str, due: int = 0, next_due_at: int = 0, record: int = 0) -> None:
        super().__init__()
        self.left = {"due": due, "next_due_at": next_due_at, "record": record}
        self._poison = set(poison)

    def _fall_ill(self, name: str) -> None:
        if self.left[name] > 0:
            self.left[name] -= 1
            reason = f"the disk is full ({name})"
            raise StoreError(reason)

    async def due(self, channel: str, now_at: int, limit: int, busy: set[str]) -> list[Delivery]:
        self._fall_ill("due")
        return await super().due(channel, now_at, limit, busy)

    async def next_due_at(self, channel: str, busy: set[str]) -> int | None:
        self._fall_ill("next_due_at")
        return await super().next_due_at(channel, busy)

    async def record(self, records: Iterable[AttemptRecord]) -> None:
        self._fall_ill("record")
        records = tuple(records)
        if any(record.delivery.id in self._poison for record in records):
            reason = "a record cannot be written"
            raise StoreError(reason)
        await super().record(records)


async def stopped_after_a_crash(outbox: Outbox, server: StandIn) -> None:
    """Deliver until something else of the engine ends all of it, then stop in order."""
    async with asyncio.TaskGroup() as tasks:
        outbox.start(tasks)
        await server.wait_for_events(1)
        tasks.create_task(_crash())
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await settle()
            await outbox.stop(grace_s=10 * PATIENCE_S)


async def _crash() -> None:
    raise Crash


async def test_a_stop_after_a_crash_does_not_wait_for_records_that_nobody_writes(
    tmp_path: Path, clock: HandClock
) -> None:
    store = await Forgetful.open(tmp_path / "playwatch.db")
    await put(store, None, message(an_incident()))
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        outbox = Outbox([channel], store, clock, Telemetry(), seeded(1))
        with pytest.raises(ExceptionGroup):
            async with asyncio.timeout(PATIENCE_S):
                await stopped_after_a_crash(outbox, server)
        await channel.close()
    await store.close()


async def test_attempts_that_end_by_the_dozen_are_all_recorded(
    store: Store, clock: HandClock
) -> None:
    waves = [[message(an_incident(f"{wave}-{n}")) for n in range(20)] for wave in range(3)]
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            for wave in waves:  # the last of each wait for more that never come
                await put(store, outbox, *wave)
                await until_ended(store, *wave)
        assert server.triggers == server.requests == 60


async def test_a_store_that_fails_for_a_while_costs_neither_a_message_nor_a_repeat(
    clock: HandClock,
) -> None:
    store = Sick(due=3, next_due_at=2, record=3)
    incidents = [an_incident(f"i{number}") for number in range(10)]
    messages = [message(one, action) for one in incidents for action in Action]
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, *messages)
            await turn(clock, lambda: server.resolves == 10)
            await until_ended(store, *messages)

            assert store.left == {"due": 0, "next_due_at": 0, "record": 0}
            assert outbox.can_store
        assert server.triggers == 10
        assert server.requests == 20
        assert server.open_keys == set()


async def test_a_store_that_stays_away_is_told_once(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Sick(due=60)
    async with (
        StandIn(clock=clock) as server,
        delivering(store, clock, pagerduty(server.url, clock)) as outbox,
    ):
        await put(store, outbox, message(an_incident()))
        await turn(clock, lambda: server.triggers == 1)
        await until_ended(store, message(an_incident()))

    told = [one for one in caplog.messages if "the disk is full" in one]
    assert told == ["channel on-call, trying again: the disk is full (due)"]


async def test_the_outbox_says_so_while_the_store_takes_no_records(clock: HandClock) -> None:
    store = Sick(record=2)
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            assert outbox.can_store
            await put(store, outbox, message(an_incident()))
            await soon(lambda: not outbox.can_store)
            await turn(clock, lambda: outbox.can_store)

        assert server.requests == 1


async def test_one_record_that_cannot_be_stored_does_not_hold_up_the_others(
    clock: HandClock,
) -> None:
    bad, good = an_incident("bad"), [an_incident(f"i{number}") for number in range(8)]
    store = Sick(message(bad).id)
    others = [message(one, action) for one in good for action in Action]
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        outbox = Outbox([channel], store, clock, Telemetry(), seeded(1))
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            await put(store, outbox, message(bad), *others)
            await turn(clock, lambda: server.resolves == 8)
            await until_ended(store, *others)

            assert not outbox.can_store
            await outbox.stop(0.05)
        await channel.close()
        assert server.requests == 17
