"""Judges values without a denominator: two expectations have to be missed at once.

One pass over the groups that reported: how far each is off (`residuals`), how rare that
is for it (`tails`), whether it was seen before (`habituation`), and for the one or two
in a hundred that are odd at all, what the trees make of it (`trees`). Then the groups
learn, unless an incident holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.classes import Direction, MetricClass
from playwatch_models.detector import Evidence, Findings
from playwatch_models.features import gate, tabulate
from playwatch_models.habituation import Habituation, record
from playwatch_models.lesson import UNJUDGED, Lesson, hold, learn
from playwatch_models.memory import STARTS, Memory, normal_rows
from playwatch_models.profile import Profile
from playwatch_models.residuals import Pace, measure, smooth, thinness_of
from playwatch_models.table import Table, rows_of
from playwatch_models.tails import rarity
from playwatch_models.units import convert, suspect_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from playwatch_models.classes import Watch
    from playwatch_models.detector import Intervals
    from playwatch_models.residuals import Residuals
    from playwatch_models.trees import Jury

    Floats = NDArray[np.float32]

__all__ = ["SeasonalDetector"]

_CHUNK = 8192
"""Groups judged at once: their columns stay in the processor's cache."""
_GAP_S = 3600.0
_SETTLE = np.float32(10.0)
"""Intervals after a gap during which a group is not judged."""
_ODD = np.float32(2.0)
"""Deviations beyond so many noises belong to one story."""
_BAND = np.float32(3.0)
_FAR = 1e30
_UNHEARD_OF = 3.5
"""Score of what was not reached in weeks: once in 3,000 intervals at least."""
_LARGEST_LOG = 80.0
_SMALLEST = 1e-6
"""A median below this is as good as none."""
_NORMAL = normal_rows()
_F = np.float32


