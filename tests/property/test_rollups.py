"""Whatever opens, rises, ends and crashes: a receiver knows of all that is open."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.deliveries import Action, Changes, Retry, Sent
from playwatch.core.incidents import Status
from playwatch.core.rollups import member_of, word
from playwatch.core.routing import Route, Told
from playwatch.core.rules import Severity
from playwatch.runtime.outbox import Outbox
from playwatch.store.memory import MemoryStore
from playwatch.telemetry import Telemetry
from tests.delivering import next_moment_s
from tests.fakes import HandClock, settle
from tests.kit.stores import an_incident

if TYPE_CHECKING:
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.core.incidents import Incident

LIMIT = 8
ROUTES = [Route("on-call", "")]
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(1, 40)),
        st.tuples(st.just("rise"), st.integers(0, 100)),
        st.tuples(st.just("resolve"), st.integers(1, 30)),
        st.tuples(st.just("wait"), st.integers(1, 90)),
        st.tuples(st.just("crash"), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)


class Receiver:
    """Opens and ends by dedup key as PagerDuty does; loses an answer now and then."""

    name = "on-call"
    key_fingerprint = ""

    def __init__(self, rng: random.Random) -> None:
        self.open: set[str] = set()
        self.ended: set[str] = set()
        self._rng = rng

    async def send(self, delivery: Delivery) -> Attempt:
        await asyncio.sleep(0)
        luck = self._rng.random()
        if luck < 0.05:
            return Retry("away")
        if delivery.action is Action.TRIGGER:
            assert delivery.dedup_key not in self.ended
            self.open.add(delivery.dedup_key)
        else:
            self.open.discard(delivery.dedup_key)
            self.ended.add(delivery.dedup_key)
        return Retry("no answer", is_ambiguous=True) if luck < 0.1 else Sent()

    async def close(self) -> None:
        pass


class _Crash(Exception):  # noqa: N818 - what ends a process is no error of ours
    pass


class World:
    """Incidents as they are, and an engine that tells a receiver of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a story, no secret
        self.clock = HandClock()
        self.store = MemoryStore()
        self.receiver = Receiver(self.rng)
        self.told: dict[str, Told] = {}
        self.open: dict[str, Incident] = {}
        self.outbox: Outbox | None = None

    async def play(self, ops: list[tuple[str, int]]) -> None:
        left = list(ops)
        while left:
            try:
                await self._live(left)
            except* _Crash:
                pass
        await self._live([], is_last=True)

    async def _live(self, left: list[tuple[str, int]], *, is_last: bool = False) -> None:
        limits = {"on-call": LIMIT}
        surroundings = (self.store, self.clock, Telemetry(), self.rng)
        outbox = self.outbox = Outbox([self.receiver], *surroundings, rate_limits=limits)
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            while left:
                await self._happen(*left.pop(0))
                await settle(self.rng.randint(0, 200))
            while is_last and await self.store.pending("on-call"):
                await settle(50)
                await self.clock.advance(next_moment_s(self.clock) or 0.0)
            await settle(300)
            await outbox.stop(0.0)

    async def _happen(self, what: str, number: int) -> None:
        rng = self.rng
        if what == "crash":
            raise _Crash
        if what == "wait":
            await self.clock.advance(number)
        if what == "open":
            for _ in range(number):
                severity = rng.choice((Severity.WARNING, Severity.CRITICAL))
                await self._trigger(an_incident(f"i{len(self.told)}", severity=severity))
        if what == "rise" and self.open:
            one = list(self.open.values())[number % len(self.open)]
            if one.severity is Severity.WARNING:
                await self._trigger(replace(one, severity=Severity.CRITICAL))
        if what == "resolve":
            for name in rng.sample(sorted(self.open), min(number, len(self.open))):
                incident = replace(self.open.pop(name), status=Status.CLOSED)
                await self._put(incident, self.told[name].resolves(incident, self.clock.wall_ms()))

    async def _trigger(self, incident: Incident) -> None:
        self.open[incident.id] = incident
        told = self.told.setdefault(incident.id, Told())
        await self._put(incident, told.triggers(incident, ROUTES, self.clock.wall_ms()))

    async def _put(self, incident: Incident, deliveries: list[Delivery]) -> None:
        await self.store.commit(Changes([incident], deliveries))
        assert self.outbox is not None
        self.outbox.wake(deliveries)


@settings(max_examples=60, deadline=None)
@given(OPS, st.integers(0, 2**32))
def test_every_open_incident_is_known_on_its_own_or_in_an_open_rollup(
    ops: list[tuple[str, int]], seed: int
) -> None:
    world = World(seed)

    async def judged() -> None:
        await world.play(ops)
        members: dict[str, set[str]] = {}
        for decision in await world.store.decided(word("on-call")):
            one = member_of(decision)
            members.setdefault(f"playwatch/{one.rollup_id}", set()).add(one.incident_id)
        alone = {name for name in world.open if f"playwatch/{name}" in world.receiver.open}
        rollups = {key for key in world.receiver.open if key.startswith("playwatch/rollup-")}
        known = alone.union(*(members.get(key, set()) for key in rollups))
        # Nothing is open there that is over, and nothing is unknown there that is open.
        assert world.receiver.open - rollups == {f"playwatch/{name}" for name in alone}
        assert set(world.open) <= known
        for key in rollups:
            assert members[key] & set(world.open) - alone

    asyncio.run(judged())
