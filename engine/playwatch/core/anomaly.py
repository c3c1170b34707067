"""Holds closed intervals against what is normal: sums in, verdicts out.

The detectors of `playwatch_models` know nothing of metrics, rules or incidents.
Here sums of samples become the intervals that they take, and the findings that
they give become verdicts, by way of the decision that keeps a budget, with how
many views were hit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.metric_kinds import metric_class, worse_direction
from playwatch.core.metrics import Merge
from playwatch.core.verdicts import Verdict, VerdictBatch
from playwatch_models.calibration import WEEK_S
from playwatch_models.classes import Direction, MetricClass
from playwatch_models.detector import Intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.intervals import Sums
    from playwatch.core.metrics import Metric
    from playwatch_models.decision import Calls
    from playwatch_models.detector import Findings


def intervals_of(metric: Metric, sums: Sums) -> Intervals:
    """Return the intervals that a detector takes; a group without a value is left out.

    Notes
    -----
    Of a metric whose views are the viewers of a moment, the interval counts
    them once and not with every sample.
    """
    weight, views = sums.weight, sums.views.astype(np.float64)
    if metric.merge is not Merge.MEAN:
        known = sums.samples > 0
        nothing = np.full(int(known.sum()), np.nan)
        return Intervals(sums.group[known], sums.ends_at[known], weight[known], nothing)
    known = (sums.samples > 0) & (sums.views > 0)
    value = np.clip(weight[known] / views[known], metric.low, metric.high)
    views = views[known]
    if metric.views_are_audience:
        views = views / sums.samples[known]
    elif metric_class(metric) is not MetricClass.RATIO:
        # One view a sample is what a stream says that says nothing of views.
        views = np.where(views > sums.samples[known], views, np.nan)
    return Intervals(sums.group[known], sums.ends_at[known], value, views)


def chosen(intervals: Intervals, mask: NDArray[np.bool_]) -> Intervals:
    """Return the intervals that a mask picks."""
    return Intervals(
        intervals.group[mask], intervals.at[mask], intervals.value[mask], intervals.views[mask]
    )


def hit_by(metric: Metric, intervals: Intervals, findings: Findings) -> NDArray[np.float64]:
    """Return how many views each interval hit beyond what is normal; NaN where nobody knows.

    Notes
    -----
    Of a ratio those that failed too many, below 0 where fewer failed than is
    normal, so that chance evens out when intervals are added up. Of the others
    nothing within the band; outside it all views of a median, and of an audience
    those that are missing or too many.
    """
    kind = metric_class(metric)
    away = intervals.value - findings.expected
    if kind is MetricClass.RATIO:
        beyond = -away if worse_direction(metric) is Direction.DOWN else away
        return np.asarray(np.nan_to_num(beyond) / 100 * intervals.views, np.float64)
    is_outside = (intervals.value > findings.high) | (intervals.value < findings.low)
    beyond = np.abs(away) if kind is MetricClass.COUNT else intervals.views
    return np.where(is_outside, beyond, 0.0)


def gated(hit: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Return views hit, for the gate: where nobody knows how many, enough."""
    return np.where(np.isnan(hit), least, hit)


def verdicts_of(
    metric: Metric, intervals: Intervals, findings: Findings, calls: Calls, *, is_upward: bool
) -> VerdictBatch:
    """Return what was decided of some groups as the lifecycle takes it.

    Parameters
    ----------
    is_upward
        Which side is worse, for the peak.

    Notes
    -----
    What cannot be judged is `HOLD`: an incident stays open while too few views
    come in to end it.
    """
    views = intervals.value if metric.measures_audience else intervals.views
    return VerdictBatch(
        group=findings.group,
        at=findings.at,
        verdict=calls.call.copy(),
        tier=np.where(calls.call == Verdict.BREACH, 0, -1).astype(np.int8),
        value=intervals.value,
        bound=np.where(findings.is_upward, findings.high, findings.low),
        views=np.nan_to_num(views),
        is_upward=is_upward,
    )


def held(verdicts: VerdictBatch, waits: NDArray[np.bool_]) -> VerdictBatch:
    """Return the verdicts, without the breaches of groups that are to wait."""
    if not waits.any():
        return verdicts
    is_kept_back = waits & (verdicts.verdict == Verdict.BREACH)
    verdict = np.where(is_kept_back, Verdict.HOLD, verdicts.verdict).astype(np.int8)
    tier = np.where(waits, -1, verdicts.tier).astype(np.int8)
    return replace(verdicts, verdict=verdict, tier=tier)


def absent(group: NDArray[np.int32], at: NDArray[np.int64], *, is_upward: bool) -> VerdictBatch:
    """Return that nothing is heard of some groups."""
    count = len(group)
    nothing = np.full(count, np.nan)
    return VerdictBatch(
        group,
        at,
        np.full(count, Verdict.ABSENT, np.int8),
        np.full(count, -1, np.int8),
        nothing,
        nothing,
        np.zeros(count),
        is_upward=is_upward,
    )


def once_in_weeks(rarity: float, interval_s: float) -> float:
    """Return how rarely chance brings one group as much, weeks."""
    return float(10.0 ** min(rarity, 12.0) * interval_s / WEEK_S)
