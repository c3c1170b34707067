"""Evidence that knows its sample size: a detector for ratios of views.

One failure of three views is nothing and 65 of 1000 are an incident, though the
percentage is lower. So the detector turns every value back into failures and
views and asks how often chance alone brings as many:

1. **Expect.** `rates`: level, hour of the week, last hour.
2. **Weigh.** Two questions, each answered with a probability:

   * *A burst?* Failures over about 1, 3, 10 and 30 intervals against what was
     expected there (`surprise.tail_nats`), each with the over-dispersion that
     this series shows at that length (`dispersion`).
   * *A drift?* Log-likelihood ratios of a raised rate (2.5 and 6 times) against
     the expected one, summed and never below 0: Page's CUSUM. It reacts as fast
     as its rate of false alarms allows. What it calls normal is raised by how
     much the rate is known to wander over half an hour, so that wandering adds
     up to nothing.

3. **Learn**, unless the interval is surprising or an incident is open; at most
   for six hours, then the new level is the normal one.

The score is the greater of the two answers in powers of ten, less a little for
having asked more than once. `tests/naive_ratio.py` is the same detector, slow
and obvious, for one series.

The inelegant part: after a long outage the longer windows are full of it. So
when a shorter window speaks plainly against the raised rate that a longer one
holds, the longer one starts anew.

References
----------
Page, "Continuous inspection schemes", Biometrika 41 (1954). Lorden,
"Procedures for reacting to a change in distribution", Ann. Math. Statist. 42
(1971), theorem 2: no procedure is faster at the same rate of false alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch_models.classes import Direction
from playwatch_models.detector import Evidence, Findings, Intervals
from playwatch_models.dispersion import EFFECTIVE, KEEP, ClassNoise, learn_scatter
from playwatch_models.rates import HOUR_MS, learn_rates, recent_factor, turn_hour
from playwatch_models.ratio_state import WINDOWS, RatioState
from playwatch_models.weighing import DOUBT, LEARN_INTERVALS, Weighed, age, recover, weigh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from playwatch_models.classes import Watch
    from playwatch_models.ratio_state import Floats, Rows

__all__ = ["RatioDetector"]

BLOCK: Final = 8192
"""Rows at a time, so that what is worked on stays in the cache."""
FIRST_RATE: Final = 0.01
"""What a class is taken for before it has been seen."""
DOUBT_INTERVALS: Final = 180
"""Before so many intervals a surprise is more likely about the expectation."""
LONGEST_FREEZE_S: Final = 6 * 3600.0
CLIPPED_TIMES: Final = 1.5
CLIPPED_DEVIATIONS: Final = 3.0
"""More failures than these times the expected, plus deviations, teach no more."""
BAND_DEVIATIONS: Final = 3.0
BAND_SKEW: Final = (BAND_DEVIATIONS**2 - 1) / 6
"""Cornish and Fisher's correction of a quantile for the skew of a count, in failures."""


