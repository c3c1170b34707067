"""A learned rule at work: its lattice, its intervals, its model, its open incidents.

Samples are kept as they come and looked at once a second, or sooner where many
come at once: what the model costs is then shared by all of them, and a sample
on its way to a threshold rule never waits for it. What closes is judged and
learned; of what is still open only ratios are judged, where they already lie
outside their band, and nothing is learned from them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.anomaly import (
    Stand,
    absent,
    chosen,
    hit_by,
    intervals_of,
    is_calm,
    judge,
    level_of,
)
from playwatch.core.group_facts import GroupFacts
from playwatch.core.groups import NO_GROUP
from playwatch.core.intake_buffer import IntakeBuffer
from playwatch.core.intervals import IntervalRings
from playwatch.core.lattice import Lattice
from playwatch.core.leaves import LeafMemory
from playwatch.core.lifecycle import LifecycleState
from playwatch.core.metric_kinds import metric_class, worse_direction
from playwatch.core.metrics import Merge, Worse
from playwatch.core.openings import Openings
from playwatch.core.phases import Phase
from playwatch.core.rules import Anomaly
from playwatch.core.series import NEVER
from playwatch.core.verdicts import Verdict
from playwatch_models.classes import MetricClass
from playwatch_models.registry import open_detector

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from playwatch.core.casebook import Turn
    from playwatch.core.decisions import Decision
    from playwatch.core.incidents import Incident
    from playwatch.core.intervals import Sums
    from playwatch.core.metrics import Catalogue
    from playwatch.core.replacement import Settled
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant
    from playwatch.core.series import SeriesTable
    from playwatch.core.verdicts import VerdictBatch
    from playwatch_models.detector import Detector, Findings, Intervals

    OpenDetector = Callable[..., Detector]

BATCH: Final = 4096
"""Samples that are not kept waiting for the next tick."""
PEEK_MARGIN: Final = 0.5
"""What evidence must have beyond the level while its interval is open: it is looked at often."""
CALM_S: Final = 1800.0
"""How long a group whose incident was ended from outside must not open unless it was calm."""

_NOTHING: Final = np.zeros(0, np.int32)
_ANY: Final = np.zeros(1, np.int32)
"""Stands for whatever waits."""
_PATIENCE: Final = 3
"""Intervals without a sample after which a group is silent."""


class LearnedWatch:
    """One learned rule at work.

    Parameters
    ----------
    rule
        What to watch; its metric must be in the catalogue.
    installation
        Goes into the identity of every incident.
    opens
        Makes the detector; another one for a trial.

    Attributes
    ----------
    fleet
        Groups that share the rule's budget, its own included.
    """

    def __init__(
        self,
        rule: Rule,
        catalogue: Catalogue,
        installation: str,
        opens: OpenDetector = open_detector,
    ) -> None:
        number = catalogue.id_of(rule.metric)
        if number is None or not isinstance(rule.condition, Anomaly):
            message = f"rule {rule.name}: no metric {rule.metric}, or nothing to learn"
            raise ValueError(message)
        self.rule = rule
        self.condition = rule.condition
        self.metric_id = number
        self.metric = catalogue[number]
        self.kind = metric_class(self.metric)
        self.groups = Lattice(number, rule.where, rule.condition.groupings)
        is_mean = self.metric.merge is Merge.MEAN
        self.intervals = IntervalRings(rule.window_s, skips_first=not is_mean)
        self.leaves = LeafMemory(rule.window_s, is_mean=is_mean)
        self.facts = GroupFacts()
        self._is_upward = self.metric.worse is Worse.HIGH
        self.phases = LifecycleState(rule, 1, is_upward=self._is_upward)
        self.detector = opens(self.kind, rule.window_s, worse=worse_direction(self.metric))
        self.fleet = 0
        self._groups = 0
        self._openings = Openings(self.metric, installation, self.groups, self.leaves, self.facts)
        self._cases = self._openings.cases
        self.open = self._cases.open
        self._buffer = IntakeBuffer(weighs_by_views=is_mean)

    @property
    def level(self) -> float:
        """The score from which a group breaches."""
        groups = max(self.fleet, len(self.groups))
        return level_of(self.condition.budget_per_week, groups, self.rule.window_s)

    def take(
        self, series: SeriesTable, settled: Settled, monotonic_ms: int
    ) -> tuple[NDArray[np.int32], int]:
        """Keep samples for the next look; no group has to be judged for them yet."""
        self._buffer.keep(series, settled, monotonic_ms)
        return (_ANY if self._buffer.waiting >= BATCH else _NOTHING), 0

    def judge(self, group: NDArray[np.int32], monotonic_ms: int) -> list[Turn]:
        """Look at everything that waits."""
        del group
        return self.tick(monotonic_ms)

    def tick(self, monotonic_ms: int) -> list[Turn]:
        """Look at the samples that wait, and at what time alone has closed."""
        touched, turns = self._absorb()
        count = len(self.groups)
        if not count:
            return turns
        for sums in self.intervals.due(count, monotonic_ms):
            turns += self._step(sums)
        if self.kind is MetricClass.RATIO and len(touched):
            turns += self._peek(touched, monotonic_ms)
        return turns + self._idle(monotonic_ms)

    @property
    def is_moving(self) -> bool:
        """True when time alone may change something."""
        return bool(self._buffer.waiting) or len(self.groups) > 0

    def moments(self, monotonic_ms: int) -> NDArray[np.int64]:
        """Return when, on the monotonic clock, the next look may see something new."""
        if self._buffer.waiting:
            return np.array([monotonic_ms + 1], np.int64)
        count = len(self.groups)
        closes = self.intervals.closes_ms(count)
        if self.phases.is_idle:
            return closes
        every = np.arange(count, dtype=np.int32)[self.phases.phase[:count] != Phase.NORMAL]
        patience_ms = round(_PATIENCE * self.rule.window_s * 1000)
        ahead = self.facts.judged_at[every] + patience_ms - self.intervals.now(every, monotonic_ms)
        moments: NDArray[np.int64] = np.r_[closes, monotonic_ms + np.maximum(ahead, 1000)]
        return moments

    def values(self, group: NDArray[np.int32], monotonic_ms: int) -> NDArray[np.float64]:
        """Return the value of some groups over their newest interval; NaN before the first."""
        del monotonic_ms
        return self.facts.value[group].astype(np.float64)

    def drain(self) -> list[Decision]:
        """Return the decisions since the last call that are no turn of an incident."""
        return self._cases.drain()

    def edit(self, rule: Rule) -> None:
        """Judge by another rule of the same scope; what was learned stays.

        Raises
        ------
        ValueError
            If its scope is another one.
        """
        if rule.scope != self.rule.scope or not isinstance(rule.condition, Anomaly):
            message = f"rule {rule.name} watches something else now"
            raise ValueError(message)
        phases = LifecycleState(rule, 1, is_upward=self._is_upward)
        phases.carry(self.phases, [0])
        self.rule, self.condition, self.phases = rule, rule.condition, phases

    def adopt(self, incident: Incident, now: Instant) -> None:
        """Take over an incident that the store says is open."""
        group = self.groups.intern(incident.breakdowns)
        if group == NO_GROUP:
            return
        self.reserve()
        self._cases.adopt(group, incident)
        self.intervals.begin(group, now.at, now.monotonic_ms)
        self.facts.hit[group] = max(self.facts.hit[group], incident.affected_views)
        self.phases.reopen(group, 0, incident.peak_value, now.at)

    def disown_others(self) -> None:
        """Put groups into NORMAL that the snapshot has open and the store has not.

        Their incident ended after the snapshot, or somebody has ended it. The
        evidence that the model still holds would open another one, so they
        wait until they were calm.
        """
        for group in self.phases.active().tolist():
            if group not in self.open and self.phases.is_open(group):
                self.phases.settle(group)
                until_at = int(self.intervals.newest_at[group]) + round(CALM_S * 1000)
                self.facts.wait_for_calm(group, until_at)

    def reserve(self) -> None:
        """Make room for every group and leaf."""
        self.leaves.reserve(len(self.groups.leaves))
        count = len(self.groups)
        if count == self._groups:
            return
        self._groups = count
        self.intervals.reserve(count)
        self.facts.reserve(count)
        self.phases.reserve(count)
        self.detector.resize(count, self.groups.parents[:count])

    def _absorb(self) -> tuple[NDArray[np.int32], list[Turn]]:
        """Count the samples that wait; return their groups, and what older intervals say."""
        turns: list[Turn] = []
        waiting = self._buffer.pour(self.groups)
        if waiting is None:
            return _NOTHING, turns
        self.reserve()
        self.leaves.move_on(int(waiting.at.max()), learns=not self.open)
        self.leaves.add(waiting.leaf, waiting.weight, waiting.views)
        samples = waiting.by_group(self.groups)
        for sums in self.intervals.add(samples):
            turns += self._step(sums)
        return np.unique(samples.group), turns

    def _step(self, sums: Sums) -> list[Turn]:
        """Judge a closed interval of some groups, and learn from it."""
        intervals = intervals_of(self.metric, sums)
        group = intervals.group
        if not len(group):
            return []
        phase = self.phases.phase[group]
        is_open = (phase == Phase.OPEN) | (phase == Phase.CLEARING)
        findings = self.detector.step(intervals, is_open)
        facts = self.facts
        clears = is_calm(intervals, findings, self.level)
        hit = facts.hit[group] + hit_by(self.metric, intervals, findings)
        facts.hit[group] = np.where(clears & ~is_open, 0.0, hit)
        facts.note(intervals, findings, hit)
        facts.close(findings)
        facts.calm_after[group[clears | (facts.calm_after[group] <= findings.at)]] = NEVER
        opens = (findings.score >= self.level) & (facts.calm_after[group] == NEVER)
        return self._conclude(self._judged(intervals, findings, Stand(opens, clears, hit)))

    def _peek(self, touched: NDArray[np.int32], monotonic_ms: int) -> list[Turn]:
        """Judge what is still open of some groups, where it lies outside its band already."""
        sums = self.intervals.open(touched[self.phases.phase[touched] < Phase.OPEN])
        intervals = intervals_of(self.metric, sums)
        facts = self.facts
        is_high = intervals.value > facts.high[intervals.group]
        is_high &= facts.calm_after[intervals.group] == NEVER
        if not is_high.any():
            return []
        intervals = chosen(intervals, is_high)
        findings = self.detector.peek(intervals)
        hit = facts.hit[findings.group] + hit_by(self.metric, intervals, findings)
        opens = findings.score >= self.level + PEEK_MARGIN
        verdicts = self._judged(intervals, findings, Stand(opens, ~opens, hit))
        is_breach = verdicts.verdict == Verdict.BREACH
        if not is_breach.any():
            return []
        facts.note(intervals, findings, hit)
        now = self.intervals.now(verdicts.group, monotonic_ms)
        verdicts = replace(verdicts, at=np.minimum(verdicts.at, now))
        return self._conclude(verdicts.take(is_breach))

    def _idle(self, monotonic_ms: int) -> list[Turn]:
        """Let time pass for the groups that something is going on in and nothing is heard of."""
        group = self.phases.active()
        now = self.intervals.now(group, monotonic_ms)
        patience_ms = round(_PATIENCE * self.rule.window_s * 1000)
        is_silent = now - self.facts.judged_at[group] >= patience_ms
        if not is_silent.any():
            return []
        silent = absent(group[is_silent], now[is_silent], is_upward=self._is_upward)
        return self._conclude(silent)

    def _judged(self, intervals: Intervals, findings: Findings, stand: Stand) -> VerdictBatch:
        return judge(
            self.metric,
            intervals,
            findings,
            stand,
            min_affected_views=self.condition.min_affected_views,
            is_upward=self._is_upward,
        )

    def _conclude(self, verdicts: VerdictBatch) -> list[Turn]:
        return self._openings.conclude(self.rule, self.condition, self.phases, verdicts)
