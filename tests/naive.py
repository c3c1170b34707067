"""The core once more, slow and obvious: it judges the fast one.

One sample, one group and one number at a time, in dictionaries and lists. Every
sample is kept for ever, and every window is added up anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from playwatch.core.metrics import Catalogue, Merge, Metric
from playwatch.core.rules import Threshold

if TYPE_CHECKING:
    from playwatch.core.rules import Comparison, Rule

BUCKETS = 20

Dimensions = tuple[tuple[str, str], ...]
Group = tuple[str, ...]


@dataclass(eq=False)
class Sample:
    """One sample; it is itself, whatever its numbers are."""

    metric: str
    dimensions: Dimensions
    at: int
    value: float
    views: int

    @property
    def series(self) -> tuple[str, Dimensions]:
        return self.metric, self.dimensions


class Totals(NamedTuple):
    sums: float
    views: int
    samples: int


class Verdict(NamedTuple):
    word: str
    tier: int
    value: float
    views: float


class Turn(NamedTuple):
    """What happened to which incident, as it stands after."""

    word: str
    rule: str
    group: Group
    severity: str
    started_at: int
    opened_at: int
    resolved_at: int | None
    ended_at: int | None
    value: float
    peak: float
    threshold: float


@dataclass
class Life:
    """Where one group stands."""

    phase: str = "NORMAL"
    tier: int = -1
    over_since: dict[int, int] = field(default_factory=dict)
    clear_since: int | None = None
    seen_at: int | None = None
    peak: float = math.nan
    incident: Turn | None = None


def holds(comparison: Comparison, value: float, limit: float) -> bool:
    if comparison.value == ">":
        return value > limit
    if comparison.value == ">=":
        return value >= limit
    if comparison.value == "<":
        return value < limit
    return value <= limit


class NaiveClock:
    """The greatest time of a group's samples, and when that one came."""

    def __init__(self) -> None:
        self.newest_at: int | None = None
        self.first_at: int | None = None
        self.heard_ms = 0

    def hear(self, at: int, monotonic_ms: int) -> None:
        if self.newest_at is None or at > self.newest_at:
            self.newest_at = at
            self.heard_ms = monotonic_ms

    def now(self, monotonic_ms: int) -> int:
        assert self.newest_at is not None
        return self.newest_at + max(0, monotonic_ms - self.heard_ms)


