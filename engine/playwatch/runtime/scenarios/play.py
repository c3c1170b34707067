"""Plays one rule test: the same pipeline as the engine, on written samples and no clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.core.silences import Silence
from playwatch.core.snapshots import copy_state, pack, restore
from playwatch.runtime.scenarios.story import Story
from playwatch.runtime.scenarios.ticks import TICK_MS, next_tick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwatch.config.scenarios.load import Suite
    from playwatch.config.scenarios.schema import Edit, Scenario
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Step
    from playwatch.core.rules import Rule
    from playwatch.runtime.scenarios.story import Event

INSTALLATION: Final = "test"

_Sample = tuple[int, bytes, int, float, int]
"""Metric, canonical dimensions, time, value, views."""


@dataclass(frozen=True, slots=True)
class Page:
    """A message that a channel would have been asked to send."""

    at_ms: int
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a test. Times are milliseconds since its start.

    Attributes
    ----------
    start
        Wall clock of the start, milliseconds since the epoch.
    end_ms
        How long it ran.
    incidents
        For each time that was asked for: every incident so far, as it stood then.
    pages
        In the order in which they were decided.
    events
        What happened, in order.
    ticks
        How many ticks were played.
    """

    start: int
    end_ms: int
    incidents: Mapping[int, tuple[Incident, ...]]
    pages: tuple[Page, ...]
    events: tuple[Event, ...]
    ticks: int


def play(suite: Suite, scenario: Scenario, *, every_tick: bool = False) -> Played:
    """Return what the rules make of a test's series.

    Parameters
    ----------
    every_tick
        Play each second's tick, also those that change nothing.

    Notes
    -----
    At one time: first edits and restarts, then the samples that arrive, all
    in one batch, then the tick, then a look at the incidents.
    """
    return _Player(suite, scenario, every_tick=every_tick).run()


