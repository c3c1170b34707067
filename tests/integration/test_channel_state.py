"""What an outbox says of a channel that a limit holds back."""

from __future__ import annotations

from playwatch.demo.stand_in import StandIn
from playwatch.store.memory import MemoryStore
from playwatch.telemetry import Telemetry
from tests.delivering import delivering, message, pagerduty, put, soon, turn
from tests.fakes import HandClock
from tests.kit.stores import an_incident


async def test_a_channel_is_held_back_while_its_receiver_wants_fewer_messages() -> None:
    clock, store = HandClock(), MemoryStore()
    async with StandIn() as server:
        channel = pagerduty(server.url, clock)
        server.fail("status", status=429, headers={"Retry-After": "100"}, times=1)
        async with delivering(store, clock, channel) as outbox:
            assert outbox.held_back() == {}
            await put(store, outbox, *(message(an_incident(f"i{n}")) for n in range(3)))
            await soon(lambda: server.requests == 3)
            await clock.advance(70)
            assert outbox.held_back() == {"on-call": "1 delivery waits, the oldest for 70 s"}
            assert outbox.complaints() == {}
            await turn(clock, lambda: len(server.open_keys) == 3)
            await soon(lambda: outbox.held_back() == {})


async def test_a_channel_is_held_back_by_its_own_limit() -> None:
    clock, store, telemetry = HandClock(), MemoryStore(), Telemetry()
    async with StandIn() as server:
        channel = pagerduty(server.url, clock)
        limits = {"on-call": 2}
        async with delivering(
            store, clock, channel, telemetry=telemetry, rate_limits=limits
        ) as outbox:
            await put(store, outbox, *(message(an_incident(f"i{n}")) for n in range(5)))
            await soon(lambda: server.requests == 2)
            await clock.advance(50)
            assert outbox.held_back() == {"on-call": "3 deliveries wait, the oldest for 50 s"}
            await turn(clock, lambda: len(server.open_keys) == 5)
            await clock.advance(61)
            assert outbox.held_back() == {}
