"""Bad weather: a slow disk, a flood, a broker that stalls, a receiver that hangs.

Shown by the order of events and by a hand-turned clock, not by a stopwatch.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Changes
from playwatch.core.listings import IncidentQuery
from playwatch.demo.stand_in import StandIn
from playwatch.errors import StoreError
from playwatch.ingest.publish import publish
from playwatch.runtime.commits import MOST_STEPS
from playwatch.store.memory import MemoryStore
from playwatch.store.sqlite import SqliteStore
from playwatch.telemetry import Telemetry
from tests.brokers import Mosquitto, build, needs_mosquitto, numbered, read, running
from tests.delivering import OTHER_KEY, delivering, holding, message, pagerduty, put, until_ended
from tests.fakes import HandClock, settle
from tests.faults.truth import incidents
from tests.integration.test_evaluate import Gate, Setting, sample
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

COMMIT_S = 0.2


class SlowDisk(MemoryStore):
    """Takes 200 ms of the clock for what is durable, one after the other."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__("here")
        self._clock = clock
        self._disk = asyncio.Lock()
        self.commits = 0

    async def commit(self, changes: Changes) -> bool:
        async with self._disk:
            await self._clock.sleep(COMMIT_S)
            self.commits += 1
            return await super().commit(changes)


def received(setting: Setting, count: int) -> bool:
    return setting.metric(f'playwatch_samples_received_total{{codec="native"}} {count}.0')


async def test_nobody_waits_for_the_disk_to_be_judged_and_a_page_for_two_commits_at_most(
    clock: HandClock,
) -> None:
    store = SlowDisk(clock)
    setting = Setting(store, clock)
    brought: dict[str, int] = {}
    paged: dict[str, int] = {}
    async with setting.running():
        for number in range(400):
            # A breach each 20 ms, and a quiet sample between two of them.
            country = f"C{number}"
            brought[country] = clock.monotonic_ms()
            setting.feed.bring(sample(9.0, country))
            setting.feed.bring(sample(1.0, "quiet"))
            await settle()
            assert received(setting, 2 * number + 2)  # judged before the clock moves on
            await clock.advance(0.02)
            for page in setting.woken[len(paged) :]:
                paged[dict(page.incident.breakdowns)["country"]] = clock.monotonic_ms()
        await clock.advance(1)
        await setting.feed.done()

    assert len(setting.woken) == 400
    waited = [paged[name] - brought[name] for name in paged]
    assert len(waited) > 370
    assert max(waited) <= 2 * COMMIT_S * 1000 + 50
    assert store.commits <= 400 * 0.02 / COMMIT_S + 3


async def test_what_was_judged_ahead_is_acknowledged_in_order_and_not_before_it_is_stored(
    clock: HandClock,
) -> None:
    store = Gate()
    setting = Setting(store, clock)
    async with setting.running():
        for country in ("SE", "DE", "FR"):
            setting.feed.bring(sample(9.0, country))
            setting.feed.bring(sample(1.0, "quiet"))
            await soon(lambda: store.asked)
        await soon(lambda: received(setting, 6))
        await settle()
        assert setting.feed.acknowledged == 0
        assert setting.woken == []
        assert len(store.asked) == 1

        store.open.set()
        await setting.feed.done()

    assert [len(changes.incidents) for changes in store.asked] == [1, 2]
    assert [dict(one.incident.breakdowns)["country"] for one in setting.woken] == ["SE", "DE", "FR"]


class Recording(Gate):
    """Is busy with another's commit before it takes ours."""

    def __init__(self) -> None:
        super().__init__()
        self.open.set()
        self.free = asyncio.Event()

    async def turn(self) -> None:
        await self.free.wait()


