"""A recording replayed gives what the live engine gave, to the byte."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from playwatch.cli.backtest_documents import transition_lines
from playwatch.config.load import load_config
from playwatch.core.intake import Intake
from playwatch.core.listings import IncidentQuery
from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.demo.audience import Audience
from playwatch.demo.stream import payloads
from playwatch.ingest.embedded import EmbeddedBroker
from playwatch.ingest.publish import publish
from playwatch.ingest.recordings_writer import RecordingWriter
from playwatch.ports import Arrivals, Message
from playwatch.runtime.clock import SystemClock
from playwatch.runtime.evaluate import Evaluator
from playwatch.runtime.record import record
from playwatch.runtime.refused import RefusalLog
from playwatch.runtime.replay import Evaluation, replayed, routes
from playwatch.runtime.replay_inputs import Inputs
from playwatch.store.memory import MemoryStore
from playwatch.telemetry import Telemetry
from tests.brokers import TOPIC, at_port, build, running
from tests.fakes import HandClock, settle
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.config.schema import Settings
    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Step

RULES = """\
mqtt: {url: "mqtt://127.0.0.1"}
rules:
  - {name: failures, metric: playback_failure_percentage, by: [country, cdn], window: 5s,
     trigger: "> 5", for: 2s, resolve: "< 3", resolve_for: 3s, min_views: 100}
  - {name: rebuffering, metric: rebuffer_percentage, by: [cdn], window: 5s, trigger: "> 4",
     for: 2s, resolve: "< 2", resolve_for: 3s}
  - {name: viewers, metric: current_concurrent_viewers, by: [country], window: 5s,
     trigger: "< 3000", for: 2s, resolve_for: 3s}
channels:
  - {name: terminal, service: console}
"""


def configured(folder: Path) -> Settings:
    path = folder / "playwatch.yaml"
    path.write_text(RULES)
    return load_config(path, environ={})


class Feed:
    """A source that brings what a test puts in."""

    name = "feed"
    is_subscribed = True
    trouble = ""

    def __init__(self) -> None:
        self._reads: asyncio.Queue[Arrivals] = asyncio.Queue()

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def read(self) -> Arrivals:
        return await self._reads.get()

    def bring(self, *contents: bytes) -> None:
        messages = [Message(TOPIC, content, "native") for content in contents]
        self._reads.put_nowait(Arrivals(messages, lambda: None))


def evaluator(
    settings: Settings, store: MemoryStore, clock: HandClock, writer: RecordingWriter
) -> Evaluator:
    catalogue, series, sequences = settings.catalogue(), SeriesTable(), SequenceTracker()
    return Evaluator(
        Pipeline(catalogue, series, settings.core_rules(), routes(settings), "site-1"),
        Intake(catalogue, series, sequences),
        sequences,
        catalogue,
        store,
        clock,
        Telemetry(),
        RefusalLog(),
        lambda *_: None,
        recorder=writer,
    )


def replay(path: Path, settings: Settings) -> tuple[list[str], list[Incident]]:
    """Return the transitions as they are printed, and the incidents as they ended."""
    inputs = Inputs([path])
    evaluation = Evaluation(settings, inputs.installation)
    lines: list[str] = []
    incidents: dict[str, Incident] = {}
    for now, step in replayed(inputs, evaluation):
        lines += transition_lines(now, step)
        incidents |= {incident.id: incident for _, incident in step.turns}
    return lines, list(incidents.values())


async def test_a_live_engine_and_its_recording_have_the_same_incidents(tmp_path: Path) -> None:
    """Ten minutes of the demo's audience, with reads at odd moments."""
    settings, clock, store, feed = configured(tmp_path), HandClock(), MemoryStore(), Feed()
    path = tmp_path / "live.rec"
    started = Instant(clock.wall_ms(), clock.monotonic_ms())
    writer = RecordingWriter.open(path, started, installation="site-1")
    engine = evaluator(settings, store, clock, writer)
    loops = [asyncio.create_task(engine.follow(feed)), asyncio.create_task(engine.tick())]
    await settle()
    audience = Audience(3)
    for second in range(600):
        contents = list(payloads(audience.sample(second), clock.wall_ms()))
        feed.bring(*contents[: second % 3])
        await clock.advance(0.25 + 0.1 * (second % 5))
        feed.bring(*contents[second % 3 :], b"nonsense")
        await clock.advance(0.75 - 0.1 * (second % 5))
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    writer.close()

    _, again = replay(path, settings)

    live = await store.incidents(IncidentQuery(limit=1000))
    assert len(live) >= 15
    assert sorted(live, key=lambda one: one.id) == sorted(again, key=lambda one: one.id)


async def test_what_was_printed_while_recording_is_printed_by_replay(tmp_path: Path) -> None:
    """A real broker, a real clock: the same lines, byte for byte."""
    settings, clock = configured(tmp_path), SystemClock()
    path = tmp_path / "broker.rec"
    started = Instant(clock.wall_ms(), clock.monotonic_ms())
    writer = RecordingWriter.open(path, started, installation="site-1")
    printed: list[str] = []

    def told(now: Instant, step: Step) -> None:
        printed.extend(transition_lines(now, step))

    async with EmbeddedBroker("127.0.0.1:0") as broker:
        mqtt = at_port(int(broker.url.rpartition(":")[2]), protocol="3.1.1")
        source = build(mqtt, client_id="recorder")
        async with running(source, alone=False):
            evaluation = Evaluation(settings, "site-1")
            recording = asyncio.create_task(
                record(source, writer, clock, evaluation=evaluation, told=told)
            )
            audience = Audience(3)
            now = clock.wall_ms()
            messages = [
                (TOPIC, content)
                for second in range(40)
                for content in payloads(audience.sample(second), now - 40_000 + 1000 * second)
            ]
            await publish(mqtt, messages)
            await soon(lambda: writer.messages == len(messages))
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
    writer.close()

    lines, _ = replay(path, settings)

    assert printed
    assert lines == printed