class RatioDetector:
    """Judges percentages of views by how often chance alone brings as many failures.

    Parameters
    ----------
    watch
        The class, the step, and which way is worse: downwards, what is missing
        from 100 % counts as failed.

    Notes
    -----
    1.0 kB a group; 0.2 to 0.3 µs CPU a group and step at 100,000 groups.
    Values without views (NaN, or one view a sample) are no evidence: such a
    series is `Evidence.FEW_VIEWS` for ever, and belongs to the class of gauges.
    """

    def __init__(self, watch: Watch) -> None:
        self._step_s = watch.step_s
        self._step_ms = round(watch.step_s * 1000)
        self._is_downward = watch.worse is Direction.DOWN
        self._state = RatioState.blank(0)
        self._groups = 0
        self._parents: NDArray[np.int32] = np.zeros(0, np.int32)
        self._class_rate = FIRST_RATE
        self._noise = ClassNoise.first()
        self._class_hour = -1

    def resize(self, groups: int, parents: NDArray[np.int32]) -> None:
        """Keep state for so many groups; new ones know nothing yet.

        Parameters
        ----------
        parents
            For each row the row that it borrows from, -1 for none, shape ``(groups,)``.
        """
        if groups > len(self._state):
            self._state = self._state.grown(max(groups, len(self._state) * 5 // 4))
        self._groups = groups
        self._parents = parents.astype(np.int32)

    def step(self, intervals: Intervals, frozen: NDArray[np.bool_]) -> Findings:
        """Judge a closed interval of some groups, then learn from it.

        Parameters
        ----------
        frozen
            Groups with an open incident, shape ``(n,)``: not learned from, for
            at most six hours.
        """
        self._turn_hours(intervals)
        findings = []
        for part, rows in _blocks(intervals):
            block = self._state.take(rows)
            batch = _cut(intervals, part)
            weighed = self._weigh(block, batch)
            findings.append(self._found(block, batch, weighed))
            self._learn(block, batch, weighed, frozen[part])
            self._state.put(rows, block)
        return _joined(findings)

    def peek(self, intervals: Intervals) -> Findings:
        """Judge an interval that is still open; nothing is learned or kept."""
        findings = []
        for part, rows in _blocks(intervals):
            block = self._state.take(rows)
            batch = _cut(intervals, part)
            findings.append(self._found(block, batch, self._weigh(block, batch)))
        return _joined(findings)

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some rows as new."""
        self._state.forget(group.astype(np.intp))

    def drop_evidence(self, group: NDArray[np.int32]) -> None:
        """Let what some rows hold of a fault be no evidence any more; what is normal stays."""
        self._state.drop_evidence(group.astype(np.intp))

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the whole state as named arrays, for a snapshot."""
        noise = (*self._noise.spread[:, 0], *self._noise.cluster[:, 0])
        of_class = np.array([self._class_rate, *noise], np.float64)
        return {
            **self._state.columns(self._groups),
            "class_means": of_class,
            "class_hour": np.array([self._class_hour], np.int64),
        }

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a state back; the parents stay as they were told last.

        Raises
        ------
        ValueError
            If the arrays are not those of this detector and version, or not finite.
        """
        of_groups = dict(columns)
        means, hour = of_groups.pop("class_means", None), of_groups.pop("class_hour", None)
        if means is None or hour is None or means.shape != (1 + 2 * WINDOWS,) or hour.shape != (1,):
            message = "the columns class_means and class_hour are not those of this detector"
            raise ValueError(message)
        if not np.isfinite(means).all():
            message = "column class_means holds numbers that are not finite"
            raise ValueError(message)
        self._state = RatioState.restored(of_groups)
        self._class_rate = float(means[0])
        spread, cluster = means[1:].astype(np.float32).reshape(2, WINDOWS, 1)
        self._noise = ClassNoise(spread, cluster)
        self._class_hour = int(hour[0])
        self._groups = len(self._state)
        parents = np.full(self._groups, -1, np.int32)
        known = min(self._groups, len(self._parents))
        parents[:known] = self._parents[:known]
        self._parents = parents

    def _turn_hours(self, intervals: Intervals) -> None:
        hour = self._middle(intervals) // HOUR_MS
        is_over = hour != self._state.hour[intervals.group]
        if not is_over.any():
            return
        newest = int(hour.max())
        if newest > self._class_hour:
            whole = self._state
            self._class_hour = newest
            self._noise.update(whole)
            failures = float(whole.level_failures.sum(dtype=np.float64))
            views = float(whole.level_views.sum(dtype=np.float64))
            self._class_rate = (failures + 1) / (views + 1 / FIRST_RATE)
        rows = intervals.group[is_over].astype(np.intp)
        turn_hour(self._state, rows, hour[is_over], self._parents, self._class_rate)

    def _middle(self, intervals: Intervals) -> NDArray[np.int64]:
        return intervals.at - self._step_ms // 2

    def _weigh(self, block: RatioState, intervals: Intervals) -> Weighed:
        """Weigh an interval; the block's windows age, the kept state does not."""
        age(block, intervals.at, self._step_s)
        share = intervals.value / 100
        if self._is_downward:
            share = 1 - share
        return weigh(
            block,
            self._middle(intervals),
            share,
            intervals.views,
            self._noise,
            self._step_s,
        )

    def _found(self, block: RatioState, intervals: Intervals, weighed: Weighed) -> Findings:
        """Put a judgement into the words of the contract."""
        views = np.where(weighed.is_known, weighed.views, np.nan)
        rate = weighed.seasonal[2] * recent_factor(block)
        relative = weighed.spread[0] + weighed.uncertainty
        reach = BAND_DEVIATIONS * np.sqrt(weighed.expected + relative * weighed.expected**2)
        low = np.clip((weighed.expected - reach + BAND_SKEW) / views, 0, rate)
        high = np.clip((weighed.expected + reach + BAND_SKEW) / views, rate, 1)
        expected = np.where(weighed.is_known, np.minimum(rate, 1), np.nan)
        is_upward = weighed.failures > weighed.views * rate
        if self._is_downward:
            expected, low, high, is_upward = 1 - expected, 1 - high, 1 - low, ~is_upward

        is_learning = block.seen < LEARN_INTERVALS
        evidence = np.select(
            [~weighed.is_judged, is_learning, weighed.score < 1, weighed.is_drift],
            [Evidence.FEW_VIEWS, Evidence.LEARNING, Evidence.NONE, Evidence.DRIFT],
            Evidence.BURST,
        )
        has_begun = (weighed.sums[0] > 0) & (weighed.score > 0)
        began = np.where(block.sums[0] > 0, block.sums_since, intervals.at - self._step_ms)
        return Findings(
            group=intervals.group,
            at=intervals.at,
            score=weighed.score.astype(np.float64),
            expected=100 * expected.astype(np.float64),
            low=100 * low.astype(np.float64),
            high=100 * high.astype(np.float64),
            is_upward=is_upward,
            since_at=np.where(has_begun, began, intervals.at),
            evidence=evidence.astype(np.int8),
        )

    def _learn(
        self,
        block: RatioState,
        intervals: Intervals,
        weighed: Weighed,
        frozen: NDArray[np.bool_],
    ) -> None:
        """Move the memory by one closed interval."""
        is_surprising = (weighed.score > DOUBT) & (block.seen >= DOUBT_INTERVALS)
        is_doubted = weighed.is_known & (frozen | is_surprising)
        waited = np.where(weighed.is_known, 0, block.doubted)
        block.doubted = np.where(is_doubted, block.doubted + 1, waited).astype(np.float32)
        is_new_normal = block.doubted * self._step_s > LONGEST_FREEZE_S
        taught = weighed.is_known & (~is_doubted | is_new_normal)

        is_open = is_new_normal | (block.seen < LEARN_INTERVALS)
        failures = np.where(is_open, weighed.failures, _clipped(weighed))
        learn_rates(block, taught, weighed.views, failures, weighed.seasonal, self._step_s)
        seen, due = EFFECTIVE * weighed.window_failures, EFFECTIVE * weighed.window_expected
        learn_scatter(block, taught, seen, due, weighed.spread)
        block.seen = block.seen + taught

        began = (weighed.sums[0] > 0) & (block.sums[0] <= 0)
        block.sums_since = np.where(began, intervals.at - self._step_ms, block.sums_since)
        block.sums = weighed.sums
        block.window_failures = weighed.window_failures
        block.window_expected = weighed.window_expected
        block.window_views = KEEP[-1] * block.window_views + weighed.views
        block.at = np.maximum(block.at, intervals.at)
        recover(block, weighed)


def _clipped(weighed: Weighed) -> Floats:
    """Return the failures as far as they are believed to be normal."""
    expected = weighed.expected
    deviation = np.sqrt(expected + weighed.spread[0] * expected**2 + 0.25)
    most = CLIPPED_TIMES * expected + CLIPPED_DEVIATIONS * deviation
    clipped: Floats = np.minimum(weighed.failures, most)
    return clipped


def _blocks(intervals: Intervals) -> Iterator[tuple[slice, Rows]]:
    """Cut the groups into blocks; rows that follow each other are sliced, not gathered."""
    group = intervals.group
    for start in range(0, max(len(group), 1), BLOCK):
        part = slice(start, start + BLOCK)
        rows = group[part].astype(np.intp)
        if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            yield part, slice(int(rows[0]), int(rows[-1]) + 1)
        else:
            yield part, rows


def _cut(intervals: Intervals, part: slice) -> Intervals:
    return Intervals(
        intervals.group[part], intervals.at[part], intervals.value[part], intervals.views[part]
    )


def _joined(findings: list[Findings]) -> Findings:
    if len(findings) == 1:
        return findings[0]
    return Findings(
        *(np.concatenate([getattr(one, name) for one in findings]) for name in Findings.__slots__)
    )
