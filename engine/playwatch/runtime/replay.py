"""Rules at work on what was recorded: the live engine's evaluator, without the world.

`Evaluation` owns an intake and a pipeline, as the engine does, and takes reads
and ticks with the instants that they had. No store, no channel, no clock: so
the same inputs give the same steps each time.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from playwatch.config.anomalies import everything_watched
from playwatch.config.routes import route_of
from playwatch.core.intake import Intake
from playwatch.core.pipeline import Pipeline, Step
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.ingest.recordings import Read, Start, Tick
from playwatch.runtime.replay_reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from playwatch.config.schema import Settings
    from playwatch.core.routing import Route
    from playwatch.core.rules import Rule
    from playwatch.core.samples import SampleBatch
    from playwatch.ports import Message
    from playwatch.runtime.replay_inputs import Replayable

INSTALLATION = "replay"
"""Stands in incidents' identities where no recording names an installation."""

_MAX_COMPLAINTS = 20


class Evaluation:
    """Rules at work, from reads and ticks that are handed in.

    Parameters
    ----------
    settings
        Metrics, rules, channels and limits.
    installation
        Goes into the identity of every incident.
    rules
        Other rules than those of the settings.

    Attributes
    ----------
    samples
        Samples received so far, refused ones included.
    refused
        Refused samples and messages by reason; the first 20 in words in
        ``complaints``.
    late
        Samples that were older than the window of a rule that watches them.
    oldest_at
        The earliest time of a sample that counts; None before the first.
    """

    def __init__(
        self,
        settings: Settings,
        installation: str = INSTALLATION,
        *,
        rules: Iterable[Rule] | None = None,
    ) -> None:
        self.catalogue = settings.catalogue()
        self.series = SeriesTable(settings.limits.series_per_metric)
        self.pipeline = Pipeline(
            self.catalogue,
            self.series,
            everything_watched(settings) if rules is None else rules,
            routes(settings),
            installation,
            settings.mute_windows(),
        )
        self._intake = Intake(
            self.catalogue,
            self.series,
            SequenceTracker(),
            max_age_s=settings.limits.max_age_s,
            max_bytes=settings.limits.max_payload_bytes,
        )
        self.samples = 0
        self.refused: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.late = 0
        self.oldest_at: int | None = None

    def take(self, messages: Sequence[Message], now: Instant) -> Step:
        """Evaluate one read."""
        intaken = read(messages, self._intake, now)
        self.samples += sum(intaken.received.values())
        for reason, count in intaken.rejected.items():
            self.refused[reason.value] += count
        for rejection in intaken.rejections:
            if len(self.complaints) < _MAX_COMPLAINTS:
                self.complaints.append(f"{rejection.topic}: {rejection.detail}")
        return self._take(intaken.batch, now)

    def measure(self, batch: SampleBatch, now: Instant) -> Step:
        """Evaluate samples that are checked already."""
        self.samples += len(batch)
        return self._take(batch, now)

    def tick(self, now: Instant) -> Step:
        """Let time pass."""
        return self.pipeline.tick(now)

    def _take(self, batch: SampleBatch, now: Instant) -> Step:
        if len(batch):
            oldest_at = int(batch.at.min())
            self.oldest_at = oldest_at if self.oldest_at is None else min(self.oldest_at, oldest_at)
        return self._counted(self.pipeline.take(batch, now))

    def _counted(self, step: Step) -> Step:
        self.late += step.late
        return step


class Timeline:
    """One monotonic time over several sessions, each with a clock of its own."""

    def __init__(self) -> None:
        self._shift_ms: int | None = None
        self._last = Instant(0, 0)

    def start(self, now: Instant) -> None:
        """Begin a session; time away counts as time."""
        if self._shift_ms is None:
            self._shift_ms = 0
            self._last = now
            return
        away_ms = max(0, now.at - self._last.at)
        self._shift_ms = self._last.monotonic_ms + away_ms - now.monotonic_ms

    def moved(self, now: Instant) -> Instant:
        """Return an instant of the session on the one monotonic time."""
        self._last = Instant(now.at, now.monotonic_ms + (self._shift_ms or 0))
        return self._last


def replayed(inputs: Replayable, evaluation: Evaluation) -> Iterator[tuple[Instant, Step]]:
    """Evaluate all inputs and iterate over each instant with what was decided.

    Notes
    -----
    Lazy: an instant is evaluated when it is asked for. A recording of one
    session keeps its instants, so that its steps are those of the live engine;
    a later session goes on with the windows of the one before.
    """
    timeline = Timeline()
    for one in inputs.opened(evaluation):
        for entry in one.entries():
            if isinstance(entry, Tick):
                now = timeline.moved(entry.now)
                yield now, evaluation.tick(now)
            elif isinstance(entry, Read):
                now = timeline.moved(entry.now)
                yield now, evaluation.take(entry.messages, now)
            elif isinstance(entry, Start):
                timeline.start(entry.now)
            else:
                now = timeline.moved(entry[0])
                yield now, evaluation.measure(entry[1], now)


def routes(settings: Settings) -> list[Route]:
    """Return who would be told of what, without opening a channel."""
    return [route_of(one, "") for one in settings.channels]
