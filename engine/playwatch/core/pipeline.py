"""The whole of the core in one step: samples in, what to commit out.

Nothing here waits, logs, or reads a clock. The live engine, rule tests and
replay call the same two methods, `Pipeline.take` and `Pipeline.tick`, with the
same batches and instants, and get the same answers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.deliveries import Changes
from playwatch.core.incidents import Change, Status
from playwatch.core.replacement import Settled, settle
from playwatch.core.routing import Told
from playwatch.core.series import NEVER
from playwatch.core.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.metrics import Catalogue
    from playwatch.core.routing import Route
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant, SampleBatch
    from playwatch.core.series import SeriesTable
    from playwatch.core.watches import Turn


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the pipeline decided.

    Attributes
    ----------
    changes
        Incidents and deliveries to commit together.
    turns
        What happened to which incident, in the order of the rules.
    late
        Samples that were older than the window of a rule that watches them.
    """

    changes: Changes = field(default_factory=Changes)
    turns: Sequence[Turn] = ()
    late: int = 0


class Pipeline:
    """Rules at work on a table of series.

    Parameters
    ----------
    catalogue
        The metrics.
    series
        The table that batches refer to.
    rules
        What to watch; every metric must be in the catalogue.
    routes
        Which channels want to hear of what.
    installation
        The name of this installation; goes into every incident's identity.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        series: SeriesTable,
        rules: Iterable[Rule],
        routes: Sequence[Route],
        installation: str,
    ) -> None:
        self.series = series
        self.watches = [Watch(rule, catalogue, installation) for rule in rules]
        self._by_metric: dict[int, list[Watch]] = defaultdict(list)
        for watch in self.watches:
            self._by_metric[watch.metric_id].append(watch)
        self._routes = tuple(routes)
        self._told: dict[str, Told] = {}

    @property
    def open_incidents(self) -> list[Incident]:
        """Every open incident, by rule."""
        return [incident for watch in self.watches for incident in watch.open.values()]

    def take(self, batch: SampleBatch, now: Instant) -> Step:
        """Count a batch of samples and judge the groups that it touched."""
        if not len(batch):
            return Step()
        settled = settle(self.series, batch)
        turns: list[Turn] = []
        late = 0
        for metric, part in self._by_metric_of(settled):
            for watch in self._by_metric.get(metric, ()):
                touched, too_late = watch.take(self.series, part, now.monotonic_ms)
                late += too_late
                if len(touched):
                    turns += watch.judge(touched, now.monotonic_ms)
        return self._step(turns, now.at, late)

    def tick(self, now: Instant) -> Step:
        """Let time pass: for the durations, and for what has gone silent."""
        turns = [turn for watch in self.watches for turn in watch.tick(now.monotonic_ms)]
        return self._step(turns, now.at)

    def adopt(
        self, incidents: Iterable[Incident], routed: Iterable[Delivery], now: Instant
    ) -> Step:
        """Take over what the store has open; close what no rule watches any more.

        Parameters
        ----------
        routed
            The triggers of these incidents. Their channels are told of the
            end with the keys that they were told with.

        Returns
        -------
        Step
            The ends of incidents whose rule is gone or watches something else.
        """
        told: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in routed:
            told[delivery.incident_id].append(delivery)
        watch_of = {(watch.rule.name, watch.rule.scope): watch for watch in self.watches}
        names = {watch.rule.name for watch in self.watches}
        turns: list[Turn] = []
        for incident in incidents:
            self._told[incident.id] = Told(told[incident.id])
            watch = watch_of.get((incident.rule, incident.scope))
            if watch is None:
                what = "changed" if incident.rule in names else "removed"
                turns.append((Change.CLOSED, _closed(incident, f"rule {what}", now.at)))
            else:
                watch.adopt(incident, now)
        for watch in self.watches:
            watch.disown_others()
        return self._step(turns, now.at)

    def _by_metric_of(self, settled: Settled) -> list[tuple[int, Settled]]:
        """Split a batch by metric; one that has a single metric goes through whole."""
        metric = self.series.metric[settled.counted.series]
        first = int(metric[0]) if len(metric) else NEVER
        withdrawn = self.series.metric[settled.withdrawn.series]
        if (metric == first).all() and (withdrawn == first).all():
            return [(first, settled)]
        return [
            (
                int(one),
                Settled(
                    settled.counted.take(metric == one), settled.withdrawn.take(withdrawn == one)
                ),
            )
            for one in np.unique(np.r_[metric, withdrawn])
        ]

    def _step(self, turns: list[Turn], at: int, late: int = 0) -> Step:
        """Route what happened, so that incidents and deliveries commit together."""
        deliveries: list[Delivery] = []
        for change, incident in turns:
            if change in {Change.OPENED, Change.ROSE}:
                told = self._told.setdefault(incident.id, Told())
                deliveries += told.triggers(incident, self._routes, at)
            else:
                deliveries += self._told.pop(incident.id, Told()).resolves(incident, at)
        return Step(Changes([incident for _, incident in turns], deliveries), turns, late)


def _closed(incident: Incident, reason: str, at: int) -> Incident:
    return incident.ended(Status.CLOSED, reason=reason, resolved_at=at, ended_at=at, value=None)
