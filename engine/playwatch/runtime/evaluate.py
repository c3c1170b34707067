"""The loop that owns the pipeline: read, evaluate, commit, acknowledge.

For each read, in this order:

1. Decode every message into one batch.
2. Step the pipeline: windows, verdicts, transitions, deliveries.
3. Commit incidents and deliveries together, if there are any.
4. Wake the outbox.
5. Acknowledge the messages to their source.

While a commit is under way the next reads are evaluated; 3 to 5 keep their
order (`playwatch.runtime.commits`).

A crash before 3 loses nothing: the source hands the messages over again, and
the same opening has the same identity. A crash after 3 repeats nothing: the
incident is known to be open. Ticks and snapshots take turns with reads, so no
one else ever sees the pipeline half way, and a snapshot is saved only once all
that it knows of is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from playwatch.codecs import CODECS
from playwatch.core import snapshots
from playwatch.core.incidents import Change
from playwatch.core.refusals import Reason, Refused
from playwatch.core.samples import Instant
from playwatch.errors import StoreError
from playwatch.runtime.commits import Commits
from playwatch.runtime.counting import ReadCounter
from playwatch.runtime.departing import Departing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.core.edits import RuleEdit
    from playwatch.core.intake import Intake
    from playwatch.core.intaken import Intaken
    from playwatch.core.metrics import Catalogue
    from playwatch.core.pipeline import Pipeline, Step
    from playwatch.core.replacement import Settled
    from playwatch.core.routing import Route
    from playwatch.core.rules import Rule
    from playwatch.core.sequences import SequenceTracker
    from playwatch.core.silences import MuteWindow, Silence
    from playwatch.ports import Arrivals, Clock, Message, Recorder, Source, Store
    from playwatch.runtime.refused import RefusalLog
    from playwatch.telemetry import Telemetry

TICK_S: Final = 1.0
SNAPSHOT_S: Final = 30.0
PORTION_BYTES: Final = 1024 * 1024
"""After so many, others have their turn: a backlog of packed samples is millions of them."""
LARGE_BYTES: Final = 128 * 1024
"""A message of so many is a batch by itself: with the next one of its source each series
would stand in it twice, which costs more than a batch."""

log = logging.getLogger("playwatch.evaluate")


class Evaluator:
    """Turns what sources bring into committed incidents and deliveries.

    Parameters
    ----------
    pipeline, intake, sequences, catalogue
        The core; nobody else may touch them while the evaluator runs.
    wake_outbox
        Called with what was just committed to be delivered, and whether all of it was new.
    mute
        Windows in which nobody is told, beside the silences of the store.
    recorder
        Writes down what is read.
    heard
        Called with the topics of each read and the sources named on them.
    extra_parts
        Gives parts of others for the snapshot.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        intake: Intake,
        sequences: SequenceTracker,
        catalogue: Catalogue,
        store: Store,
        clock: Clock,
        telemetry: Telemetry,
        refusals: RefusalLog,
        wake_outbox: Callable[[Sequence[Delivery], bool], None],
        *,
        mute: Sequence[MuteWindow] = (),
        recorder: Recorder | None = None,
        heard: Callable[[Mapping[str, Collection[str]]], None] = lambda _: None,
        extra_parts: Callable[[], dict[str, bytes]] = dict,
    ) -> None:
        self._pipeline = pipeline
        self._intake = intake
        self._sequences = sequences
        self._catalogue = catalogue
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._counter = ReadCounter(telemetry)
        self._refusals = refusals
        self._wake_outbox = wake_outbox
        self._mute = tuple(mute)
        self._recorder = recorder
        self._heard = heard
        self._extra_parts = extra_parts
        self.keep: Callable[[Settled], None] = lambda _: None
        """Called with the samples that each read counted."""
        self.departing = Departing(telemetry)
        self._turn = asyncio.Lock()
        self._commits = Commits(store, clock, self._conclude)

    @property
    def pipeline(self) -> Pipeline:
        """The core; to look at between two awaits, never to step."""
        return self._pipeline

    @property
    def catalogue(self) -> Catalogue:
        """The metrics, under the numbers that the series have."""
        return self._catalogue

    @property
    def can_store(self) -> bool:
        """False while the store refuses a commit, and evaluation waits for it."""
        return self._commits.can_store

    async def recover(self) -> None:
        """Bring a fresh pipeline to where the store says that the last one stopped."""
        now = self._now()
        saved = await self._store.load_snapshot()
        if saved is not None:
            parts, taken_at = saved
            refused = snapshots.restore(
                parts,
                taken_at,
                self._pipeline,
                self._sequences,
                self._catalogue,
                now,
                self._intake.tables,
            )
            for reason in refused:
                log.warning("left out of the snapshot: %s", reason)
        stored = await self._store.open_incidents()
        incidents = [one for one in stored if one.is_of_a_rule]
        ids = [incident.id for incident in incidents]
        routed, withheld = await self._store.routed(ids), await self._store.withheld(ids)
        await self._read_silences(now)
        step = self._pipeline.adopt(incidents, routed, now, withheld)
        self._commits.put(step)
        await self._commits.settled()
        self._tell_open()
        if incidents:
            log.info("took over %d open incidents", len(self._pipeline.open_incidents))

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold evaluation between two steps, all of them stored, while the context lasts."""
        await self._commits.settled()  # nobody waits for this one
        async with self._turn:
            await self._commits.settled()
            yield

    async def change(self, decide: Callable[[Pipeline, Instant], Step]) -> None:
        """Commit what is decided from outside, between two steps."""
        async with self._turn:
            await self._commits.room()
            now = self._now()
            await self._read_silences(now)
            self._commits.put(decide(self._pipeline, now))
        await self._commits.settled()
        self._tell_open()

    async def reload(
        self,
        catalogue: Catalogue,
        intake: Intake,
        mute: Sequence[MuteWindow],
        rules: Sequence[Rule],
        routes: Sequence[Route],
    ) -> list[RuleEdit]:
        """Go on with other rules, routes and mute windows; return what became of each rule."""
        async with self._turn:
            await self._commits.room()
            now = self._now()
            quiet: list[Silence | MuteWindow] = [*mute, *await self._store.silences(now.at)]
            step, edits = self._pipeline.reload(catalogue, rules, routes, quiet, now)
            self._catalogue, self._intake, self._mute = catalogue, intake, tuple(mute)
            self._commits.put(step)
            await self._commits.settled()
            self._tell_open()
        return edits

    async def _read_silences(self, now: Instant) -> None:
        self._pipeline.quiet = (*self._mute, *await self._store.silences(now.at))

    async def follow(self, source: Source) -> None:
        """Evaluate what one source brings, until cancelled."""
        try:
            while True:
                arrivals = await source.read()
                for portion in arrivals.portions(PORTION_BYTES, LARGE_BYTES):
                    async with self._turn:
                        await self._commits.room()
                        self._take(portion)
        finally:
            await self._commits.close()

    async def tick(self) -> None:
        """Let time pass for the rules, once a second, until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            async with self._turn:
                await self._commits.room()
                now = self._now()
                if self._recorder is not None:
                    self._recorder.tick(now)
                self._commits.put(self._pipeline.tick(now))
                self.departing.look(self._pipeline, self._intake, now)
                self._counter.look(now)

    async def keep_snapshots(self) -> None:
        """Save the state of the pipeline each half minute, until cancelled."""
        while True:
            await self._clock.sleep(SNAPSHOT_S)
            try:
                await self.snapshot()
            except StoreError as error:
                log.error("cannot save a snapshot: %s", error)  # noqa: TRY400 - a sentence

    async def snapshot(self) -> None:
        """Save the state of the pipeline now.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        async with self._turn:
            now = self._now()
            parts = snapshots.copy_state(
                self._pipeline, self._sequences, self._catalogue, self._intake.tables
            )
        await self._commits.settled()
        packed = await asyncio.to_thread(snapshots.pack, parts, now.monotonic_ms)
        packed |= self._extra_parts()
        await self._store.save_snapshot(packed, now.at)

    def _take(self, arrivals: Arrivals) -> None:
        now = self._now()
        if self._recorder is not None:
            self._recorder.read(arrivals.messages, now)
        intaken = self._decode(arrivals, now)
        self._heard(intaken.heard)
        step = self._pipeline.take(intaken.batch, now)
        judged_ms = self._clock.monotonic_ms()
        self._telemetry.evaluation.observe((judged_ms - now.monotonic_ms) / 1000)
        if arrivals.since_ms is not None:
            self._telemetry.evaluation_lag.observe((judged_ms - arrivals.since_ms) / 1000)
        self._counter.count(intaken, step, self._pipeline.series.live, now)
        if intaken.rejected:
            self._refusals.note(intaken, now)
        if (settled := self._pipeline.settled) is not None:
            self.keep(settled)
        self._commits.put(step, arrivals.acknowledge)

    def _decode(self, arrivals: Arrivals, now: Instant) -> Intaken:
        self._intake.begin(now)
        for message in arrivals.messages:
            self._intake.message(message.topic, message.codec)
            self._read(message)
        return self._intake.finish()

    def _read(self, message: Message) -> None:
        """Put the samples of one message into the intake, whatever its bytes are."""
        try:
            CODECS[message.codec](message.payload, self._intake)
        except Exception as error:  # the same bytes would end the next engine too
            log.exception("codec %s failed on a message of %s", message.codec, message.topic)
            detail = f"internal error: {type(error).__name__}"
            self._intake.refuse(Refused(Reason.MALFORMED, detail))

    def _conclude(self, step: Step, are_new: bool) -> None:  # noqa: FBT001 - a callback
        """Tell the outbox what is stored now, and say what happened."""
        self._wake_outbox(step.changes.deliveries, are_new)
        for change, incident in step.turns if log.isEnabledFor(logging.INFO) else ():
            log.info(
                "%s %s %s incident %s: %s",
                change.value,
                incident.severity.word,
                incident.rule,
                incident.id,
                incident.words_on(change),
                extra={"incident": incident.id},
            )
        opened = Counter(one.alert_type for change, one in step.turns if change is Change.OPENED)
        for alert_type, count in opened.items():
            self._telemetry.incidents_opened.labels(alert_type.value).inc(count)
        self._tell_open()

    def _tell_open(self) -> None:
        counts = Counter(one.alert_type.value for one in self._pipeline.open_incidents)
        for alert_type in ("threshold", "anomaly"):
            self._telemetry.incidents_open.labels(alert_type).set(counts[alert_type])

    def _now(self) -> Instant:
        return Instant(self._clock.wall_ms(), self._clock.monotonic_ms())
