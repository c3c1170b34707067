"""A learned rule at work: its lattice, its intervals, its model, its open incidents.

Samples are looked at once a second, or sooner where many come at once: all share
what the model costs, and none on its way to a threshold rule waits for it. What
closes is judged and learned; an open ratio is judged outside its band, not learned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.anomaly import absent, chosen, gated, held, hit_by, intervals_of, verdicts_of
from playwatch.core.audience_intervals import AudienceMemory
from playwatch.core.group_facts import GroupFacts
from playwatch.core.groups import NO_GROUP
from playwatch.core.incidents import Change
from playwatch.core.intake_buffer import IntakeBuffer
from playwatch.core.intervals import IntervalRings
from playwatch.core.lattice import Lattice
from playwatch.core.leaves import LeafMemory
from playwatch.core.lifecycle import LifecycleState
from playwatch.core.metric_kinds import metric_class, worse_direction
from playwatch.core.metrics import Merge, Worse
from playwatch.core.openings import Openings
from playwatch.core.phases import Phase
from playwatch.core.recovery import settle
from playwatch.core.rules import Anomaly
from playwatch.core.series import NEVER
from playwatch.core.vacancies import Vacancies
from playwatch.core.verdicts import Verdict
from playwatch_models.calibration import Budget
from playwatch_models.classes import MetricClass
from playwatch_models.decision import Decider
from playwatch_models.detector import AddsUp
from playwatch_models.registry import WORTH, open_detector

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from playwatch.core.casebook import Turn
    from playwatch.core.incidents import Incident
    from playwatch.core.intervals import Sums
    from playwatch.core.metrics import Catalogue
    from playwatch.core.replacement import Settled
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant
    from playwatch.core.series import SeriesTable
    from playwatch.core.verdicts import VerdictBatch
    from playwatch_models.detector import Detector

    OpenDetector = Callable[..., Detector]

BATCH: Final = 4096
"""Samples that are not kept waiting for the next tick."""
PEEK_MARGIN: Final = 0.5
"""What evidence must have beyond the level while its interval is open: it is looked at often."""
CALM_S: Final = 1800.0
"""How long a group whose incident was ended from outside must not open unless it was calm."""

_NOTHING: Final = np.zeros(0, np.int32)
_ANY: Final = np.zeros(1, np.int32)  # stands for whatever waits
_LEAST_SHARE: Final = 1e-6
PATIENCE: Final = 3
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
        is_audience = self.metric.merge is Merge.LATEST
        self.audience = AudienceMemory(rule.window_s) if is_audience else None
        self.facts = GroupFacts()
        self._is_upward = self.metric.worse is Worse.HIGH
        self.phases = LifecycleState(rule, 1, is_upward=self._is_upward)
        self._opens = opens
        self.start_anew()
        self._groups = self._moved_in = 0
        self.vacancies = Vacancies()
        self.openings = Openings(self.metric, installation, self.groups, self.leaves, self.facts)
        self._cases = self.openings.cases
        self.open, self.drain = self._cases.open, self._cases.drain
        self._buffer = IntakeBuffer(weighs_by_views=is_mean)

    def start_anew(self) -> None:
        """Forget everything that was learned."""
        rule, condition = self.rule, self.condition
        worse = worse_direction(self.metric)
        self.detector: Detector = self._opens(self.kind, rule.window_s, worse=worse)
        self.decider = Decider(
            Budget(condition.budget_per_week),
            rule.window_s,
            min_affected=condition.min_affected_views,
            merge_gap_s=rule.flap_within_s,
            worth=WORTH[self.kind],
        )

    @property
    def level(self) -> float:
        """How rare by chance what opens an incident must be, in powers of ten."""
        return self.decider.level

    def share(self, part: float) -> None:
        """Take only a part of the budget, where other rules share it."""
        self.decider.budget = Budget(self.condition.budget_per_week * max(part, _LEAST_SHARE))

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
        if (
            not (self._buffer.waiting or self.intervals.is_due(monotonic_ms))
            and self.phases.is_idle
        ):
            return []
        self.vacancies.look(self, self._buffer.series, monotonic_ms)
        touched, turns = self._absorb()
        for sums in self.intervals.due(self._groups, monotonic_ms):
            turns += self._step(sums)
        if self.kind is MetricClass.RATIO and len(touched):
            turns += self._peek(touched, monotonic_ms)
        return turns + self._idle(monotonic_ms)

    @property
    def waiting(self) -> int:
        """How many samples wait for the next look."""
        return self._buffer.waiting

    def values(self, group: NDArray[np.int32], monotonic_ms: int) -> NDArray[np.float64]:
        """Return the value of some groups over their newest interval; NaN before the first."""
        del monotonic_ms
        return self.facts.value[group].astype(np.float64)

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
        self.decider.require(rule.condition.min_affected_views, rule.flap_within_s)
        self.share(1.0)

    def adopt(self, incident: Incident, now: Instant) -> None:
        """Take over an incident that the store says is open."""
        if (group := self.groups.intern(incident.breakdowns)) == NO_GROUP:
            return
        self.reserve()
        self._cases.adopt(group, incident)
        self.intervals.begin(group, now.at, now.monotonic_ms)
        self.facts.hit[group] = max(self.facts.hit[group], incident.affected_views)
        self.phases.reopen(group, 0, incident.peak_value, now.at)

    def goes_on(self, group: int) -> bool:
        """Return whether an incident would be one without that which told of it."""
        return self.openings.goes_on(group, self.condition, self.phases, self.level)

    def disown_others(self) -> None:
        """Put groups into NORMAL that the snapshot has open and the store has not.

        Their incident ended after the snapshot, or somebody has ended it. The
        evidence that the model still holds would open another one, so they
        wait until they were calm.
        """
        for group in self.phases.active().tolist():
            if group not in self.open and self.phases.is_open(group):
                self.phases.settle(group)
                self.decider.forget(np.array([group], np.int32))
                until_at = int(self.intervals.newest_at[group]) + round(CALM_S * 1000)
                self.facts.wait_for_calm(group, until_at)

    def reserve(self) -> None:
        """Make room for every group and leaf."""
        self.leaves.reserve(len(self.groups.leaves))
        if self.audience is not None:
            self.audience.reserve(len(self.groups.leaves))
        count, moved_in = len(self.groups), self.groups.moved_in
        if (count, moved_in) == (self._groups, self._moved_in):
            return
        self._groups, self._moved_in = count, moved_in
        self.intervals.reserve(count)
        self.facts.reserve(count)
        self.phases.reserve(count)
        self.detector.resize(count, self.groups.parents[:count])
        self.decider.resize(count)

    def _absorb(self) -> tuple[NDArray[np.int32], list[Turn]]:
        """Count the samples that wait; return their groups, and what older intervals say."""
        turns: list[Turn] = []
        waiting = self._buffer.pour(self.groups)
        if waiting is None:
            return _NOTHING, turns
        self.reserve()
        self.leaves.hear(waiting, learns=not self.open)
        is_touched = np.zeros(len(self.groups), np.bool_)
        for part in [waiting] if self.audience is None else self.audience.parts(waiting):
            samples = part.by_group(self.groups)
            is_touched[samples.group] = True
            for sums in self.intervals.add(samples):
                turns += self._step(sums)
        return np.flatnonzero(is_touched).astype(np.int32), turns

    def _step(self, sums: Sums) -> list[Turn]:
        """Judge a closed interval of some groups, and learn from it."""
        if self.audience is not None:
            sums = self.audience.filled(sums, self.groups)
        intervals = intervals_of(self.metric, sums)
        if not len(group := intervals.group):
            return []
        facts, is_open = self.facts, np.isin(self.phases.phase[group], (Phase.OPEN, Phase.CLEARING))
        findings = self.detector.step(intervals, is_open | self.decider.is_open(group))
        hit = hit_by(self.metric, intervals, findings)
        calls = self.decider.decide(findings, gated(hit, self.condition.min_affected_views))
        is_over = settle(facts, intervals, findings, calls, is_open, kind=self.kind)
        self.decider.forget(group[is_over])
        is_new = findings.at > facts.peeked_at[group]
        is_calm = (is_over | (calls.call == Verdict.CLEAR)) & is_new
        facts.count(group, hit, is_past=is_calm & (self.phases.phase[group] < Phase.OPEN))
        facts.note(intervals, findings, calls, facts.hit[group])
        facts.close(findings)
        facts.calm_after[group[is_calm | (facts.calm_after[group] <= findings.at)]] = NEVER
        verdicts = verdicts_of(self.metric, intervals, findings, calls, is_upward=self._is_upward)
        verdicts.verdict[calls.call == Verdict.CLEAR] = Verdict.HOLD
        verdicts.verdict[is_calm] = Verdict.CLEAR
        return self._conclude(held(verdicts, facts.calm_after[group] != NEVER))

    def _peek(self, touched: NDArray[np.int32], monotonic_ms: int) -> list[Turn]:
        """Judge what is still open of some groups, where it lies outside its band already."""
        touched = touched[self.phases.phase[touched] < Phase.OPEN]
        intervals = intervals_of(self.metric, self.intervals.open(touched))
        facts = self.facts
        is_high = intervals.value > facts.high[intervals.group]
        is_high &= facts.may_open_early(intervals.group)
        if not is_high.any():
            return []
        intervals = chosen(intervals, is_high)
        findings = self.detector.peek(intervals)
        hit = hit_by(self.metric, intervals, findings)
        calls = self.decider.preview(findings, gated(hit, self.condition.min_affected_views))
        is_breach = (calls.call == Verdict.BREACH) & (calls.rarity >= calls.level + PEEK_MARGIN)
        if not is_breach.any():
            return []
        facts.note(intervals, findings, calls, np.maximum(facts.hit[findings.group] + hit, 0))
        verdicts = verdicts_of(self.metric, intervals, findings, calls, is_upward=self._is_upward)
        now = self.intervals.now(verdicts.group, monotonic_ms)
        facts.peeked_at[verdicts.group[is_breach]] = now[is_breach]
        verdicts = replace(verdicts, at=np.minimum(verdicts.at, now))
        return self._conclude(verdicts.take(is_breach))

    def _idle(self, monotonic_ms: int) -> list[Turn]:
        """Let time pass for the groups that something is going on in and nothing is heard of."""
        group = self.phases.active()
        now = self.intervals.now(group, monotonic_ms)
        patience_ms = round(PATIENCE * self.rule.window_s * 1000)
        is_silent = now - self.facts.judged_at[group] >= patience_ms
        if not is_silent.any():
            return []
        silent = absent(group[is_silent], now[is_silent], is_upward=self._is_upward)
        return self._conclude(silent)

    def _conclude(self, verdicts: VerdictBatch) -> list[Turn]:
        turns = self.openings.conclude(self.rule, self.condition, self.phases, verdicts)
        past = self.openings.past()
        self.decider.forget(past)
        if isinstance(self.detector, AddsUp):
            self.detector.drop_evidence(past)
        heads = [one for change, one in turns if change is Change.OPENED and not one.related_to]
        self.decider.spend(len(heads))
        return turns