async def test_what_is_decided_while_an_attempt_is_recorded_shares_the_next_commit(
    clock: HandClock,
) -> None:
    store = Recording()
    setting = Setting(store, clock)
    async with setting.running():
        for country in ("SE", "DE", "FR"):
            setting.feed.bring(sample(9.0, country))
        await soon(lambda: received(setting, 3))
        await settle()
        assert store.asked == []

        store.free.set()
        await setting.feed.done()

    assert [len(changes.incidents) for changes in store.asked] == [3]


async def test_a_snapshot_waits_for_what_it_knows_of_and_evaluation_does_not(
    clock: HandClock,
) -> None:
    store = Gate()
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await soon(lambda: store.asked)
        saving = asyncio.create_task(setting.evaluator.snapshot())
        setting.feed.bring(sample(1.0, "DE"))
        await soon(lambda: received(setting, 2))
        await settle()
        assert await store.load_snapshot() is None

        store.open.set()
        await saving
        assert await store.load_snapshot() is not None


async def test_a_commit_that_never_ends_shows_and_is_not_evaluated_ahead_of_for_ever(
    clock: HandClock,
) -> None:
    store = Gate()
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await soon(lambda: store.asked)
        for _ in range(2 * MOST_STEPS):
            setting.feed.bring(sample(1.0, "DE"))
        await soon(lambda: received(setting, MOST_STEPS))
        await settle(200)
        assert received(setting, MOST_STEPS)
        assert setting.health.complaints() == []
        await clock.advance(10)
        assert setting.health.complaints() == ["the store takes no commits"]

        store.open.set()
        await setting.feed.done()
        assert setting.health.complaints() == []


async def test_a_stop_before_the_commit_saves_no_snapshot_that_knows_more_than_the_store(
    clock: HandClock,
) -> None:
    setting = Setting(Gate(), clock)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await soon(lambda: received(setting, 1))

    with pytest.raises(StoreError, match="decided last is not stored"):
        await setting.evaluator.snapshot()
    assert await setting.store.load_snapshot() is None


class Spinning:
    """A disk that a test lets go on, one commit after the other."""

    def __init__(self) -> None:
        self.begun = 0
        self._go = threading.Semaphore(0)

    def __call__(self, statement: str) -> None:
        """Wait where SQLite is about to make a transaction durable."""
        if statement == "COMMIT":
            self.begun += 1
            assert self._go.acquire(timeout=PATIENCE_S)

    def go_on(self, commits: int = 1) -> None:
        self._go.release(commits)


@asynccontextmanager
async def on_slow_disk(folder: Path) -> AsyncIterator[tuple[SqliteStore, Spinning]]:
    """Open a store whose commits wait for the test."""
    store = await SqliteStore.open(folder / "playwatch.db")
    disk = Spinning()
    assert store._connection is not None
    await store._connection.set_trace_callback(disk)
    try:
        yield store, disk
    finally:
        disk.go_on(1_000)
        await store.close()


async def test_what_comes_during_a_commit_shares_the_next_and_reads_wait_for_none(
    tmp_path: Path,
) -> None:
    many = incidents(30)
    async with on_slow_disk(tmp_path) as (store, disk):
        first = asyncio.create_task(store.commit(Changes(many[:1], [message(many[0])])))
        await soon(lambda: disk.begun == 1)
        others = [asyncio.create_task(store.commit(Changes([one]))) for one in many[1:]]
        saving = asyncio.create_task(store.save_snapshot({"windows": bytes(1 << 20)}, 1))
        await settle()

        assert await store.due("on-call", 1 << 60, 10, set()) == []  # while the disk is busy
        assert disk.begun == 1
        disk.go_on()
        await first
        assert len(await store.due("on-call", 1 << 60, 10, set())) == 1
        disk.go_on()
        await asyncio.gather(*others)
        assert disk.begun in {2, 3}
        disk.go_on(1_000)
        await saving
        assert len((await store.found(IncidentQuery())).incidents) == 30


