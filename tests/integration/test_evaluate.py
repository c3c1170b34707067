"""What the evaluating loop stores, acknowledges and tells, on real stores."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.codecs import CODECS
from playwatch.codecs.packed_writer import encode
from playwatch.core.deliveries import Action, Changes
from playwatch.core.incidents import Status
from playwatch.core.intake import Intake
from playwatch.core.listings import IncidentQuery
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.routing import Route
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.errors import StoreError
from playwatch.ports import Arrivals, Message
from playwatch.runtime.evaluate import PORTION_BYTES, Evaluator
from playwatch.runtime.health import EngineHealth
from playwatch.runtime.outbox import Outbox
from playwatch.runtime.refused import RefusalLog
from playwatch.store.memory import MemoryStore
from playwatch.telemetry import Telemetry
from tests.fakes import HandClock, settle
from tests.stage import FAILURES, ONCALL, a_rule
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.rules import Rule
    from playwatch.ports import Store

TOPIC = "playwatch/samples/site"
RULE = a_rule(by=("country",))


class Feed:
    """A source that brings what a test puts in."""

    name = "feed"
    is_subscribed = True
    trouble = ""

    def __init__(self) -> None:
        self._reads: asyncio.Queue[Arrivals] = asyncio.Queue()
        self.put_in = 0
        self.acknowledged = 0

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def read(self) -> Arrivals:
        return await self._reads.get()

    def bring(self, *payloads: bytes, codec: str = "native", since_ms: int | None = None) -> None:
        """Let one read bring these messages."""
        self.put_in += 1
        messages = [Message(TOPIC, payload, codec) for payload in payloads]
        self._reads.put_nowait(Arrivals(messages, self._acknowledge, since_ms))

    def _acknowledge(self) -> None:
        self.acknowledged += 1

    async def done(self) -> None:
        """Wait until every read has had its effect."""
        await soon(lambda: self.acknowledged == self.put_in)


class Setting:
    """An evaluator with what it works on."""

    def __init__(
        self,
        store: Store,
        clock: HandClock,
        *rules: Rule,
        routes: tuple[Route, ...] = (ONCALL,),
        installation: str = "here",
    ) -> None:
        self.clock = clock
        self.store = store
        self.feed = Feed()
        self.telemetry = Telemetry()
        self.woken: list[Delivery] = []
        catalogue, series, sequences = Catalogue(), SeriesTable(), SequenceTracker()
        self.evaluator = Evaluator(
            Pipeline(catalogue, series, rules or (RULE,), routes, installation),
            Intake(catalogue, series, sequences, max_bytes=1_000),
            sequences,
            catalogue,
            store,
            clock,
            self.telemetry,
            RefusalLog(),
            lambda deliveries, _: self.woken.extend(deliveries),
        )
        outbox = Outbox([], store, clock, self.telemetry, random.Random(1))  # noqa: S311 - jitter
        self.health = EngineHealth([self.feed], self.evaluator, outbox)

    def metric(self, line: str) -> bool:
        """Return whether a line is among the engine's metrics."""
        return line in self.telemetry.exposition().decode().splitlines()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Recover, then evaluate while the context lasts; end like a crash."""
        await self.evaluator.recover()
        loops = [
            asyncio.create_task(self.evaluator.follow(self.feed)),
            asyncio.create_task(self.evaluator.tick()),
            asyncio.create_task(self.evaluator.keep_snapshots()),
        ]
        await settle()
        try:
            yield
            assert not [loop for loop in loops if loop.done()]
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


def sample(value: float, country: str = "SE", **fields: object) -> bytes:
    facts = {"metric": FAILURES, "value": value, "views": 100, "dimensions": {"country": country}}
    return json.dumps({**facts, **fields}).encode()


async def pass_by(setting: Setting, seconds: int) -> None:
    """Let seconds pass, with the tick of each."""
    for _ in range(seconds):
        await setting.clock.advance(1)
        async with setting.evaluator.paused():
            pass


async def incidents_in(store: Store) -> list[Incident]:
    return await store.incidents(IncidentQuery())


async def pages_in(store: Store, action: Action) -> list[Delivery]:
    """Return every delivery of a kind in the store."""
    found = []
    for incident in await incidents_in(store):
        story = await store.incident(incident.id)
        assert story is not None
        found += [one for one in story.deliveries if one.action is action]
    return found


class Gate(MemoryStore):
    """Holds each commit until it is opened; what waits at it when it goes is lost."""

    def __init__(self) -> None:
        super().__init__("here")
        self.open = asyncio.Event()
        self.asked: list[Changes] = []

    async def commit(self, changes: Changes) -> bool:
        self.asked.append(changes)
        await self.open.wait()
        return await super().commit(changes)


class Sick(MemoryStore):
    """Refuses the first commits and snapshots."""

    def __init__(self, *, commits: int = 0, snapshots: int = 0) -> None:
        super().__init__("here")
        self.commits = commits
        self.snapshots = snapshots

    async def commit(self, changes: Changes) -> bool:
        if self.commits > 0:
            self.commits -= 1
            reason = "the disk is full"
            raise StoreError(reason)
        return await super().commit(changes)

    async def save_snapshot(self, parts: dict[str, bytes], taken_at: int) -> None:
        if self.snapshots > 0:
            self.snapshots -= 1
            reason = "the disk is full"
            raise StoreError(reason)
        await super().save_snapshot(parts, taken_at)


async def test_a_breach_is_stored_with_its_page_and_the_outbox_is_woken(
    store: Store, clock: HandClock
) -> None:
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()

        (incident,) = await incidents_in(store)
        (page,) = await pages_in(store, Action.TRIGGER)
        assert incident.is_open
        assert incident.breakdowns == (("country", "SE"),)
        assert setting.woken == [page]
        assert setting.metric('playwatch_incidents_open{type="threshold"} 1.0')
        assert setting.metric('playwatch_incidents_opened_total{type="threshold"} 1.0')


async def test_a_message_is_acknowledged_only_when_what_it_caused_is_stored(
    clock: HandClock,
) -> None:
    store = Gate()
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(1.0))
        await setting.feed.done()
        assert store.asked == []

        setting.feed.bring(sample(9.0, "DE"))
        setting.feed.bring(sample(1.0, "FR"))
        await soon(lambda: store.asked)
        await clock.advance(10)

        assert setting.feed.acknowledged == 1
        assert setting.woken == []
        store.open.set()
        await setting.feed.done()
        assert len(setting.woken) == 1


async def test_a_store_that_fails_for_a_while_loses_nothing(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "playwatch.evaluate")
    store = Sick(commits=3)
    setting = Setting(store, clock)
    async with setting.running():
        assert setting.health.complaints() == []
        for country in ("SE", "DE", "FR"):
            setting.feed.bring(sample(9.0, country))
        await soon(lambda: not setting.evaluator.can_store)

        for _ in range(2):
            await clock.advance(1)
            assert setting.feed.acknowledged == 0
            assert setting.health.complaints() == ["the store takes no commits"]
        await clock.advance(1)
        await setting.feed.done()

        assert setting.health.complaints() == []
        assert len(await incidents_in(store)) == 3
        assert len(await pages_in(store, Action.TRIGGER)) == 3
        assert setting.metric('playwatch_samples_received_total{codec="native"} 3.0')
    said = [one.getMessage() for one in caplog.records if "commit" in one.getMessage()]
    assert said == [
        "cannot commit, evaluation waits: the disk is full",
        "the store takes commits again",
    ]


async def test_every_decoded_sample_is_counted_once_and_every_refusal_by_its_reason(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "playwatch.refused")
    setting = Setting(MemoryStore("here"), clock)
    old = clock.wall_ms() - 2 * 3_600_000
    async with setting.running():
        for number in range(200):
            setting.feed.bring(
                sample(1.0, source="encoder", seq=number),
                sample(1.0, source="encoder", seq=number),
                sample(101.0),
                sample(1.0, at=old),
                sample(1.0, metric="no_such_metric"),
                b"[%s,%s]" % (sample(1.0), sample(2.0)),
                b"not JSON",
            )
        await setting.feed.done()

    assert setting.metric('playwatch_samples_received_total{codec="native"} 1400.0')
    for reason in ("out_of_range", "ancient", "unknown_metric", "malformed"):
        assert setting.metric(f'playwatch_samples_rejected_total{{reason="{reason}"}} 200.0')
    assert setting.metric("playwatch_samples_repeated_total 200.0")
    assert len(caplog.records) == 4 * 5


async def test_what_no_codec_should_raise_costs_one_message_and_not_the_engine(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(payload: bytes, intake: Intake) -> None:
        del intake
        raise ZeroDivisionError(payload)

    # A mistake that no codec of ours has; a new one may.
    monkeypatch.setitem(CODECS, "broken", broken)
    setting = Setting(MemoryStore("here"), clock)
    async with setting.running():
        setting.feed.bring(b"anything", codec="broken")
        setting.feed.bring(sample(9.0))
        await setting.feed.done()

        assert len(setting.woken) == 1
        assert setting.metric('playwatch_samples_rejected_total{reason="malformed"} 1.0')
    assert "codec broken failed" in caplog.text


async def test_a_message_of_more_bytes_than_configured_is_refused_unread(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    setting = Setting(MemoryStore("here"), clock)
    async with setting.running():
        setting.feed.bring(sample(9.0).ljust(1_001), sample(9.0, "DE").ljust(1_000))
        await setting.feed.done()

        assert [one.incident.breakdowns for one in setting.woken] == [(("country", "DE"),)]
        assert setting.metric('playwatch_samples_rejected_total{reason="too_large"} 1.0')
    assert "1001 bytes, at most 1000 are read" in caplog.text


async def test_a_tick_each_second_lets_for_and_resolve_for_elapse(
    store: Store, clock: HandClock
) -> None:
    setting = Setting(store, clock, a_rule(for_s=10, resolve_for_s=5, window_s=120))
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()
        await pass_by(setting, 9)
        assert await incidents_in(store) == []
        await pass_by(setting, 1)
        (incident,) = await incidents_in(store)
        assert incident.opened_at - incident.started_at == 10_000

        setting.feed.bring(sample(0.0, views=100_000))
        await setting.feed.done()
        await pass_by(setting, 4)
        assert await pages_in(store, Action.RESOLVE) == []
        await pass_by(setting, 2)

        (resolve,) = await pages_in(store, Action.RESOLVE)
        assert resolve.dedup_key == incident.dedup_key
        assert setting.metric('playwatch_incidents_open{type="threshold"} 0.0')


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_a_wall_clock_that_steps_neither_opens_nor_delays(
    clock: HandClock, step_s: float
) -> None:
    store = MemoryStore("here")
    setting = Setting(store, clock, a_rule(for_s=10, window_s=120))
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()
        await pass_by(setting, 5)
        clock.step_wall(step_s)
        await pass_by(setting, 4)
        assert await incidents_in(store) == []
        await pass_by(setting, 1)

        assert len(await incidents_in(store)) == 1


async def test_an_opening_computed_again_after_a_crash_is_the_same_incident(
    clock: HandClock,
) -> None:
    measured_at = clock.wall_ms()
    lost = Gate()
    setting = Setting(lost, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0, at=measured_at))
        await soon(lambda: lost.asked)
    assert setting.feed.acknowledged == 0
    (never_stored,) = lost.asked[0].incidents

    await clock.advance(5)
    store = MemoryStore("here")
    again = Setting(store, clock)
    async with again.running():
        again.feed.bring(sample(9.0, at=measured_at))
        await again.feed.done()

    (incident,) = await incidents_in(store)
    assert incident.id == never_stored.id
    assert len(await pages_in(store, Action.TRIGGER)) == 1


async def test_a_message_that_comes_again_after_its_commit_pages_nobody_again(
    store: Store, clock: HandClock
) -> None:
    measured_at = clock.wall_ms()
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0, at=measured_at))
        await setting.feed.done()

    again = Setting(store, clock)
    async with again.running():
        again.feed.bring(sample(9.0, at=measured_at))
        await again.feed.done()

    assert again.woken == []
    assert len(await incidents_in(store)) == 1
    assert len(await pages_in(store, Action.TRIGGER)) == 1


async def test_a_restart_with_an_open_incident_sends_nothing_and_counts_it(
    store: Store, clock: HandClock
) -> None:
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()
        await setting.evaluator.snapshot()

    await clock.advance(30)
    again = Setting(store, clock)
    async with again.running():
        await pass_by(again, 5)

        assert again.woken == []
        assert again.metric('playwatch_incidents_open{type="threshold"} 1.0')
        assert len(await store.open_incidents()) == 1


async def test_a_first_start_counts_no_open_incident(clock: HandClock) -> None:
    setting = Setting(MemoryStore(), clock)
    async with setting.running():
        assert setting.metric('playwatch_incidents_open{type="threshold"} 0.0')


@pytest.mark.parametrize("has_snapshot", [True, False])
async def test_an_end_missed_while_down_is_sent(
    store: Store, clock: HandClock, *, has_snapshot: bool
) -> None:
    setting = Setting(store, clock)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()
        if has_snapshot:
            await setting.evaluator.snapshot()
    (page,) = setting.woken

    await clock.advance(600)
    again = Setting(store, clock)
    async with again.running():
        for _ in range(8):
            again.feed.bring(sample(1.0))
            await again.feed.done()
            await pass_by(again, 10)

        (resolve,) = again.woken
        assert resolve.action is Action.RESOLVE
        assert resolve.dedup_key == page.dedup_key
        assert await store.open_incidents() == []


async def test_what_was_pending_at_a_snapshot_goes_on_after_a_restart(
    store: Store, clock: HandClock
) -> None:
    rule = a_rule(for_s=60, window_s=300)
    setting = Setting(store, clock, rule)
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()
        began_at = clock.wall_ms()
        await clock.advance(30)
        await soon_stored(store)

    again = Setting(store, clock, rule)
    async with again.running():
        again.feed.bring(sample(9.0))
        await again.feed.done()
        await pass_by(again, 31)

    (incident,) = await incidents_in(store)
    assert incident.started_at == began_at


async def test_keys_announced_before_a_snapshot_are_known_after_a_restart(
    store: Store, clock: HandClock
) -> None:
    setting = Setting(store, clock)
    keys = [(FAILURES, {"country": "SE"})]
    async with setting.running():
        setting.feed.bring(encode(keys, source="edge", table="t"), codec="packed")
        await setting.feed.done()
        await clock.advance(30)
        await soon_stored(store)

    again = Setting(store, clock)
    async with again.running():
        payload = encode(None, np.array([9.0]), views=100, source="edge", table="t")
        again.feed.bring(payload, codec="packed")
        await again.feed.done()

    (incident,) = await incidents_in(store)
    assert dict(incident.breakdowns) == {"country": "SE"}


def test_a_read_is_split_by_bytes_and_acknowledged_at_its_end() -> None:
    acknowledged: list[int] = []
    messages = [Message(TOPIC, b"x" * size, "native") for size in (4, 1, 2, 9, 1)]
    portions = list(Arrivals(messages, lambda: acknowledged.append(1)).portions(5, 9))

    assert [[len(one.payload) for one in each.messages] for each in portions] == [
        [4, 1],
        [2, 9],
        [1],
    ]
    for each in portions[:-1]:
        each.acknowledge()
    assert acknowledged == []
    portions[-1].acknowledge()
    assert acknowledged == [1]


def test_a_large_message_ends_its_part_of_a_read() -> None:
    messages = [Message(TOPIC, b"x" * size, "native") for size in (1, 3, 3, 1, 1)]
    portions = list(Arrivals(messages, lambda: None).portions(100, 3))

    assert [[len(one.payload) for one in each.messages] for each in portions] == [
        [1, 3],
        [3],
        [1, 1],
    ]


@pytest.mark.parametrize("sizes", [(), (1,), (9,), (9, 9), (5, 0)])
def test_no_message_of_a_split_read_is_left_out(sizes: tuple[int, ...]) -> None:
    messages = [Message(TOPIC, b"x" * size, "native") for size in sizes]
    portions = list(Arrivals(messages, lambda: None).portions(5, 7))

    assert [one for each in portions for one in each.messages] == messages
    assert len([each for each in portions if not each.messages]) == (not sizes)


async def test_a_read_of_many_bytes_is_evaluated_to_its_end(store: Store, clock: HandClock) -> None:
    setting = Setting(store, clock)
    async with setting.running():
        filler = b"[" + b" " * 900 + b"]"
        count = PORTION_BYTES // len(filler) + 10
        setting.feed.bring(sample(9.0), *[filler] * count, sample(9.0, "NO"))
        await setting.feed.done()

    assert len(await incidents_in(store)) == 2


async def soon_stored(store: Store) -> None:
    """Wait until a snapshot is stored."""
    async with asyncio.timeout(PATIENCE_S):
        while await store.load_snapshot() is None:  # noqa: ASYNC110 - a thread brings it
            await asyncio.sleep(0.001)


async def test_a_snapshot_that_cannot_be_saved_is_told_and_tried_at_the_next_turn(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Sick(snapshots=1)
    setting = Setting(store, clock)
    async with setting.running():
        await clock.advance(30)
        await soon(lambda: "cannot save a snapshot: the disk is full" in caplog.text)
        await settle()
        await clock.advance(30)
        await soon_stored(store)

        store.snapshots = 1
        with pytest.raises(StoreError):
            await setting.evaluator.snapshot()


async def test_a_removed_rule_closes_its_incident_at_those_who_were_told(
    store: Store, clock: HandClock
) -> None:
    setting = Setting(store, clock, routes=(Route("oncall", "old-key"),))
    async with setting.running():
        setting.feed.bring(sample(9.0))
        await setting.feed.done()

    other = a_rule(name="another")
    again = Setting(store, clock, other, routes=(Route("oncall", "new-key"), Route("log", "")))
    async with again.running():
        (incident,) = await incidents_in(store)
        (resolve,) = await pages_in(store, Action.RESOLVE)

        assert (incident.status, incident.reason) == (Status.CLOSED, "rule removed")
        assert (resolve.channel, resolve.key_fingerprint) == ("oncall", "old-key")
        assert again.woken == [resolve]
        assert again.metric('playwatch_incidents_open{type="threshold"} 0.0')

    third = Setting(store, clock, other)
    async with third.running():
        assert third.woken == []


async def test_nothing_is_evaluated_while_paused(clock: HandClock) -> None:
    setting = Setting(MemoryStore("here"), clock)
    async with setting.running():
        async with setting.evaluator.paused():
            setting.feed.bring(sample(9.0))
            await clock.advance(10)
            assert setting.feed.acknowledged == 0
        await setting.feed.done()


async def test_a_stop_between_reading_and_evaluating_acknowledges_nothing(
    clock: HandClock,
) -> None:
    setting = Setting(MemoryStore("here"), clock)
    await setting.evaluator.recover()
    following = asyncio.create_task(setting.evaluator.follow(setting.feed))
    async with setting.evaluator.paused():
        setting.feed.bring(sample(9.0))
        await settle()
        following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert setting.feed.acknowledged == 0
    assert setting.woken == []


def _ids(incidents: Iterable[Incident]) -> set[str]:
    return {incident.id for incident in incidents}


async def test_a_flood_of_reads_stores_each_incident_once(store: Store, clock: HandClock) -> None:
    setting = Setting(store, clock)
    async with setting.running():
        for number in range(300):
            setting.feed.bring(*(sample(9.0, f"C{number % 50}") for _ in range(4)))
        await setting.feed.done()

        incidents = await incidents_in(store)
        assert len(incidents) == len(_ids(incidents)) == 50
        assert len(setting.woken) == 50
        assert setting.metric('playwatch_samples_received_total{codec="native"} 1200.0')


async def test_the_lag_is_counted_from_the_arrival_however_long_a_read_waited_for_its_turn(
    store: Store, clock: HandClock
) -> None:
    setting = Setting(store, clock)
    async with setting.running():
        came = clock.monotonic_ms()
        async with setting.evaluator.paused():
            setting.feed.bring(sample(1.0), since_ms=came)
            await settle()
            await clock.advance(0.3)
        await setting.feed.done()
    value = setting.telemetry.registry.get_sample_value
    assert value("playwatch_evaluation_lag_seconds_count") == 1
    assert value("playwatch_evaluation_lag_seconds_sum") == pytest.approx(0.3)


async def test_series_that_are_long_gone_are_given_up_between_two_reads() -> None:
    setting = Setting(MemoryStore(), HandClock())
    series, day_ms = setting.evaluator.pipeline.series, 86_400_000
    async with setting.running():
        setting.feed.bring(sample(1), sample(1, "DE"))
        await setting.feed.done()
        series.newest_at[1] -= 9 * day_ms
        series.heard_since = setting.clock.wall_ms() - 20 * day_ms
        series.heard_until = setting.clock.wall_ms()
        await pass_by(setting, 1)
        assert setting.metric("playwatch_series 1.0")
        assert setting.metric("playwatch_series_given_up_total 1.0")

        setting.feed.bring(sample(1, "DE"), sample(1, "FR"))
        await setting.feed.done()

        assert setting.metric("playwatch_series 3.0")
        assert len(series) == 3
