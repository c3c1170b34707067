"""The watcher of the watcher over a store: what it hears, commits and takes over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwatch.core.listings import IncidentQuery
from playwatch.core.routing import Route
from playwatch.errors import StoreError
from playwatch.runtime.self_watch import PART, SelfWatch
from playwatch.runtime.vitals import Vitals
from playwatch.store.memory import MemoryStore
from tests.fakes import HandClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import pytest

    from playwatch.config.quiet import QuietAfter
    from playwatch.core.deliveries import Changes, Delivery
    from playwatch.core.incidents import Incident


@dataclass(frozen=True)
class Subscription:
    topic: str
    quiet_after: QuietAfter = "auto"


class SickStore(MemoryStore):
    """Refuses commits while it is sick."""

    is_sick = False

    async def commit(self, changes: Changes) -> bool:
        if self.is_sick:
            message = "the disk is full"
            raise StoreError(message)
        return await super().commit(changes)


class Watch:
    """A self-watch at work on a hand-turned clock."""

    def __init__(self, store: MemoryStore, *subscriptions: Subscription) -> None:
        self.clock = HandClock()
        self.store = store
        self.woken: list[Delivery] = []
        self.vitals = Vitals()
        self.watch = SelfWatch(
            subscriptions or (Subscription("samples/#"), Subscription("$share/g/edge/+", 60.0)),
            [Route("oncall", "key")],
            store,
            self.clock,
            self._wake,
            installation="here",
        )

    def _wake(self, deliveries: Iterable[Delivery]) -> None:
        self.woken += deliveries

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Watch]:
        await self.watch.recover()
        task = asyncio.create_task(self.watch.run(lambda: self.vitals))
        try:
            await self.clock.advance(1)
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def listen(self, seconds: int, heard: dict[str, list[str]], every_s: int = 10) -> None:
        for _ in range(seconds // every_s):
            await self.clock.advance(every_s)
            self.watch.heard(heard)

    async def incidents(self) -> list[Incident]:
        return await self.store.incidents(IncidentQuery())


async def test_a_silent_source_is_committed_and_sent_and_taken_back() -> None:
    store = MemoryStore()
    async with Watch(store).running() as watch:
        await watch.listen(700, {"samples/a": ["one"], "samples/b": ["two"], "edge/x": []})
        await watch.listen(80, {"samples/b": ["two"], "edge/x": []})
        (incident,) = await watch.incidents()
        assert incident.breakdowns == (("subscription", "samples/#"), ("source", "one"))
        assert [one.incident_id for one in watch.woken] == [incident.id]

        await watch.listen(80, {"samples/b": ["one", "two"], "edge/x": []})
        (incident,) = await watch.incidents()
        assert (incident.is_open, incident.reason) == (False, "heard again")
        assert [one.action.value for one in watch.woken] == ["trigger", "resolve"]


async def test_a_topic_belongs_to_the_first_filter_it_passes() -> None:
    store = MemoryStore()
    async with Watch(store).running() as watch:
        await watch.listen(70, {"samples/a": [], "elsewhere": ["x"]})
        (incident,) = await watch.incidents()

    assert incident.breakdowns == (("subscription", "$share/g/edge/+"),)


async def test_an_outage_of_the_broker_is_one_incident_and_no_silence() -> None:
    store = MemoryStore()
    async with Watch(store).running() as watch:
        await watch.listen(700, {"samples/a": ["one"], "edge/x": []})
        watch.vitals = Vitals(away={"mqtt://broker": "refused"})
        await watch.clock.advance(600)

        assert [one.rule for one in await watch.incidents()] == ["playwatch/broker"]


async def test_a_restart_forgets_neither_what_is_usual_nor_what_is_open() -> None:
    store = MemoryStore()
    async with Watch(store).running() as watch:
        await watch.listen(700, {"samples/a": ["one", "two"], "edge/x": []})
        await watch.listen(80, {"samples/a": ["two"], "edge/x": []})
        await store.save_snapshot(watch.watch.parts(), watch.clock.wall_ms())

    async with Watch(store).running() as watch:
        await watch.listen(130, {"samples/a": [], "edge/x": []})
        named = [dict(one.breakdowns)["source"] for one in await watch.incidents()]
        assert sorted(named) == ["one", "two"]

        await watch.listen(80, {"samples/a": ["one", "two"], "edge/x": []})
        assert not any(one.is_open for one in await watch.incidents())


async def test_without_a_snapshot_a_silent_source_stays_silent_until_it_speaks() -> None:
    store = MemoryStore()
    async with Watch(store).running() as watch:
        await watch.listen(700, {"samples/a": ["one", "two"], "edge/x": []})
        await watch.listen(80, {"samples/a": ["two"], "edge/x": []})

    async with Watch(store).running() as watch:
        await watch.listen(200, {"samples/a": [], "edge/x": []})
        assert [one.is_open for one in await watch.incidents()] == [True]

        await watch.listen(80, {"samples/a": ["one"], "edge/x": []})
        assert [one.is_open for one in await watch.incidents()] == [False]


async def test_a_snapshot_that_cannot_be_read_is_learned_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    await store.save_snapshot({PART: b"?"}, 0)
    async with Watch(store).running():
        assert "learned anew" in caplog.text


async def test_a_store_that_refused_is_told_of_once_it_heals() -> None:
    store = SickStore()
    async with Watch(store, Subscription("samples/#")).running() as watch:
        store.is_sick = True
        watch.vitals = Vitals(can_store=False)
        await watch.clock.advance(30)
        assert await watch.incidents() == []

        store.is_sick = False
        watch.vitals = Vitals()
        await watch.clock.advance(5)
        (incident,) = await watch.incidents()
        assert (incident.rule, incident.is_open) == ("playwatch/store", True)

        await watch.clock.advance(61)
        assert [one.action.value for one in watch.woken] == ["trigger", "resolve"]


async def test_an_edit_ends_what_is_no_longer_watched() -> None:
    store = MemoryStore()
    async with Watch(store, Subscription("samples/#", 10.0)).running() as watch:
        await watch.clock.advance(12)
        assert [one.is_open for one in await watch.incidents()] == [True]

        watch.watch.reconfigure([Subscription("samples/#", "off")], [])
        await watch.clock.advance(62)
        (incident,) = await watch.incidents()
        assert (incident.is_open, incident.reason) == (False, "not expected any more")
        assert [one.action.value for one in watch.woken] == ["trigger", "resolve"]