async def test_a_write_that_fails_takes_none_along_that_would_have_shared_its_commit(
    tmp_path: Path,
) -> None:
    good, bad, unknown = incidents(3)
    async with on_slow_disk(tmp_path) as (store, disk):
        first = asyncio.create_task(store.commit(Changes([good])))
        await soon(lambda: disk.begun == 1)
        works = [
            store.commit(Changes([bad])),
            store.commit(Changes([], [message(unknown)])),
            store.commit(Changes([], [message(good)])),
        ]
        sharing = asyncio.gather(*works, return_exceptions=True)
        await settle()
        disk.go_on(1_000)
        await first
        outcomes = await sharing

        assert [type(one) for one in outcomes] == [bool, StoreError, bool]
        assert {one.id for one in await store.open_incidents()} == {good.id, bad.id}


@pytest.mark.mosquitto
@needs_mosquitto
async def test_a_flood_of_qos_0_is_dropped_by_reason_and_takes_no_message_of_qos_1_along(
    tmp_path: Path,
) -> None:
    telemetry = Telemetry()
    async with Mosquitto(tmp_path) as broker:
        settings = broker.settings(backlog=100)
        async with running(build(settings, telemetry=telemetry)) as source:
            await publish(broker.settings(), numbered(5_000), 0)
            await publish(broker.settings(), numbered(50, first=5_000), 1)
            await soon(lambda: len(source._backlog) == 150)
            labels = {"source": source.name}
            value = telemetry.registry.get_sample_value
            assert value("playwatch_queue_length", labels) == 150
            messages = await read(source, 150)

            dropped = value(
                "playwatch_messages_dropped_total", {**labels, "reason": "backlog_messages"}
            )
            received = value("playwatch_messages_received_total", labels)
            assert dropped is not None
            assert dropped + len(messages) == received
            assert [one.payload for one in messages[-50:]] == [
                content for _, content in numbered(50, first=5_000)
            ]
            assert value("playwatch_queue_length", labels) == 0


@pytest.mark.mosquitto
@needs_mosquitto
async def test_a_broker_that_stalls_holds_up_neither_rules_nor_pages_and_loses_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    telemetry = Telemetry()
    async with Mosquitto(tmp_path) as broker, StandIn(clock=clock) as server:
        assert broker._process is not None
        async with running(build(broker.settings(), telemetry=telemetry)) as source:
            sending = asyncio.create_task(publish(broker.settings(), numbered(300)))
            await sending
            broker._process.send_signal(signal.SIGSTOP)
            try:
                store = MemoryStore("here")
                setting = Setting(store, clock)
                channel = pagerduty(server.url, clock)
                async with setting.running(), delivering(store, clock, channel) as outbox:
                    setting.feed.bring(sample(9.0))
                    await setting.feed.done()
                    await put(store, outbox, message(incident))
                    await until_ended(store, message(incident))
                assert clock.monotonic_ms() == 0
            finally:
                broker._process.send_signal(signal.SIGCONT)
            await publish(broker.settings(), numbered(300, first=300))
            messages = await read(source, 600)
    assert [one.payload for one in messages] == [content for _, content in numbered(600)]


async def test_a_receiver_that_hangs_holds_up_neither_evaluation_nor_another_channel(
    clock: HandClock,
) -> None:
    storm = incidents(20)
    store = MemoryStore("here")
    setting = Setting(store, clock)
    async with holding() as (url, arrived, release), StandIn(clock=clock) as server:
        channels = (pagerduty(url, clock, "stuck", OTHER_KEY), pagerduty(server.url, clock))
        async with setting.running(), delivering(store, clock, *channels) as outbox:
            await put(store, outbox, *(message(one, channel="stuck") for one in storm))
            await arrived.wait()
            for number in range(100):
                setting.feed.bring(sample(9.0, f"C{number}"))
            await setting.feed.done()
            await put(store, outbox, *map(message, storm))
            await until_ended(store, *map(message, storm))
            assert clock.monotonic_ms() == 0
            assert not release.is_set()
            assert server.triggers == 20
            assert len(setting.woken) == 100
            release.set()
