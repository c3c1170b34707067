"""A watch: one rule at work, with its groups, windows, phases and open incidents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.audience import LatestWindows
from playwatch.core.groups import NO_GROUP, GroupTable
from playwatch.core.incidents import Change, Incident, Status, incident_id, incident_key
from playwatch.core.lifecycle import LifecycleState
from playwatch.core.metrics import Merge
from playwatch.core.rules import Bound, Threshold
from playwatch.core.series import NEVER
from playwatch.core.summary import summarise
from playwatch.core.threshold import judge
from playwatch.core.windows import RingWindows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.lifecycle import Transition
    from playwatch.core.metrics import Catalogue
    from playwatch.core.replacement import Settled
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant, SampleBatch
    from playwatch.core.series import SeriesTable

Touched = np.ndarray[tuple[int], np.dtype[np.int32]]
"""Group rows, each at most once."""

Turn = tuple[Change, Incident]
"""What happened to an incident, and the incident as it stands after."""


class Watch:
    """One rule at work.

    Parameters
    ----------
    rule
        What to watch; its metric must be in the catalogue.
    installation
        Goes into the identity of every incident.
    counts_after
        Newest sample time that the series table knew when the watch was made.
        Its windows do not hold those samples, so they cannot be taken back.
    """

    def __init__(
        self, rule: Rule, catalogue: Catalogue, installation: str, counts_after: int = NEVER
    ) -> None:
        number = catalogue.id_of(rule.metric)
        if number is None or not isinstance(rule.condition, Threshold):
            message = f"rule {rule.name}: no metric {rule.metric}, or no threshold"
            raise ValueError(message)
        self.rule = rule
        self.condition = rule.condition
        self.metric_id = number
        self.metric = catalogue[number]
        self.groups = GroupTable(number, rule.where, rule.by)
        self.windows = _windows(rule, self.metric.merge)
        self.phases = LifecycleState(
            rule, len(rule.condition.tiers), is_upward=rule.condition.comparison.is_upward
        )
        self.open: dict[int, Incident] = {}
        self.counts_after = counts_after
        self._emptied_at: dict[int, int] = {}
        self._opened_at: dict[int, int] = {}
        self._installation = installation

    def take(self, series: SeriesTable, settled: Settled, monotonic_ms: int) -> tuple[Touched, int]:
        """Count samples in the windows; return the groups they touched and how many were late."""
        batch, group = self._mine(series, settled.counted)
        self.reserve()
        self._take_back(series, settled.withdrawn)
        if not len(batch):
            return group, 0
        late = self.windows.add(group, batch, monotonic_ms)
        return np.unique(group), late

    def reserve(self) -> None:
        """Make room for every group of the table."""
        self.windows.reserve(len(self.groups))
        self.phases.reserve(len(self.groups))

    def judge(self, group: Touched, monotonic_ms: int) -> list[Turn]:
        """Judge some groups, each at most once, and return the incidents that changed."""
        at = self.windows.clocks.now(group, monotonic_ms)
        verdicts = judge(
            self.condition,
            self.metric,
            self.rule.min_views,
            group,
            at,
            self.windows.totals(group, at),
            self.windows.covers(group, at),
            self.windows.is_whole(group, at),
        )
        return [self._turn(transition) for transition in self.phases.step(verdicts)]

    def tick(self, monotonic_ms: int) -> list[Turn]:
        """Judge the groups that time alone can move."""
        if isinstance(self.windows, LatestWindows):
            self.windows.forget(monotonic_ms)
        active = self.phases.active()
        return self.judge(active, monotonic_ms) if len(active) else []

    def adopt(self, incident: Incident, now: Instant) -> None:
        """Take over an incident that the store says is open.

        Notes
        -----
        Whatever the snapshot says, the store is right: it was committed at the
        moment of the opening, the snapshot up to half a minute before.
        """
        group = self.groups.intern(tuple(value for _, value in incident.breakdowns))
        self.reserve()
        self.open[group] = incident
        self._opened_at[group] = incident.opened_at
        clocks = self.windows.clocks
        if clocks.newest_at[group] == NEVER:
            clocks.newest_at[group] = incident.opened_at
            clocks.heard_ms[group] = now.monotonic_ms - max(0, now.at - incident.opened_at)
            # Nothing is known of its window: what comes first ends the hole.
            clocks.resumed_from[group] = NEVER + 1
        severities = [tier.severity for tier in self.condition.tiers]
        reached = sum(severity <= incident.severity for severity in severities) - 1
        self.phases.reopen(group, reached, incident.peak_value, now.at)

    def disown_others(self) -> None:
        """Put groups into NORMAL that the snapshot has open and the store has not.

        Their incident ended after the snapshot, so the bad window that the
        snapshot holds has been outlived; judged again it would page again.
        """
        for group in map(int, self.phases.active()):
            if group not in self.open and self.phases.is_open(group):
                self.phases.settle(group)
                self.windows.empty(group)
                self._emptied_at[group] = int(self.windows.clocks.newest_at[group])

    def _mine(
        self, series: SeriesTable, batch: SampleBatch
    ) -> tuple[SampleBatch, NDArray[np.int32]]:
        group = self.groups.of_series(series, batch.series)
        is_mine = group != NO_GROUP
        if is_mine.all():
            return batch, group
        return batch.take(is_mine), group[is_mine]

    def _take_back(self, series: SeriesTable, withdrawn: SampleBatch) -> None:
        if not len(withdrawn):
            return
        batch, group = self._mine(series, withdrawn)
        was_counted = batch.at > self.counts_after
        for row, emptied_at in self._emptied_at.items():
            was_counted &= (group != row) | (batch.at > emptied_at)
        if was_counted.any():
            self.windows.withdraw(group[was_counted], batch.take(was_counted))

    def _turn(self, transition: Transition) -> Turn:
        """Make the incident that a transition begins, or change the one that is open."""
        if transition.change is Change.OPENED:
            incident = self._opened(transition)
            self.open[transition.group] = incident
        elif transition.change is Change.ROSE:
            incident = self._risen(self.open[transition.group], transition)
            self.open[transition.group] = incident
        else:
            incident = self._ended(self.open.pop(transition.group), transition)
        return transition.change, incident

    def _opened(self, transition: Transition) -> Incident:
        breakdowns = self.groups.breakdowns(transition.group)
        # Two incidents in one millisecond, as corrections can bring, are two.
        last_at = self._opened_at.get(transition.group, NEVER)
        opened_at = self._opened_at[transition.group] = max(transition.at, last_at + 1)
        key = incident_key(self.rule, breakdowns)
        tier = self.condition.tiers[transition.tier]
        incident = Incident(
            id=incident_id(self._installation, key, opened_at),
            incident_key=key,
            rule=self.rule.name,
            scope=self.rule.scope,
            alert_type=self.rule.alert_type,
            status=Status.OPEN,
            severity=tier.severity,
            measurement=self.metric.key,
            unit=self.metric.unit,
            breakdowns=breakdowns,
            measured_value=transition.value,
            peak_value=transition.peak,
            threshold=tier.limit,
            bound=str(Bound(self.condition.comparison, tier.limit)),
            sample_size=round(transition.views),
            affected_viewers=self._affected(transition),
            started_at=transition.since_at,
            opened_at=opened_at,
            window_s=self.rule.window_s,
            runbook=self.rule.runbook,
        )
        return replace(incident, summary=summarise(incident, self.rule.summary))

    def _risen(self, incident: Incident, transition: Transition) -> Incident:
        tier = self.condition.tiers[transition.tier]
        risen = replace(
            incident,
            severity=tier.severity,
            measured_value=transition.value,
            peak_value=transition.peak,
            threshold=tier.limit,
            bound=str(Bound(self.condition.comparison, tier.limit)),
            sample_size=round(transition.views),
            affected_viewers=self._affected(transition),
        )
        return replace(risen, summary=summarise(risen, self.rule.summary))

    def _ended(self, incident: Incident, transition: Transition) -> Incident:
        has_expired = transition.change is Change.EXPIRED
        reason = (
            f"neither good nor bad for {self.rule.expire_after_s:g} s"
            if has_expired
            else f"{self.condition.resolve} for {self.rule.resolve_for_s:g} s"
        )
        # The event clock may have stepped back since the opening.
        ended_at = max(transition.at, incident.opened_at)
        return replace(
            incident,
            status=Status.EXPIRED if has_expired else Status.CLOSED,
            reason=reason,
            resolved_at=max(transition.since_at, incident.started_at),
            ended_at=ended_at,
            measured_value_on_close=None if math.isnan(transition.value) else transition.value,
            peak_value=transition.peak,
        )

    def _affected(self, transition: Transition) -> int:
        """Return how many views were hit: the share for a percentage, none for an audience."""
        if self.metric.measures_audience:
            return 0
        share = transition.value / 100 if self.metric.is_proportion else 1.0
        return round(share * transition.views)


def _windows(rule: Rule, merge: Merge) -> RingWindows | LatestWindows:
    if merge is Merge.LATEST:
        return LatestWindows(rule.window_s)
    return RingWindows(rule.window_s, weighs_by_views=merge is Merge.MEAN)
