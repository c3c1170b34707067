"""What reaches the receivers of deliveries, over real sockets and by a hand-turned clock."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import (
    Action,
    DeliveryStatus,
    Misconfigured,
    Rejected,
    Retry,
)
from playwatch.core.rules import AlertType, Severity
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from playwatch.store.memory import MemoryStore
from playwatch.store.sqlite import SqliteStore
from playwatch.telemetry import Telemetry
from tests.brokers import free_port
from tests.delivering import (
    OTHER_KEY,
    Impatient,
    Middling,
    Scripted,
    asleep,
    delivering,
    gaps_s,
    holding,
    message,
    next_moment_s,
    pagerduty,
    put,
    seeded,
    status_of,
    turn,
    until_ended,
)
from tests.fakes import settle
from tests.kit.channels import KEY
from tests.kit.stores import T0, an_incident
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from playwatch.ports import Store
    from tests.fakes import HandClock


async def test_a_resolve_waits_for_its_trigger_that_is_tried_again(
    store: Store, clock: HandClock
) -> None:
    async with StandIn(clock=clock) as server:
        server.fail("status", status=503, times=3, action="trigger")
        incident = an_incident()
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(incident))
            await server.wait_for_events(1)
            await put(store, outbox, message(incident, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 1)

        actions = [entry.action for entry in server.journal]
        assert actions == ["trigger", "trigger", "trigger", "trigger", "resolve"]
        assert server.count("resolve", Effect.DROPPED) == 0
        assert server.open_keys == set()
        assert len(server.pages) == 1


async def test_an_incident_that_ended_before_its_trigger_was_sent_sends_both_in_order(
    store: Store, clock: HandClock
) -> None:
    incident = an_incident()
    await put(store, None, message(incident), message(incident, Action.RESOLVE))

    async with (
        StandIn(clock=clock) as server,
        delivering(store, clock, pagerduty(server.url, clock)),
    ):
        await server.wait_for_events(2)

        assert [entry.action for entry in server.journal] == ["trigger", "resolve"]
        assert server.open_keys == set()


async def test_passing_errors_are_tried_again_with_growing_waits(
    store: Store, clock: HandClock
) -> None:
    async with StandIn(clock=clock) as server:
        for status in (500, 502, 503, 504, 500, 503, 503, 503):
            server.fail("status", status=status)
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, rng=Middling()) as outbox:
            await put(store, outbox, message(an_incident()))
            await turn(clock, lambda: server.triggers)

        assert gaps_s(server) == [0.5, 1, 2, 4, 8, 16, 30, 30]
        assert len(server.pages) == 1


async def test_two_senders_that_failed_together_do_not_come_back_together(
    clock: HandClock,
) -> None:
    async with StandIn(clock=clock) as server:
        server.fail("status", status=500, times=12)
        one, two = MemoryStore(), MemoryStore()
        first = delivering(one, clock, pagerduty(server.url, clock), rng=seeded(1))
        second = delivering(two, clock, pagerduty(server.url, clock), rng=seeded(2))
        async with first as outbox, second as other:
            await put(one, outbox, message(an_incident("one")))
            await put(two, other, message(an_incident("two")))
            await turn(clock, lambda: server.triggers == 2)

        retries = [entry.monotonic_ms for entry in server.journal][2:]
        assert len(set(retries)) == len(retries)
        assert len(server.pages) == 2


async def test_retry_after_holds_the_whole_channel_and_no_other(
    store: Store, clock: HandClock
) -> None:
    async with StandIn(clock=clock) as server:
        limit = {"status": 429, "headers": {"Retry-After": "20"}, "routing_key": KEY[-8:]}
        server.fail("status", **limit)
        channels = (
            pagerduty(server.url, clock),
            pagerduty(server.url, clock, "other", OTHER_KEY),
        )
        one, two = an_incident("one"), an_incident("two")
        async with delivering(store, clock, *channels) as outbox:
            await put(store, outbox, message(one), message(one, channel="other"))
            await server.wait_for_events(2)
            await asleep(clock)
            await put(store, outbox, message(two), message(two, channel="other"))
            await server.wait_for_events(3)
            await settle()  # the lane of the held key has been woken, and sleeps again
            await asleep(clock)
            await clock.advance(19.9)
            await asleep(clock)

            assert server.requests == 3
            assert len(server.opened(OTHER_KEY)) == 2
            assert next_moment_s(clock) == pytest.approx(0.1)
            await clock.advance(0.1)
            await server.wait_for_events(5)

        assert len(server.opened(KEY)) == 2
        assert {entry.monotonic_ms for entry in server.journal} == {0, 20_000}


async def test_an_invalid_event_is_sent_in_its_least_form_and_then_given_up(
    store: Store, clock: HandClock
) -> None:
    bad, good = an_incident("bad"), an_incident("good")
    async with StandIn(clock=clock) as server:
        server.fail("status", status=400, times=None, dedup_key=bad.dedup_key)
        telemetry = Telemetry()
        channel = pagerduty(server.url, clock)
        async with delivering(store, clock, channel, telemetry=telemetry) as outbox:
            await put(store, outbox, message(bad), message(good))
            await until_ended(store, message(bad), message(good))

            assert await status_of(store, message(bad)) is DeliveryStatus.DEAD
            assert await status_of(store, message(good)) is DeliveryStatus.SENT
            assert outbox.complaints() == {}

        refused = [entry for entry in server.journal if entry.dedup_key == bad.dedup_key]
        assert len(refused) == 2
        assert refused[1].size < refused[0].size
        assert server.open_keys == {good.dedup_key}
        result = 'playwatch_notifications_total{channel="on-call",result="rejected"} 2.0'
        assert result in telemetry.exposition().decode()


async def test_a_refused_message_about_the_engine_is_no_cause_of_another(
    store: Store, clock: HandClock
) -> None:
    about_us, page = an_incident("ours", alert_type=AlertType.ENGINE), an_incident("a page")
    telemetry = Telemetry()
    channel = Scripted(*[Rejected("no")] * 4)
    async with delivering(store, clock, channel, telemetry=telemetry) as outbox:
        await put(store, outbox, message(about_us))
        await until_ended(store, message(about_us))
        assert outbox.given_up() == {}
        await put(store, outbox, message(page))
        await until_ended(store, message(page))
        assert outbox.given_up() == {"on-call": 1}
    assert (
        'playwatch_deliveries_dead_total{channel="on-call"} 2.0' in telemetry.exposition().decode()
    )


async def test_the_resolve_of_a_trigger_that_was_given_up_is_sent(
    store: Store, clock: HandClock
) -> None:
    incident = an_incident()
    async with StandIn(clock=clock) as server:
        server.fail("status", status=400, times=None, action="trigger")
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            resolve = message(incident, Action.RESOLVE)
            await put(store, outbox, message(incident), resolve)
            await until_ended(store, resolve)

        assert [entry.action for entry in server.journal] == ["trigger", "trigger", "resolve"]


async def test_a_wrong_key_holds_the_channel_until_the_operator_has_acted(
    store: Store, clock: HandClock
) -> None:
    incidents = [an_incident(f"i{number}") for number in range(5)]
    messages = [
        replace(message(incident), created_at=T0 + number)
        for number, incident in enumerate(incidents)
    ]
    async with StandIn(clock=clock) as server:
        server.fail("status", status=401, times=None, routing_key=KEY[-8:])
        telemetry = Telemetry()
        channels = (
            pagerduty(server.url, clock),
            pagerduty(server.url, clock, "other", OTHER_KEY),
        )
        async with delivering(store, clock, *channels, telemetry=telemetry) as outbox:
            await put(store, outbox, messages[0])
            await soon(outbox.complaints)
            await put(store, outbox, *messages[1:], message(incidents[1], channel="other"))
            await server.wait_for(lambda it: bool(it.open_keys))
            await settle()  # the lane that waits has heard of what came since
            await asleep(clock)
            await clock.advance(59.9)
            await asleep(clock)

            assert "401" in outbox.complaints()["on-call"]
            assert list(outbox.complaints()) == ["on-call"]
            assert server.requests == 2
            gauge = 'playwatch_channel_misconfigured{channel="on-call"} 1.0'
            assert gauge in telemetry.exposition().decode()
            await clock.advance(0.1)
            await server.wait_for_events(3)
            await asleep(clock)
            assert server.requests == 3
            resolve = message(incidents[0], Action.RESOLVE)
            await put(store, outbox, resolve)
            server.faults.clear()
            await turn(clock, lambda: len(server.pages) == 6 and server.resolves)

            assert outbox.complaints() == {}
            assert clock.monotonic_ms() == 120_000
            gauge = 'playwatch_channel_misconfigured{channel="on-call"} 0.0'
            assert gauge in telemetry.exposition().decode()

        mine = [entry for entry in server.journal if entry.key.endswith(KEY[-4:])]
        sent = [entry.dedup_key for entry in mine if entry.status == 202]
        assert set(sent) == {incident.dedup_key for incident in incidents}
        assert len(sent) == 6
        actions = [entry.action for entry in mine if entry.dedup_key == incidents[0].dedup_key]
        assert actions[-1] == "resolve"
        assert server.count("resolve", Effect.DROPPED) == 0


async def test_one_request_asks_whether_the_key_is_right_not_all_that_wait(
    clock: HandClock,
) -> None:
    store = MemoryStore()
    messages = [message(an_incident(f"i{number}")) for number in range(40)]
    async with StandIn(clock=clock) as server:
        server.fail("status", status=403, times=None)
        await put(store, None, *messages)
        async with delivering(store, clock, pagerduty(server.url, clock)):
            await asleep(clock)
            first = server.requests
            for minute in range(1, 4):
                await clock.advance(60)
                await server.wait_for_events(first + minute)
                await asleep(clock)

            assert server.requests == first + 3
            server.faults.clear()
            await turn(clock, lambda: len(server.pages) == 40)


@pytest.mark.parametrize(
    "kind", ["reset", "accept_then_reset", "garbage", "hang", "accept_then_hang", "slow_headers"]
)
async def test_a_broken_connection_loses_nothing_and_opens_nothing_twice(
    store: Store, clock: HandClock, kind: str
) -> None:
    incident = an_incident()
    async with StandIn(clock=clock) as server:
        server.fail(kind)
        async with delivering(store, clock, Impatient(server, clock)) as outbox:
            await put(store, outbox, message(incident), message(incident, Action.RESOLVE))
            await turn(clock, lambda: server.resolves)

        first, second, last = server.journal
        assert (first.action, second.action, last.action) == ("trigger", "trigger", "resolve")
        assert (first.event, first.size) == (second.event, second.size)
        assert len(server.pages) == 1
        assert server.open_keys == set()


async def test_a_receiver_that_is_away_is_tried_until_it_is_back(
    store: Store, clock: HandClock
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/v2/enqueue"
    async with delivering(store, clock, pagerduty(url, clock)) as outbox:
        await put(store, outbox, message(an_incident()))
        await turn(clock, lambda: clock.monotonic_ms() > 600_000)
        async with StandIn(port=port, clock=clock) as server:
            await turn(clock, lambda: server.triggers)

            assert len(server.pages) == 1
            assert clock.monotonic_ms() < 720_000


async def test_a_channel_that_raises_is_contained_and_tried_again(
    store: Store, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    channel = Scripted(ValueError("a mistake"), TimeoutError(), KeyError("key"))
    healthy = Scripted(name="other")
    incident = an_incident()
    async with delivering(store, clock, channel, healthy) as outbox:
        await put(store, outbox, message(incident), message(incident, channel="other"))
        await turn(clock, lambda: len(channel.sent) == 4)
        await until_ended(store, message(incident), message(incident, channel="other"))

        assert await status_of(store, message(incident)) is DeliveryStatus.SENT
        assert healthy.sent == [message(incident, channel="other").id]
    assert "failed on" in caplog.text


async def test_a_long_outage_is_told_at_each_doubling_of_the_attempts(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "playwatch.delivery")
    store = MemoryStore()
    channel = Scripted(*[Retry("no connection")] * 40)
    async with delivering(store, clock, channel) as outbox:
        await put(store, outbox, message(an_incident()))
        await turn(clock, lambda: len(channel.sent) == 41)

    first = "trigger of incident a to on-call failed, next try in "
    told = [one for one in caplog.messages if one.startswith(first)]
    assert len(told) == 6
    assert told[0].endswith(" s: no connection")
    others = [one for one in caplog.messages if one not in told]
    assert others == [
        "channel on-call: its receiver is away, asked now and then: no connection",
        "channel on-call: its receiver answers again",
    ]


async def test_an_accepted_or_refused_message_ends_the_complaint(clock: HandClock) -> None:
    store = MemoryStore()
    channel = Scripted(Misconfigured("wrong key"), Rejected("bad event"))
    async with delivering(store, clock, channel) as outbox:
        await put(store, outbox, message(an_incident()))
        await soon(outbox.complaints)
        await turn(clock, lambda: len(channel.sent) >= 2)
        await soon(lambda: not outbox.complaints())


async def test_a_storm_past_the_receivers_rate_limit_is_delivered_the_gravest_first(
    clock: HandClock,
) -> None:
    store = MemoryStore()
    severities = [Severity.WARNING, Severity.CRITICAL]
    incidents = [
        an_incident(f"i{number}", severity=severities[number % 2]) for number in range(300)
    ]
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, *(message(one) for one in incidents))
            await turn(clock, lambda: len(server.pages) == 300)
            await soon(lambda: outbox.can_store)

        accepted = [entry for entry in server.journal if entry.status == 202]
        assert len(accepted) == server.count("trigger", Effect.OPENED) == 300
        gravest = {one.dedup_key for one in incidents if one.severity is Severity.CRITICAL}
        assert {entry.dedup_key for entry in accepted[:120]} <= gravest
        assert server.requests - 300 < 32 * clock.monotonic_ms() / 15_000


async def test_a_message_for_a_channel_that_is_gone_stays_and_disturbs_nobody(
    store: Store, clock: HandClock
) -> None:
    incident = an_incident()
    gone = message(incident, channel="gone")
    channel = Scripted()
    async with delivering(store, clock, channel) as outbox:
        await put(store, outbox, gone, message(incident))
        await until_ended(store, message(incident))
        await clock.advance(3600)

        assert await status_of(store, gone) is DeliveryStatus.PENDING
        assert channel.sent == [message(incident).id]

    back = Scripted(name="gone")
    async with delivering(store, clock, back):
        await until_ended(store, gone)
    assert back.sent == [gone.id]


async def test_a_channel_that_hangs_does_not_delay_another(store: Store, clock: HandClock) -> None:
    incidents = [an_incident(f"i{number}") for number in range(50)]
    async with holding() as (url, arrived, release), StandIn(clock=clock) as server:
        slow = pagerduty(url, clock, "slow")
        async with delivering(store, clock, slow, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, *(message(one, channel="slow") for one in incidents))
            await arrived.wait()
            await put(store, outbox, *(message(one) for one in incidents))
            await server.wait_for(lambda it: len(it.pages) == 50)
            release.set()


async def test_the_gravest_goes_first(store: Store, clock: HandClock) -> None:
    severities = [Severity.INFO, Severity.CRITICAL, Severity.WARNING, Severity.ERROR]
    incidents = [an_incident(one.word, severity=one) for one in severities]
    channel = Scripted()
    await put(store, None, *(message(one) for one in incidents))

    async with delivering(store, clock, channel):
        await soon(lambda: len(channel.sent) == 4)

    order = [name.partition("/")[0] for name in channel.sent]
    assert order == ["critical", "error", "warning", "info"]


async def test_each_attempt_is_recorded_with_what_was_said(store: Store, clock: HandClock) -> None:
    delivery = message(an_incident())
    channel = Scripted(Retry("no connection"), name="on-call")
    async with delivering(store, clock, channel) as outbox:
        await put(store, outbox, delivery)
        await turn(clock, lambda: len(channel.sent) == 2)
        await until_ended(store, delivery)

    story = await store.incident(delivery.incident_id)
    assert story is not None
    told = [(one.outcome, one.detail, one.delivery.attempts) for one in story.attempts]
    assert told == [("retry", "no connection", 1), ("sent", "ok", 2)]
    assert story.attempts[0].at == T0


async def test_a_storm_is_delivered_exactly_once_and_in_order(
    tmp_path: Path, clock: HandClock, record_property: Callable[[str, object], None]
) -> None:
    incidents = [an_incident(f"i{number}") for number in range(1_000)]
    async with StandIn(rate_limit=None, clock=clock) as server:
        store = await SqliteStore.open(tmp_path / "playwatch.db")
        channel = pagerduty(server.url, clock)
        try:
            await put(store, None, *(message(one) for one in incidents))
            await put(store, None, *(message(one, Action.RESOLVE) for one in incidents[:500]))
            began = time.process_time()
            async with delivering(store, clock, channel):
                async with asyncio.timeout(PATIENCE_S):
                    await server.wait_for_events(1_500)
            cpu_ms = (time.process_time() - began) * 1000 / 1_500
        finally:
            await store.close()
        record_property("cpu_ms_per_delivery", round(cpu_ms, 3))
        print(f"{cpu_ms:.2f} ms of CPU a delivery, receiver included")  # noqa: T201 - a number to watch

        assert server.requests == 1_500
        assert server.count("trigger", Effect.OPENED) == 1_000
        assert server.count("resolve", Effect.RESOLVED) == 500
        assert _is_in_order([(entry.dedup_key, entry.action) for entry in server.journal])
        assert len(server.open_keys) == 500


def _is_in_order(events: Sequence[tuple[str, str]]) -> bool:
    """Return whether no resolve came before its trigger."""
    triggered: set[str] = set()
    for key, action in events:
        if action == "trigger":
            triggered.add(key)
        elif key not in triggered:
            return False
    return True