class NaiveWatch:
    """One rule: which samples count, what it says, and what follows."""

    def __init__(self, rule: Rule, metric: Metric) -> None:
        assert isinstance(rule.condition, Threshold)
        self.rule = rule
        self.metric = metric
        self.condition = rule.condition
        self.bucket_ms = max(1, math.ceil(rule.window_s * 1000 / BUCKETS))
        self.clocks: dict[Group, NaiveClock] = {}
        self.kept: dict[Group, list[Sample]] = {}
        self.latest: dict[tuple[str, Dimensions], Sample] = {}
        self.lives: dict[Group, Life] = {}
        self.opened_at: dict[Group, int] = {}

    def group_of(self, sample: Sample) -> Group | None:
        dimensions = dict(sample.dimensions)
        if sample.metric != self.metric.key:
            return None
        for matcher in self.rule.where:
            if not matcher.matches(dimensions):
                return None
        return tuple(dimensions.get(name, "") for name in self.rule.by)

    def take(self, counted: list[Sample], withdrawn: list[Sample], monotonic_ms: int) -> list[Turn]:
        for kept in self.kept.values():
            for sample in withdrawn:
                if sample in kept:
                    kept.remove(sample)
        touched: dict[Group, list[Sample]] = {}
        for sample in counted:
            group = self.group_of(sample)
            if group is not None:
                touched.setdefault(group, []).append(sample)
        for group, samples in touched.items():
            clock = self.clocks.setdefault(group, NaiveClock())
            self.lives.setdefault(group, Life())
            if clock.first_at is None:
                clock.first_at = min(sample.at for sample in samples)
            for sample in samples:
                clock.hear(sample.at, monotonic_ms)
            for sample in samples:
                self.kept.setdefault(group, []).append(sample)
                self._keep_latest(sample, clock)
        return self.judge(list(touched), monotonic_ms)

    def _keep_latest(self, sample: Sample, clock: NaiveClock) -> None:
        assert clock.newest_at is not None
        if sample.at <= clock.newest_at - self.rule.window_s * 1000:
            return
        before = self.latest.get(sample.series)
        if before is None or sample.at >= before.at:
            self.latest[sample.series] = sample

    def tick(self, monotonic_ms: int) -> list[Turn]:
        for series, sample in list(self.latest.items()):
            group = self.group_of(sample)
            assert group is not None
            now = self.clocks[group].now(monotonic_ms)
            if sample.at <= now - self.rule.window_s * 1000:
                del self.latest[series]
        active = [group for group, life in self.lives.items() if life.phase != "NORMAL"]
        return self.judge(active, monotonic_ms)

    def totals(self, group: Group, at: int) -> Totals:
        if self.metric.merge is Merge.LATEST:
            mine = [sample for sample in self.latest.values() if self.group_of(sample) == group]
            return Totals(sum(s.value for s in mine), sum(s.views for s in mine), len(mine))
        first = at // self.bucket_ms - (BUCKETS - 1)
        mine = [sample for sample in self.kept[group] if sample.at // self.bucket_ms >= first]
        if self.metric.merge is Merge.MEAN:
            sums = sum(sample.value * sample.views for sample in mine)
        else:
            sums = sum(sample.value for sample in mine)
        return Totals(sums, sum(sample.views for sample in mine), len(mine))

    def is_whole(self, group: Group, at: int) -> bool:
        """Return whether a group has been heard of for as long as the window is."""
        first_at = self.clocks[group].first_at
        assert first_at is not None
        if self.metric.merge is Merge.LATEST:
            return at - self.rule.window_s * 1000 >= first_at
        bucket_ms = self.bucket_ms
        return (at // bucket_ms - (BUCKETS - 1)) * bucket_ms >= first_at

    def views(self, totals: Totals) -> float:
        if self.metric.measures_audience:
            return totals.sums
        if self.metric.views_are_audience:
            return totals.views / totals.samples
        return float(totals.views)

    def verdict(self, group: Group, totals: Totals, at: int) -> Verdict:
        if totals.samples == 0:
            return Verdict("ABSENT", -1, math.nan, 0.0)
        views = self.views(totals)
        if self.metric.merge is not Merge.MEAN:
            value = totals.sums
        elif totals.views > 0:
            value = totals.sums / totals.views
        else:
            return Verdict("HOLD", -1, math.nan, views)
        if views < self.rule.min_views:
            return Verdict("HOLD", -1, value, views)
        is_downward = self.condition.comparison.value in {"<", "<="}
        adds_up = self.metric.merge is not Merge.MEAN
        may_breach = not (is_downward and adds_up) or self.is_whole(group, at)
        tier = -1
        for number, level in enumerate(self.condition.tiers):
            if may_breach and holds(self.condition.comparison, value, level.limit):
                tier = number
        if tier >= 0:
            return Verdict("BREACH", tier, value, views)
        resolve = self.condition.resolve
        if holds(resolve.comparison, value, resolve.limit):
            return Verdict("CLEAR", -1, value, views)
        return Verdict("HOLD", -1, value, views)

    def judge(self, groups: list[Group], monotonic_ms: int) -> list[Turn]:
        turns = []
        for group in groups:
            at = self.clocks[group].now(monotonic_ms)
            turn = self.step(group, self.verdict(group, self.totals(group, at), at), at)
            if turn is not None:
                turns.append(turn)
        return turns

    def step(self, group: Group, verdict: Verdict, at: int) -> Turn | None:
        life = self.lives[group]
        self._note_times(life, verdict, at)
        if life.phase in {"NORMAL", "PENDING"}:
            return self._step_closed(group, life, verdict, at)
        return self._step_open(life, verdict, at)

    def _note_times(self, life: Life, verdict: Verdict, at: int) -> None:
        """Bring up to date since when each tier, and the recovery, has held."""
        if verdict.word in {"BREACH", "CLEAR"} or life.seen_at is None:
            life.seen_at = at
        life.seen_at = min(life.seen_at, at)
        is_forgiven = verdict.word == "ABSENT" and at - life.seen_at < self.rule.window_s * 1000
        for number in range(len(self.condition.tiers)):
            if verdict.tier >= number:
                life.over_since.setdefault(number, at)
            elif not is_forgiven:
                life.over_since.pop(number, None)
        if verdict.word == "CLEAR":
            if life.clear_since is None:
                life.clear_since = at
        elif not is_forgiven:
            life.clear_since = None

    def _step_closed(self, group: Group, life: Life, verdict: Verdict, at: int) -> Turn | None:
        assert life.seen_at is not None
        life.clear_since = None
        if verdict.word == "BREACH":
            life.phase = "PENDING"
            if at - life.over_since[0] >= self.rule.for_s * 1000:
                return self._open(group, life, verdict, at)
            return None
        is_patient = at - life.seen_at < self.rule.window_s * 1000
        if not (life.phase == "PENDING" and verdict.word == "ABSENT" and is_patient):
            life.phase = "NORMAL"
            life.over_since.clear()
        return None

    def _step_open(self, life: Life, verdict: Verdict, at: int) -> Turn | None:
        assert life.seen_at is not None
        if verdict.word in {"BREACH", "CLEAR"}:
            life.peak = self._worse(life.peak, verdict.value)
        if verdict.word == "BREACH":
            life.phase, life.clear_since = "OPEN", None
            return self._rise(life, verdict, at)
        if verdict.word == "CLEAR":
            life.phase = "CLEARING"
            assert life.clear_since is not None
            if at - life.clear_since >= self.rule.resolve_for_s * 1000:
                return self._end("resolved", life, life.clear_since, at)
            return None
        if at - life.seen_at >= self.rule.expire_after_s * 1000:
            return self._end("expired", life, life.seen_at, at)
        if verdict.word == "HOLD":
            life.phase, life.clear_since = "OPEN", None
        return None

    def _held_tier(self, life: Life, at: int) -> int:
        held = [
            number
            for number, since in life.over_since.items()
            if at - since >= self.rule.for_s * 1000
        ]
        return max(held, default=-1)

    def _open(self, group: Group, life: Life, verdict: Verdict, at: int) -> Turn:
        life.phase = "OPEN"
        life.tier = self._held_tier(life, at)
        life.peak = verdict.value
        level = self.condition.tiers[life.tier]
        self.opened_at[group] = max(at, self.opened_at.get(group, at - 1) + 1)
        life.incident = Turn(
            word="opened",
            rule=self.rule.name,
            group=group,
            severity=level.severity.word,
            started_at=life.over_since[0],
            opened_at=self.opened_at[group],
            resolved_at=None,
            ended_at=None,
            value=verdict.value,
            peak=life.peak,
            threshold=level.limit,
        )
        return life.incident

    def _rise(self, life: Life, verdict: Verdict, at: int) -> Turn | None:
        assert life.incident is not None
        tier = self._held_tier(life, at)
        if tier <= life.tier:
            return None
        life.tier = tier
        level = self.condition.tiers[tier]
        life.incident = life.incident._replace(
            word="rose",
            severity=level.severity.word,
            value=verdict.value,
            peak=life.peak,
            threshold=level.limit,
        )
        return life.incident

    def _end(self, word: str, life: Life, since: int, at: int) -> Turn:
        assert life.incident is not None
        begun = life.incident
        ended = begun._replace(
            word=word,
            resolved_at=max(since, begun.started_at),
            ended_at=max(at, begun.opened_at),
            peak=life.peak,
        )
        seen_at = life.seen_at
        life.__init__()  # type: ignore[misc]  # a life begins anew
        life.seen_at = seen_at
        return ended

    def _worse(self, one: float, other: float) -> float:
        if math.isnan(one):
            return other
        return (
            max(one, other) if self.condition.comparison.value in {">", ">="} else min(one, other)
        )


class NaivePipeline:
    """Every rule, over every sample."""

    def __init__(self, catalogue: Catalogue, rules: list[Rule]) -> None:
        self.watches = []
        for rule in rules:
            metric = catalogue.find(rule.metric)
            assert metric is not None
            self.watches.append(NaiveWatch(rule, metric))
        self.newest: dict[tuple[str, Dimensions], Sample] = {}

    def take(self, batch: list[Sample], monotonic_ms: int) -> list[Turn]:
        counted: list[Sample] = []
        withdrawn: list[Sample] = []
        for sample in batch:
            newest = self.newest.get(sample.series)
            if newest is not None and newest.at == sample.at:
                if newest in counted:
                    counted.remove(newest)
                else:
                    withdrawn.append(newest)
            counted.append(sample)
            if newest is None or sample.at >= newest.at:
                self.newest[sample.series] = sample
        return [
            turn for watch in self.watches for turn in watch.take(counted, withdrawn, monotonic_ms)
        ]

    def tick(self, monotonic_ms: int) -> list[Turn]:
        return [turn for watch in self.watches for turn in watch.tick(monotonic_ms)]
