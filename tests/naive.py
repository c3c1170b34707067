"""The core once more, slow and obvious: it judges the fast one.

One sample, one group and one number at a time, in dictionaries and lists. Every
sample is kept for ever, and every window is added up anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from playwatch.core.metrics import Catalogue, Merge, Metric
from playwatch.core.rules import Aggregate, NoDataPolicy, Threshold

if TYPE_CHECKING:
    from playwatch.core.rules import Comparison, Rule

BUCKETS = 20
DEFAULTS = {Merge.MEAN: Aggregate.MEAN, Merge.SUM: Aggregate.SUM, Merge.LATEST: Aggregate.LAST}

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
    extreme: float | None = None


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
    flaps: int = 0
    is_silence: bool = False
    is_corrected: bool = False


@dataclass(eq=False)
class Moment:
    """What a decision was made on, with what came late since."""

    turn: Turn
    word: str
    tier: int
    at: int
    heard_at: int
    samples: list[Sample]
    extremes: list[float]
    is_contradicted: bool = False


@dataclass
class Life:
    """Where one group stands."""

    phase: str = "NORMAL"
    tier: int = -1
    over_since: dict[int, int] = field(default_factory=dict)
    clear_since: int | None = None
    seen_at: int | None = None
    peak: float = math.nan
    linger_until: int = 0
    incident: Turn | None = None


def holds(comparison: Comparison, value: float, limit: float) -> bool:
    if comparison.value == ">":
        return value > limit
    if comparison.value == ">=":
        return value >= limit
    if comparison.value == "<":
        return value < limit
    return value <= limit


def chance(hits: int, tries: int, share: Fraction) -> Fraction:
    """Return the chance of so many hits or more, exactly."""
    return sum(
        (
            math.comb(tries, n) * share**n * (1 - share) ** (tries - n)
            for n in range(hits, tries + 1)
        ),
        start=Fraction(0),
    )


def is_sure(comparison: Comparison, limit: float, confidence: float, hits: int, tries: int) -> bool:
    """Return whether the Clopper-Pearson bound of a share is beyond a limit."""
    share = Fraction(repr(limit)) / 100
    if comparison.value in {"<", "<="}:
        hits, share = tries - hits, 1 - share
    if hits <= tries * share:
        return False
    tail, doubt = chance(hits, tries, share), 1 - Fraction(repr(confidence))
    return tail <= doubt if comparison.value in {">=", "<="} else tail < doubt


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


def _agrees(moment: Moment, verdict: Verdict) -> bool:
    """Return whether a moment would be decided the same way by a verdict."""
    return verdict.word == "CLEAR" if moment.word == "resolved" else verdict.tier >= moment.tier


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
        self.aggregate = rule.aggregate or DEFAULTS[metric.merge]
        self.is_latest = self.aggregate is Aggregate.LAST
        self.is_mean = self.aggregate is Aggregate.MEAN or (
            self.is_latest and metric.merge is Merge.MEAN
        )
        self.extremes: dict[Group, dict[int, list[float]]] = {}
        self.unheard: set[Group] = set()
        self.began_ms: int | None = None
        self.moments: dict[Group, list[Moment]] = {}

    def group_of(self, sample: Sample) -> Group | None:
        dimensions = dict(sample.dimensions)
        if sample.metric != self.metric.key:
            return None
        for matcher in self.rule.where:
            if not matcher.matches(dimensions):
                return None
        return tuple(dimensions.get(name, "") for name in self.rule.by)

    def take(self, counted: list[Sample], withdrawn: list[Sample], monotonic_ms: int) -> list[Turn]:
        self._begin(monotonic_ms)
        revised: list[tuple[Group, Moment]] = []
        for owner, kept in self.kept.items():
            for sample in withdrawn:
                if sample in kept:
                    kept.remove(sample)
                    self._forget_extreme(owner, sample)
                    revised += self._revise(owner, sample, counts=False)
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
            self._keep(group, samples, monotonic_ms)
            for sample in samples:
                revised += self._revise(group, sample, counts=True)
        return [*self._corrected(revised), *self.judge(list(touched), monotonic_ms)]

    def _keep(self, group: Group, samples: list[Sample], monotonic_ms: int) -> None:
        clock = self.clocks[group]
        for sample in samples:
            clock.hear(sample.at, monotonic_ms)
        for sample in samples:
            self.kept.setdefault(group, []).append(sample)
            self._keep_latest(sample, clock)
            self._keep_extreme(group, sample)

    def _revise(self, group: Group, sample: Sample, *, counts: bool) -> list[tuple[Group, Moment]]:
        """Add a late sample to the moments it is late to, or take it out of them."""
        newest_at = self.clocks[group].newest_at
        assert newest_at is not None
        revised = []
        for moment in self.moments.get(group, []):
            last = max(newest_at, moment.at) // self.bucket_ms
            if sample.at >= moment.heard_at or sample.at // self.bucket_ms <= last - BUCKETS:
                continue
            revised.append((group, moment))
            if not counts:
                moment.samples.remove(sample)
                continue
            moment.samples.append(sample)
            if sample.views > 0 or self.metric.merge is not Merge.MEAN:
                moment.extremes.append(sample.value)
        return revised

    def _corrected(self, revised: list[tuple[Group, Moment]]) -> list[Turn]:
        """Return the incidents of which late data say something else now."""
        turns = {}
        for group, moment in revised:
            totals = self._sum(moment.samples, self._furthest(moment.extremes))
            verdict = self.verdict(group, totals, moment.at)
            if _agrees(moment, verdict) == moment.is_contradicted:
                moment.is_contradicted = not moment.is_contradicted
                turns[moment.turn.opened_at] = group
        corrected = []
        for opened_at, group in turns.items():
            mine = [one for one in self.moments[group] if one.turn.opened_at == opened_at]
            is_corrected = any(one.is_contradicted for one in mine)
            turn = mine[0].turn._replace(word="corrected", is_corrected=is_corrected)
            incident = self.lives[group].incident
            if incident is not None and incident.opened_at == opened_at:
                self.lives[group].incident = turn
            for one in mine:
                one.turn = turn
            corrected.append(turn)
        return corrected

    def _remember(
        self, group: Group, turn: Turn, verdict: Verdict, at: int, mine: list[Sample]
    ) -> None:
        moments = self.moments.setdefault(group, [])
        for one in moments:
            if one.turn.opened_at == turn.opened_at:
                one.turn = turn
        if turn.word not in {"opened", "rose", "resolved"} or self.is_latest:
            return
        heard_at = self.clocks[group].newest_at
        assert heard_at is not None
        first = at // self.bucket_ms - (BUCKETS - 1)
        extremes = [
            value
            for bucket, values in self.extremes.get(group, {}).items()
            if bucket >= first
            for value in values
        ]
        tier = -1 if turn.word == "resolved" else self.lives[group].tier
        moment = Moment(turn, turn.word, tier, at, heard_at, mine, extremes)
        is_silence = turn.word == "opened" and turn.is_silence
        if _agrees(moment, verdict) and not is_silence:
            moments[:] = [
                one
                for one in moments
                if (one.turn.opened_at, one.word) != (turn.opened_at, turn.word)
            ]
            moments.append(moment)

    def _begin(self, monotonic_ms: int) -> None:
        if self.began_ms is None:
            self.began_ms = monotonic_ms

    def _keep_extreme(self, group: Group, sample: Sample) -> None:
        """Keep the values of each bucket; only an emptied bucket forgets."""
        if sample.views > 0 or self.metric.merge is not Merge.MEAN:
            buckets = self.extremes.setdefault(group, {})
            buckets.setdefault(sample.at // self.bucket_ms, []).append(sample.value)

    def _forget_extreme(self, group: Group, sample: Sample) -> None:
        bucket = sample.at // self.bucket_ms
        if not any(other.at // self.bucket_ms == bucket for other in self.kept[group]):
            self.extremes.get(group, {}).pop(bucket, None)

    def _keep_latest(self, sample: Sample, clock: NaiveClock) -> None:
        assert clock.newest_at is not None
        if sample.at <= clock.newest_at - self.rule.window_s * 1000:
            return
        before = self.latest.get(sample.series)
        if before is None or sample.at >= before.at:
            self.latest[sample.series] = sample

    def tick(self, monotonic_ms: int) -> list[Turn]:
        for owner, moments in self.moments.items():
            last = self.clocks[owner].now(monotonic_ms) // self.bucket_ms
            moments[:] = [one for one in moments if one.at // self.bucket_ms > last - BUCKETS]
        for series, sample in list(self.latest.items()):
            group = self.group_of(sample)
            assert group is not None
            now = self.clocks[group].now(monotonic_ms)
            if sample.at <= now - self.rule.window_s * 1000:
                del self.latest[series]
        self._begin(monotonic_ms)
        active = [
            group
            for group, life in self.lives.items()
            if life.phase != "NORMAL" or self.is_gone(group, monotonic_ms)
        ]
        return self.judge(active, monotonic_ms)

    def silence_ms(self, group: Group, monotonic_ms: int) -> int:
        """Return how long nothing came, as far as anybody listened."""
        assert self.began_ms is not None
        return max(0, monotonic_ms - max(self.clocks[group].heard_ms, self.began_ms))

    def is_gone(self, group: Group, monotonic_ms: int) -> bool:
        return self.silence_ms(group, monotonic_ms) >= self.rule.no_data.after_s * 1000

    def totals(self, group: Group, at: int) -> Totals:
        return self._sum(self._in_window(group, at), self._extreme(group, at))

    def _in_window(self, group: Group, at: int) -> list[Sample]:
        if self.is_latest:
            return [sample for sample in self.latest.values() if self.group_of(sample) == group]
        first = at // self.bucket_ms - (BUCKETS - 1)
        return [sample for sample in self.kept[group] if sample.at // self.bucket_ms >= first]

    def _sum(self, mine: list[Sample], extreme: float | None) -> Totals:
        if self.is_mean:
            sums = sum(sample.value * sample.views for sample in mine)
        else:
            sums = sum(sample.value for sample in mine)
        return Totals(sums, sum(sample.views for sample in mine), len(mine), extreme)

    def _extreme(self, group: Group, at: int) -> float | None:
        first = at // self.bucket_ms - (BUCKETS - 1)
        values = [
            value
            for bucket, values in self.extremes.get(group, {}).items()
            if bucket >= first
            for value in values
        ]
        return self._furthest(values)

    def _furthest(self, values: list[float]) -> float | None:
        if self.aggregate not in {Aggregate.MIN, Aggregate.MAX}:
            return None
        best = max if self.aggregate is Aggregate.MAX else min
        return best(values, default=math.nan)

    def is_whole(self, group: Group, at: int) -> bool:
        """Return whether a group has been heard of for as long as the window is."""
        first_at = self.clocks[group].first_at
        assert first_at is not None
        if self.is_latest:
            return at - self.rule.window_s * 1000 >= first_at
        bucket_ms = self.bucket_ms
        return (at // bucket_ms - (BUCKETS - 1)) * bucket_ms >= first_at

    def value(self, totals: Totals) -> float:
        if totals.extreme is not None:
            return totals.extreme
        if not self.is_mean:
            return totals.sums
        return totals.sums / totals.views if totals.views > 0 else math.nan

    def verdict(self, group: Group, totals: Totals, at: int) -> Verdict:
        if totals.samples == 0:
            return Verdict("ABSENT", -1, math.nan, 0.0)
        value = self.value(totals)
        views = float(totals.views)
        if self.metric.measures_audience:
            views = 0.0 if math.isnan(value) else value
        elif self.metric.views_are_audience:
            views = totals.views / totals.samples
        if math.isnan(value) or views < self.rule.min_views:
            return Verdict("HOLD", -1, value, views)
        tier = -1
        for number, level in enumerate(self.condition.tiers):
            if self._crosses(group, totals, value, level.limit, at):
                tier = number
        if tier >= 0:
            return Verdict("BREACH", tier, value, views)
        resolve = self.condition.resolve
        if holds(resolve.comparison, value, resolve.limit):
            return Verdict("CLEAR", -1, value, views)
        return Verdict("HOLD", -1, value, views)

    def _crosses(self, group: Group, totals: Totals, value: float, limit: float, at: int) -> bool:
        comparison = self.condition.comparison
        if not holds(comparison, value, limit):
            return False
        is_downward = comparison.value in {"<", "<="}
        if self.aggregate is Aggregate.MIN:
            must_be_whole = not is_downward
        elif self.aggregate is Aggregate.MAX:
            must_be_whole = is_downward
        else:
            must_be_whole = is_downward and not self.is_mean
        if must_be_whole and not self.is_whole(group, at):
            return False
        if not self.rule.confidence:
            return True
        hits = min(round(totals.sums / 100), totals.views)
        return is_sure(comparison, limit, self.rule.confidence, hits, totals.views)

    def judge(self, groups: list[Group], monotonic_ms: int) -> list[Turn]:
        turns = []
        for group in groups:
            at = self.clocks[group].now(monotonic_ms)
            verdict = self.verdict(group, self.totals(group, at), at)
            if verdict.word != "ABSENT":
                self.unheard.discard(group)
            mine = self._in_window(group, at)
            for turn in self.step(group, verdict, at, monotonic_ms):
                self._remember(group, turn, verdict, at, mine)
                turns.append(turn)
        return turns

    def step(  # noqa: PLR0911 - one return for each way out
        self, group: Group, verdict: Verdict, at: int, monotonic_ms: int
    ) -> list[Turn]:
        life = self.lives[group]
        policy = self.rule.no_data.policy
        is_absent = verdict.word == "ABSENT"
        is_gone = is_absent and self.is_gone(group, monotonic_ms)
        silent_since = at - self.silence_ms(group, monotonic_ms)
        if life.phase in {"OPEN", "CLEARING"} and life.tier < 0 and verdict.word == "HOLD":
            verdict = verdict._replace(word="CLEAR", value=math.nan)
        if life.phase == "LINGERING":
            return self._step_lingering(group, life, verdict, at, is_gone=is_gone)
        self._note_times(life, verdict, at)
        assert life.seen_at is not None
        if life.phase in {"NORMAL", "PENDING"}:
            if is_gone and policy is NoDataPolicy.OPEN and group not in self.unheard:
                return self._open_silence(group, life, at, silent_since)
            if is_gone and policy is NoDataPolicy.RESOLVE:
                life.phase = "NORMAL"
                life.over_since.clear()
                return []
            return self._step_closed(group, life, verdict, at)
        has_expired = at - life.seen_at >= self.rule.expire_after_s * 1000
        if is_gone and not has_expired and policy is NoDataPolicy.OPEN:
            self.unheard.add(group)
            life.phase, life.clear_since = "OPEN", None
            return []
        if is_gone and not has_expired and policy is NoDataPolicy.RESOLVE:
            return self._end("resolved", life, silent_since, at)
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
        if life.phase == "LINGERING":
            return
        if verdict.word == "CLEAR":
            if life.clear_since is None:
                life.clear_since = at
        elif not is_forgiven:
            life.clear_since = None

    def _is_active(self, at: int) -> bool:
        """Return whether a moment lies in the active hours, in words of the calendar."""
        active = self.rule.active
        if active is None:
            return True
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at)
        local = moment.astimezone(active.zone)
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday(), (local - timedelta(days=1)).weekday()
        if active.first < active.end:
            return today in active.days and active.first <= minute < active.end
        return (today in active.days and minute >= active.first) or (
            yesterday in active.days and minute < active.end
        )

    def _step_closed(self, group: Group, life: Life, verdict: Verdict, at: int) -> list[Turn]:
        assert life.seen_at is not None
        life.clear_since = None
        if verdict.word == "BREACH":
            life.phase = "PENDING"
            if at - life.over_since[0] >= self.rule.for_s * 1000 and self._is_active(at):
                return [self._open(group, life, verdict, at)]
            return []
        is_patient = at - life.seen_at < self.rule.window_s * 1000
        if not (life.phase == "PENDING" and verdict.word == "ABSENT" and is_patient):
            life.phase = "NORMAL"
            life.over_since.clear()
        return []

    def _step_open(self, life: Life, verdict: Verdict, at: int) -> list[Turn]:
        assert life.seen_at is not None
        if verdict.word in {"BREACH", "CLEAR"} and not math.isnan(verdict.value):
            self._note_peak(life, verdict)
        if verdict.word == "BREACH":
            life.phase, life.clear_since = "OPEN", None
            return self._rise(life, verdict, at)
        if verdict.word == "CLEAR":
            life.phase = "CLEARING"
            assert life.clear_since is not None
            if at - life.clear_since >= self.rule.resolve_for_s * 1000:
                return self._end("resolved", life, life.clear_since, at)
            return []
        if at - life.seen_at >= self.rule.expire_after_s * 1000:
            return self._end("expired", life, life.seen_at, at)
        if verdict.word == "HOLD":
            life.phase, life.clear_since = "OPEN", None
        return []

    def _step_lingering(
        self,
        group: Group,
        life: Life,
        verdict: Verdict,
        at: int,
        *,
        is_gone: bool,
    ) -> list[Turn]:
        """Go on where it would open again, end where it has stayed away long enough."""
        self._note_times(life, verdict, at)
        if verdict.word in {"BREACH", "CLEAR"}:
            self._note_peak(life, verdict)
        is_breach = verdict.word == "BREACH"
        opens = is_breach and at - life.over_since[0] >= self.rule.for_s * 1000
        if is_gone and self.rule.no_data.policy is NoDataPolicy.OPEN:
            opens = group not in self.unheard
        if opens and self._is_active(at):
            assert life.incident is not None
            life.phase, life.clear_since = "OPEN", None
            flapped = life.incident._replace(word="flapped", flaps=life.incident.flaps + 1)
            life.incident = flapped
            if is_gone:
                life.seen_at = at
                self.unheard.add(group)
                return [flapped]
            return [flapped, *self._rise(life, verdict, at)]
        if at < life.linger_until:
            return []
        assert life.clear_since is not None
        over_since, seen_at = dict(life.over_since), life.seen_at
        ended = self._close("resolved", life, life.clear_since, at)
        if is_breach:
            life.phase, life.over_since, life.seen_at = "PENDING", over_since, seen_at
        return [ended]

    def _note_peak(self, life: Life, verdict: Verdict) -> None:
        if not math.isnan(verdict.value):
            life.peak = self._worse(life.peak, verdict.value)

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
        return self._begin_incident(group, life, at, life.over_since[0], verdict.value)

    def _open_silence(self, group: Group, life: Life, at: int, since: int) -> list[Turn]:
        if not self._is_active(at):
            life.phase = "NORMAL"
            life.over_since.clear()
            return []
        self.unheard.add(group)
        life.phase, life.tier, life.seen_at, life.peak = "OPEN", -1, at, math.nan
        return [self._begin_incident(group, life, at, since, math.nan)]

    def _begin_incident(self, group: Group, life: Life, at: int, since: int, value: float) -> Turn:
        level = self.condition.tiers[max(0, life.tier)]
        self.opened_at[group] = max(at, self.opened_at.get(group, at - 1) + 1)
        life.incident = Turn(
            word="opened",
            rule=self.rule.name,
            group=group,
            severity=level.severity.word,
            started_at=since,
            opened_at=self.opened_at[group],
            resolved_at=None,
            ended_at=None,
            value=value,
            peak=life.peak,
            threshold=level.limit,
            is_silence=life.tier < 0,
        )
        return life.incident

    def _rise(self, life: Life, verdict: Verdict, at: int) -> list[Turn]:
        assert life.incident is not None
        tier = self._held_tier(life, at)
        if tier <= life.tier or not self._is_active(at):
            return []
        life.tier = tier
        level = self.condition.tiers[tier]
        life.incident = life.incident._replace(
            word="rose",
            severity=level.severity.word,
            value=verdict.value,
            peak=life.peak,
            threshold=level.limit,
            is_silence=False,
        )
        return [life.incident]

    def _end(self, word: str, life: Life, since: int, at: int) -> list[Turn]:
        if word == "resolved" and self.rule.flap_within_s:
            life.phase, life.clear_since = "LINGERING", since
            life.linger_until = at + round(self.rule.flap_within_s * 1000)
            life.over_since.clear()
            return []
        return [self._close(word, life, since, at)]

    def _close(self, word: str, life: Life, since: int, at: int) -> Turn:
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