@dataclass(slots=True)
class _Player:
    """One run."""

    suite: Suite
    scenario: Scenario
    every_tick: bool
    ticks: int = 0
    _done_ms: int = 0
    _began_ms: int = 0
    _start: int = field(init=False)
    _pipeline: Pipeline = field(init=False)
    _series: SeriesTable = field(init=False)
    _rules: dict[str, Rule] = field(init=False)
    _incidents: dict[str, Incident] = field(default_factory=dict)
    _pages: dict[str, Page] = field(default_factory=dict)
    _story: Story = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.scenario.start if self.scenario.start is not None else self.suite.start
        self._rules = {rule.name: rule for rule in self.suite.rules}
        self._story = Story(self._start)
        self._begin()

    def run(self) -> Played:
        """Play the test to its end."""
        arrivals = self._arrivals()
        edits: dict[int, list[Edit]] = defaultdict(list)
        for edit in self.scenario.edits:
            edits[_ms(edit.at)].append(edit)
        restarts = {_ms(at) for at in self.scenario.restart_at}
        looks = {_ms(check.eval_time) for check in self.scenario.alert_rule_test}
        expected = {_ms(page.at) for page in self.scenario.exp_pages or () if page.at is not None}
        until = {_ms(self.scenario.until or 0.0)}
        until |= {_ms(silence.until) for silence in self.scenario.silences}
        moments = sorted({*arrivals, *edits, *restarts, *looks, *expected, *until})
        seen: dict[int, tuple[Incident, ...]] = {}
        for moment in moments:
            for tick in self._ticks_before(moment):
                self._tick(tick)
            if moment in restarts:
                self._restart(moment)
            for edit in edits.get(moment, ()):
                self._edit(moment, edit)
            if moment in arrivals:
                self._keep(
                    moment, self._pipeline.take(self._batch(arrivals[moment]), self._now(moment))
                )
            for tick in self._ticks_at(moment, is_forced=moment in restarts or moment in edits):
                self._tick(tick)
            if moment in looks:
                seen[moment] = tuple(self._incidents.values())
        return Played(
            self._start,
            moments[-1],
            seen,
            tuple(self._pages.values()),
            tuple(self._story.events),
            self.ticks,
        )

    def _begin(self) -> None:
        self._series = SeriesTable()
        self._pipeline = Pipeline(
            self.suite.catalogue,
            self._series,
            self._rules.values(),
            self.suite.routes,
            INSTALLATION,
            (*self.suite.mute, *self._silences()),
        )

    def _silences(self) -> Iterator[Silence]:
        for number, one in enumerate(self.scenario.silences, 1):
            yield Silence(
                id=str(number),
                matchers=tuple(pattern.matcher(name) for name, pattern in one.where.items()),
                starts_at=self._start + _ms(one.begin),
                ends_at=self._start + _ms(one.until),
                author=INSTALLATION,
            )

    def _now(self, at_ms: int) -> Instant:
        return Instant(self._start + at_ms, at_ms)

    def _ticks_before(self, moment: int) -> Iterator[int]:
        if self.every_tick:
            yield from range(self._done_ms + TICK_MS, moment, TICK_MS)
            return
        while (tick := self._next_tick(moment)) is not None:
            yield tick

    def _ticks_at(self, moment: int, *, is_forced: bool) -> Iterator[int]:
        if moment % TICK_MS or not moment:
            return
        if self.every_tick or is_forced or self._next_tick(moment + 1, is_last_due=False):
            yield moment

    def _next_tick(self, before: int, *, is_last_due: bool = True) -> int | None:
        done = self._now(self._done_ms)
        return next_tick(self._pipeline, done, before, self._began_ms, is_last_due=is_last_due)

    def _tick(self, at_ms: int) -> None:
        self.ticks += 1
        self._done_ms = at_ms
        self._keep(at_ms, self._pipeline.tick(self._now(at_ms)))

    def _edit(self, at_ms: int, edit: Edit) -> None:
        self._story.tell(at_ms, "rules edited")
        rules = {**self._rules, **{rule.name: rule.core_rule() for rule in edit.rules}}
        self._rules = {name: rule for name, rule in rules.items() if name not in edit.remove}
        step, _ = self._pipeline.reload(
            self.suite.catalogue,
            self._rules.values(),
            self.suite.routes,
            self._pipeline.quiet,
            self._now(at_ms),
        )
        self._keep(at_ms, step)

    def _restart(self, at_ms: int) -> None:
        """Stop and start again, as a process does: snapshot, store, and nothing else."""
        self._story.tell(at_ms, "restarted")
        now = self._now(at_ms)
        sequences = SequenceTracker()
        saved = pack(copy_state(self._pipeline, sequences, self.suite.catalogue), at_ms)
        withheld = self._pipeline.withheld
        self._begin()
        self._began_ms = at_ms
        restore(saved, now.at, self._pipeline, sequences, self.suite.catalogue, now)
        is_open = [incident for incident in self._incidents.values() if incident.is_open]
        told = [page.delivery for page in self._pages.values()]
        self._keep(at_ms, self._pipeline.adopt(is_open, told, now, withheld))

    def _keep(self, at_ms: int, step: Step) -> None:
        self._story.observe(at_ms, self._pipeline, step)
        for incident in step.changes.incidents:
            self._incidents[incident.id] = incident
        for delivery in step.changes.deliveries:
            # As in a store: one that is there already is not stored again.
            self._pages.setdefault(delivery.id, Page(at_ms, delivery))

    def _batch(self, samples: list[_Sample]) -> SampleBatch:
        rows = [self._series.intern(metric, dimensions) for metric, dimensions, *_ in samples]
        _, _, at, value, views = zip(*samples, strict=True)
        return SampleBatch.of(rows, at, value, views)

    def _arrivals(self) -> dict[int, list[_Sample]]:
        """Return what arrives when."""
        interval_ms = _ms(self.scenario.interval or self.suite.interval_s)
        arrivals: dict[int, list[_Sample]] = defaultdict(list)
        for item in self.scenario.input_series:
            key, dimensions = item.series
            metric = self.suite.catalogue.id_of(key)
            if metric is None:
                message = f"no metric {key}"
                raise ValueError(message)
            canonical = canonical_dimensions(dict(dimensions))
            views = np.broadcast_to(item.views, item.values.shape)
            for number in map(int, np.flatnonzero(~np.isnan(item.values))):
                at_ms = number * interval_ms
                value, weight = float(item.values[number]), int(views[number])
                sample = (metric, canonical, self._start + at_ms, value, weight)
                arrivals[at_ms + _ms(item.delay_s)].append(sample)
        return arrivals


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
