"""What an outbox says of a channel that a limit holds back."""

from __future__ import annotations

import pytest

from playwatch.demo.stand_in import StandIn
from playwatch.store.memory import MemoryStore
from playwatch.telemetry import Telemetry
from tests.delivering import Impatient, delivering, message, pagerduty, put, turn
from tests.fakes import HandClock
from tests.kit.stores import an_incident
from tests.waiting import soon


async def test_a_channel_is_held_back_while_its_receiver_wants_fewer_messages() -> None:
    clock, store = HandClock(), MemoryStore()
    async with StandIn() as server:
        channel = pagerduty(server.url, clock)
        server.fail("status", status=429, headers={"Retry-After": "100"}, times=1)
        async with delivering(store, clock, channel) as outbox:
            assert outbox.held_back() == {}
            await put(store, outbox, *(message(an_incident(f"i{n}")) for n in range(3)))
            await soon(
                lambda: outbox.held_back() == {"on-call": "1 delivery waits, the oldest for 0 s"}
            )
            await clock.advance(70)
            assert outbox.held_back() == {"on-call": "1 delivery waits, the oldest for 70 s"}
            assert outbox.complaints() == {}
            await turn(clock, lambda: len(server.open_keys) == 3)
            await soon(lambda: outbox.held_back() == {})


async def test_a_channel_is_held_back_by_its_own_limit() -> None:
    clock, store = HandClock(), MemoryStore()
    async with StandIn() as server:
        channel, limits = pagerduty(server.url, clock), {"on-call": 2}
        async with delivering(
            store, clock, channel, rate_limits=limits, unrolled=["on-call"]
        ) as outbox:
            await put(store, outbox, *(message(an_incident(f"i{n}")) for n in range(5)))
            await soon(
                lambda: outbox.held_back() == {"on-call": "3 deliveries wait, the oldest for 0 s"}
            )
            await clock.advance(50)
            assert outbox.held_back() == {"on-call": "3 deliveries wait, the oldest for 50 s"}
            await turn(clock, lambda: len(server.open_keys) == 5)
            await clock.advance(61)
            assert outbox.held_back() == {}


@pytest.mark.parametrize(
    ("reason", "kind", "how"),
    [
        ("rate_limited", "status", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("server_error", "status", {"status": 503}),
        ("timeout", "hang", {}),
        ("network", "reset", {}),
        ("client_error", "status", {"status": 400, "body": "no", "times": 2}),
        ("misconfigured", "status", {"status": 403}),
    ],
)
async def test_a_failure_is_counted_by_its_reason(
    reason: str, kind: str, how: dict[str, object]
) -> None:
    clock, store, telemetry = HandClock(), MemoryStore(), Telemetry()
    labels = {"channel": "on-call", "reason": reason}
    name = "playwatch_notification_failures_total"
    times = how.get("times", 1)
    async with StandIn() as server:
        server.fail(kind, **how)
        channel = Impatient(server, clock)
        async with delivering(store, clock, channel, telemetry=telemetry) as outbox:
            await put(store, outbox, message(an_incident()))
            await soon(lambda: telemetry.registry.get_sample_value(name, labels) == times)


async def test_what_a_page_went_through_is_in_the_metrics() -> None:
    clock, store, telemetry = HandClock(), MemoryStore(), Telemetry()
    async with StandIn() as server:
        server.fail("status", status=503, times=1)
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, telemetry=telemetry) as outbox:
            await put(store, outbox, message(an_incident()))
            await soon(lambda: server.requests == 1)

            def counted(name: str, **labels: str) -> float | None:
                facts = {"channel": "on-call", **labels}
                return telemetry.registry.get_sample_value(f"playwatch_{name}", facts)

            await soon(lambda: counted("notifications_total", result="retry") == 1)
            assert counted("deliveries_pending") == 1
            assert counted("deliveries_dead_total") == 0
            await turn(clock, lambda: counted("notifications_total", result="sent") == 1)
            assert counted("deliveries_pending") == 0
            assert counted("delivery_oldest_seconds") == 0
            assert counted("notification_latency_seconds_count") == 1
            assert counted("notification_failures_total", reason="server_error") == 1
            assert counted("channel_misconfigured") == 0
            assert counted("channel_away") == 0
