"""A stage for scenarios: one pipeline, with time that the test moves on."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.deliveries import Action
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.routing import Route
from playwatch.core.rules import Bound, Comparison, NoData, Rule, Severity, Threshold, Tier
from playwatch.core.samples import FEW, Instant, SampleBatch
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.core.snapshots import copy_state, pack, restore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.decisions import Decision
    from playwatch.core.deliveries import Delivery
    from playwatch.core.hours import ActiveHours
    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Step
    from playwatch.core.rules import Aggregate, Matcher
    from playwatch.core.watches import Watch

START = 1_800_000_000_000
FAILURES = "playback_failure_percentage"
VIEWERS = "current_concurrent_viewers"
ONCALL = Route("oncall", "key-1")

Sample = tuple[str, dict[str, str], int, float, int]
"""Metric, dimensions, time, value, views."""


def threshold(trigger: str = "> 5", resolve: str = "", warning: float | None = None) -> Threshold:
    """Return a condition; ``warning=3`` adds a tier below the critical one."""
    bound = bound_of(trigger)
    levels = [] if warning is None else [Tier(Severity.WARNING, warning)]
    levels.append(Tier(Severity.CRITICAL, bound.limit))
    opposite = Bound(bound.comparison.opposite, levels[0].limit)
    return Threshold(bound.comparison, tuple(levels), bound_of(resolve) if resolve else opposite)


def bound_of(text: str) -> Bound:
    comparison, limit = text.split()
    return Bound(Comparison(comparison), float(limit))


def a_rule(
    trigger: str = "> 5",
    *,
    name: str = "failures",
    metric: str = FAILURES,
    resolve: str = "",
    warning: float | None = None,
    where: tuple[Matcher, ...] = (),
    by: tuple[str, ...] = (),
    window_s: float = 60.0,
    for_s: float = 0.0,
    resolve_for_s: float = 0.0,
    min_views: int = 0,
    expire_after_s: float = 86_400.0,
    aggregate: Aggregate | None = None,
    confidence: float = 0.0,
    no_data: NoData = NoData(),  # noqa: B008 - it is frozen
    flap_within_s: float = 0.0,
    active: ActiveHours | None = None,
) -> Rule:
    """Return a rule that reads like its configuration."""
    return Rule(
        name=name,
        metric=metric,
        condition=threshold(trigger, resolve, warning),
        where=where,
        by=by,
        window_s=window_s,
        for_s=for_s,
        resolve_for_s=resolve_for_s,
        min_views=min_views,
        expire_after_s=expire_after_s,
        aggregate=aggregate,
        confidence=confidence,
        no_data=no_data,
        flap_within_s=flap_within_s,
        active=active,
    )


class Stage:
    """Rules at work; every step's news is kept, as a store would."""

    def __init__(self, *rules: Rule, routes: tuple[Route, ...] = (ONCALL,), few: int = FEW) -> None:
        self.few = few
        self.rules = rules
        self.routes = routes
        self.catalogue = Catalogue()
        self.at = START
        self.monotonic_ms = 0
        self.incidents: dict[str, Incident] = {}
        self.deliveries: list[Delivery] = []
        self.decisions: list[Decision] = []
        self.log: list[tuple[str, Incident]] = []
        self.late = 0
        self._fresh()

    def _fresh(self) -> None:
        self.series = SeriesTable()
        self.sequences = SequenceTracker()
        self.pipeline = Pipeline(
            self.catalogue, self.series, self.rules, self.routes, "here", few=self.few
        )

    @property
    def now(self) -> Instant:
        return Instant(self.at, self.monotonic_ms)

    @property
    def news(self) -> list[str]:
        """What happened so far, in words."""
        return [word for word, _ in self.log]

    @property
    def is_open(self) -> bool:
        return bool(self.pipeline.open_incidents)

    def pages(self, action: Action = Action.TRIGGER) -> list[Delivery]:
        """Every message of a kind that a store would send: none twice."""
        return [
            one
            for one in {delivery.id: delivery for delivery in reversed(self.deliveries)}.values()
            if one.action is action
        ]

    def sleep(self, seconds: float) -> None:
        """Move both clocks, without a tick."""
        self.at += round(seconds * 1000)
        self.monotonic_ms += round(seconds * 1000)

    def send(
        self,
        value: float,
        *,
        lag_s: float = 0.0,
        views: int = 100,
        metric: str = "",
        **dimensions: str,
    ) -> list[str]:
        """Send one sample that was measured ``lag_s`` ago; return what happened."""
        at = self.at - round(lag_s * 1000)
        return self.send_batch([(metric or self.rules[0].metric, dimensions, at, value, views)])

    def send_batch(self, samples: list[Sample]) -> list[str]:
        return self._keep(self.pipeline.take(self.batch_of(samples), self.now))

    def batch_of(self, samples: list[Sample]) -> SampleBatch:
        rows = [self.row(metric, dimensions) for metric, dimensions, _, _, _ in samples]
        _, _, at, value, views = zip(*samples, strict=True) if samples else ((),) * 5
        return SampleBatch.of(rows, at, value, views)

    def row(self, metric: str, dimensions: dict[str, str]) -> int:
        number = self.catalogue.id_of(metric)
        assert number is not None
        return self.series.intern(number, canonical_dimensions(dimensions))

    @staticmethod
    def row_numbers(watch: Watch) -> NDArray[np.int32]:
        """Return the rows of all groups of a watch."""
        return np.arange(len(watch.groups), dtype=np.int32)

    def wait(self, seconds: int) -> list[str]:
        """Let seconds pass, with a tick after each; return what happened."""
        words: list[str] = []
        for _ in range(seconds):
            self.sleep(1)
            words += self.tick()
        return words

    def tick(self) -> list[str]:
        return self._keep(self.pipeline.tick(self.now))

    def report(self, value: float, *, times: int, every_s: int = 60, views: int = 100) -> list[str]:
        """Send a sample, then let time pass, and so on: a collector at work."""
        words: list[str] = []
        for _ in range(times):
            words += self.send(value, views=views)
            words += self.wait(every_s)
        return words

    def snapshot(self) -> tuple[dict[str, bytes], int]:
        parts = copy_state(self.pipeline, self.sequences, self.catalogue)
        return pack(parts, self.monotonic_ms), self.at

    def restart(
        self,
        *rules: Rule,
        away_s: float = 0.0,
        snapshot: tuple[dict[str, bytes], int] | str | None = "now",
        routes: tuple[Route, ...] | None = None,
    ) -> list[str]:
        """Stop and start again; the snapshot is one taken before, a fresh one, or none."""
        saved = self.snapshot() if snapshot == "now" else snapshot
        assert not isinstance(saved, str)
        self.rules = rules or self.rules
        self.routes = self.routes if routes is None else routes
        self.at += round(away_s * 1000)
        self.monotonic_ms = 7_000_000
        self._fresh()
        self.refused: list[str] = []
        if saved is not None:
            self.refused = restore(
                saved[0], saved[1], self.pipeline, self.sequences, self.catalogue, self.now
            )
        is_open = [incident for incident in self.incidents.values() if incident.is_open]
        routed = [one for one in self.deliveries if one.action is Action.TRIGGER]
        return self._keep(self.pipeline.adopt(is_open, routed, self.now))

    def _keep(self, step: Step) -> list[str]:
        for incident in step.changes.incidents:
            self.incidents[incident.id] = incident
        self.deliveries += step.changes.deliveries
        self.decisions += step.changes.decisions
        self.late += step.late
        self.log += [(change.value, incident) for change, incident in step.turns]
        return [change.value for change, _ in step.turns]


def by_channel(deliveries: list[Delivery]) -> dict[tuple[str, str], list[Delivery]]:
    """Return deliveries by incident and channel, in the order they were decided."""
    sorted_out: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        sorted_out[delivery.incident_id, delivery.channel].append(delivery)
    return sorted_out