class SeasonalDetector:
    """Learns the day, the last half hour and the habits of many groups.

    Parameters
    ----------
    watch
        What is watched: the class of metric, the step, the worse direction.
    jury
        The learned stage; None scores by the tails alone.
    """

    def __init__(self, watch: Watch, jury: Jury | None = None) -> None:
        self._watch = watch
        self._jury = jury
        self._profile = Profile(watch.step_s)
        self._table = Table(STARTS)
        self._habituation = Habituation(watch.step_s)
        self._pace = Pace.of(watch.step_s)
        self._parents = np.empty(0, np.int32)
        self._at = np.empty(0, np.int64)
        self._since = np.empty(0, np.int64)
        self._speaks = Evidence.SEASONAL if jury is None else Evidence.LEARNED
        self._is_log = watch.metric_class is not MetricClass.GAUGE

    def resize(self, groups: int, parents: NDArray[np.int32]) -> None:
        """Keep state for so many groups; see `Detector.resize`."""
        new = groups - self._table.size
        self._profile.resize(groups)
        self._table.resize(groups)
        self._parents = np.array(parents, np.int32)
        self._at = np.concatenate((self._at, np.zeros(new, np.int64)))
        self._since = np.concatenate((self._since, np.zeros(new, np.int64)))

    def step(self, intervals: Intervals, frozen: NDArray[np.bool_]) -> Findings:
        """Judge a closed interval, then learn from it; see `Detector.step`."""
        return self._run(intervals, frozen)

    def peek(self, intervals: Intervals) -> Findings:
        """Judge an interval that is still open; nothing is kept."""
        return self._run(intervals, None)

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some rows as new."""
        self._table.forget(group)
        self._profile.forget(group)
        self._at[group] = 0
        self._since[group] = 0

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the whole state as named arrays."""
        return {
            **self._table.columns(),
            **self._profile.columns(),
            "at": self._at.copy(),
            "since_at": self._since.copy(),
            "parents": self._parents.copy(),
        }

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a state back; see `Detector.restore`."""
        table, profile = Table(STARTS), Profile(self._watch.step_s)
        table.restore({name: columns[name] for name in STARTS if name in columns})
        profile.restore(columns)
        for name in ("at", "since_at", "parents"):
            if name not in columns or columns[name].shape != (table.size,):
                msg = f"the snapshot of the model has no fitting column {name!r}"
                raise ValueError(msg)
        if profile.size != table.size:
            msg = "the snapshot of the model holds columns of different lengths"
            raise ValueError(msg)
        self._table, self._profile = table, profile
        self._at = columns["at"].astype(np.int64)
        self._since = columns["since_at"].astype(np.int64)
        self._parents = columns["parents"].astype(np.int32)

    def _run(self, intervals: Intervals, frozen: NDArray[np.bool_] | None) -> Findings:
        """Judge chunk by chunk, and learn unless ``frozen`` is None."""
        findings = _blank(intervals)
        good = np.flatnonzero(np.isfinite(intervals.value) & (np.abs(intervals.value) < _FAR))
        for start in range(0, len(good), _CHUNK):
            part = good[start : start + _CHUNK]
            at, raw = intervals.at[part], intervals.value[part]
            time_s = at // 1000 - int(self._watch.step_s)
            chunk = Lesson(
                rows=intervals.group[part],
                at=at,
                time_s=time_s,
                hour=(time_s / 3600).astype(np.float32),
                raw=raw,
                value=self._scaled(raw),
                views=intervals.views[part],
            )
            self._judge(chunk, findings, part, None if frozen is None else frozen[part])
        return findings

    def _judge(
        self,
        chunk: Lesson,
        findings: Findings,
        part: NDArray[np.intp],
        frozen: NDArray[np.bool_] | None,
    ) -> None:
        """Fill in the findings of one chunk, then learn it."""
        where = rows_of(chunk.rows)
        block = self._table.read(where, to_write=frozen is not None)
        memory = Memory.of(block)
        self._greet(memory, chunk)
        profile, thinness = self._expect(memory, chunk), thinness_of(memory, chunk.views)
        found = measure(memory, chunk.value, profile, thinness, is_log=self._is_log)
        smooth(memory, found.agreed)
        surprises = np.abs(
            np.stack((found.season, found.local, found.agreed, memory.slow, found.agreed))
        )
        rarities = rarity(memory, surprises)
        width = _BAND * found.season_scale
        self._tell(findings, part, found, width)
        expected = findings.expected[part]
        strange = suspect_unit(
            memory, chunk.raw, expected, (width / (np.abs(found.expected) + width)).astype(_F)
        )
        known = (memory.seen > UNJUDGED) & (memory.settling <= 0)
        judged = known & ~strange
        score = self._score(memory, chunk, found, rarities)
        score[~judged | ~self._is_worse(found.agreed)] = 0
        raw = score
        if self._jury is None:
            score = self._habituation.tired(memory, score)
        findings.score[part] = score
        evidence = np.where(score > 0, self._speaks, Evidence.NONE)
        evidence[strange] = Evidence.OTHER_UNIT
        evidence[~known] = Evidence.LEARNING
        findings.evidence[part] = evidence
        odd = np.abs(found.agreed) > _ODD
        begun = np.where(odd & (self._since[chunk.rows] > 0), self._since[chunk.rows], chunk.at)
        findings.since_at[part] = begun
        if frozen is None:
            return
        self._since[chunk.rows] = np.where(odd, begun, 0)
        self._at[chunk.rows] = chunk.at
        held = np.union1d(hold(memory, frozen, self._watch.step_s), np.flatnonzero(strange))
        before = block[:, held]
        if len(held):
            memory.bin_count[held] = 0
        learn(memory, chunk, found, surprises, (self._profile, self._habituation, self._pace))
        self._habituation.tire(memory, raw)
        block[np.ix_(_NORMAL, held)] = before[_NORMAL]
        convert(memory, self._profile, chunk.rows, is_log=self._is_log)
        self._table.write(where, block)

    def _greet(self, memory: Memory, chunk: Lesson) -> None:
        """Start groups that are new, and let those settle that were away."""
        new = memory.seen == 0
        if new.any():
            for levels in (memory.level, memory.mean, memory.high, memory.low):
                levels[new] = chunk.value[new]
        longest_ms = 1000 * max(10 * self._watch.step_s, _GAP_S)
        away = ~new & (chunk.at - self._at[chunk.rows] > longest_ms)
        if away.any():
            memory.settling[away] = _SETTLE
            for trace in (memory.quick, memory.slow, memory.lasting, memory.before):
                trace[away] = 0

    def _expect(self, memory: Memory, chunk: Lesson) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return what the profile says, or the parent's, scaled to the group."""
        level, deviation, known = self._profile.expect(chunk.rows, chunk.time_s)
        parents = self._parents[chunk.rows]
        if (parents >= 0).any():
            seasoned = self._profile.is_seasoned(chunk.rows, chunk.time_s)
            lend = np.flatnonzero((parents >= 0) & ~(known & seasoned))
            lent, spread, has = self._profile.expect(parents[lend], chunk.time_s[lend])
            lend, lent, spread = lend[has], lent[has], spread[has]
            theirs = Memory.of(self._table.read(parents[lend]))
            lent += theirs.offset
            share = np.ones(len(lend), np.float32)
            mine = memory.level[lend]
            if not self._is_log:
                np.divide(mine, theirs.level, out=share, where=theirs.level * mine > 0)
            level[lend] = mine + (lent - theirs.level) * share
            deviation[lend] = spread * share
            known[lend] = True
        return level, deviation, known

    def _score(
        self, memory: Memory, chunk: Lesson, found: Residuals, rarities: Floats
    ) -> NDArray[np.float64]:
        """Return the strength of evidence by the trees, or by the tails without them."""
        if self._jury is None:
            tails: NDArray[np.float64] = rarities[:2].min(axis=0).astype(np.float64)
            return tails
        score = np.zeros(len(chunk.rows))
        odd = gate(rarities)
        if len(odd):
            context = (chunk.value, chunk.hour, self._habituation)
            table = tabulate(memory, found, rarities, context, odd, is_log=self._is_log)
            score[odd] = self._jury.rarity(table, chunk.rows[odd])
            score[odd] += record(np.abs(found.agreed[odd]), memory.highest[odd])
        new = np.flatnonzero(np.abs(found.steady) > memory.steadiest + 1)
        new = new[memory.seen[new] > self._pace.days]
        if len(new):
            beyond = record(np.abs(found.steady[new]), memory.steadiest[new])
            unheard = np.where(beyond > 0, _UNHEARD_OF + _F(1.5) * beyond, 0)
            score[new] = np.maximum(score[new], unheard)
        return score

    def _tell(
        self, findings: Findings, part: NDArray[np.intp], found: Residuals, width: Floats
    ) -> None:
        """Say what was expected, in the metric's unit."""
        findings.expected[part] = self._unscaled(found.expected)
        findings.low[part] = self._unscaled(found.expected - width)
        findings.high[part] = self._unscaled(found.expected + width)
        findings.is_upward[part] = found.off > 0

    def _is_worse(self, agreed: Floats) -> NDArray[np.bool_]:
        """Return which deviations go the worse way."""
        if self._watch.worse is Direction.EITHER:
            return np.not_equal(agreed, 0)
        if self._watch.worse is Direction.UP:
            return np.greater(agreed, 0)
        return np.less(agreed, 0)

    def _scaled(self, value: NDArray[np.float64]) -> Floats:
        """Return values on the scale on which their noise is even."""
        if not self._is_log:
            return value.astype(np.float32)
        if self._watch.metric_class is MetricClass.COUNT:
            return np.log1p(np.maximum(value, 0.0)).astype(np.float32)
        return np.log(np.maximum(value, _SMALLEST)).astype(np.float32)

    def _unscaled(self, value: Floats) -> NDArray[np.float64]:
        """Return values in the metric's own unit."""
        wide = value.astype(np.float64)
        if not self._is_log:
            return wide
        raw: NDArray[np.float64] = np.exp(np.minimum(wide, _LARGEST_LOG))
        return raw - 1 if self._watch.metric_class is MetricClass.COUNT else raw


def _blank(intervals: Intervals) -> Findings:
    """Return findings that say nothing yet."""
    n = len(intervals.group)
    return Findings(
        group=intervals.group,
        at=intervals.at,
        score=np.zeros(n),
        expected=np.full(n, np.nan),
        low=np.full(n, np.nan),
        high=np.full(n, np.nan),
        is_upward=np.zeros(n, np.bool_),
        since_at=intervals.at.copy(),
        evidence=np.full(n, Evidence.LEARNING, np.int8),
    )
