"""Holds closed intervals against what is normal: sums in, verdicts out.

The detectors of `playwatch_models` know nothing of metrics, rules or incidents.
Here sums of samples become the intervals that they take, and the findings that
they give become verdicts: how surprising a group is against the level that its
rule's budget of false pages allows, and how many views that has hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from playwatch.core.metric_kinds import metric_class
from playwatch.core.metrics import Merge
from playwatch.core.verdicts import Verdict, VerdictBatch
from playwatch_models.classes import MetricClass
from playwatch_models.detector import Evidence, Intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.intervals import Sums
    from playwatch.core.metrics import Metric
    from playwatch_models.detector import Findings

WEEK_S: Final = 604_800.0
CALM: Final = 0.5
"""Part of the level below which evidence is no evidence any more, and part of
the band within which a value is normal whatever came before it."""
UNJUDGED: Final = (Evidence.LEARNING, Evidence.FEW_VIEWS)


class Stand(NamedTuple):
    """Where some groups stand, columns of one length, for `judge`.

    Attributes
    ----------
    opens, clears
        Strong enough to open, and weak enough to end, as the decision has it.
    hit
        Views hit beyond normal since the deviation began.
    """

    opens: NDArray[np.bool_]
    clears: NDArray[np.bool_]
    hit: NDArray[np.float64]


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
    Of a ratio those that failed too many; of a median all, where it is outside
    its band; of an audience those that are missing or too many.
    """
    kind = metric_class(metric)
    beyond = np.where(
        findings.is_upward, intervals.value - findings.expected, findings.expected - intervals.value
    )
    beyond = np.nan_to_num(np.maximum(beyond, 0.0))
    if kind is MetricClass.RATIO:
        return np.asarray(beyond / 100 * intervals.views, np.float64)
    if kind is MetricClass.COUNT:
        return np.asarray(beyond, np.float64)
    is_outside = (intervals.value > findings.high) | (intervals.value < findings.low)
    return np.where(is_outside, intervals.views, 0.0)


def judge(
    metric: Metric,
    intervals: Intervals,
    findings: Findings,
    stand: Stand,
    *,
    min_affected_views: float,
    is_upward: bool,
) -> VerdictBatch:
    """Return what the model says of some groups.

    Parameters
    ----------
    min_affected_views
        Views hit below which nothing opens; where nobody knows how many were,
        it keeps nothing back.
    is_upward
        Which side is worse, for the peak.

    Notes
    -----
    What cannot be judged is `HOLD`: an incident stays open while too few views
    come in to end it.
    """
    is_unjudged = np.isin(findings.evidence, UNJUDGED)
    is_breach = stand.opens & ~is_unjudged
    is_breach &= ~(stand.hit < min_affected_views)
    verdict = np.full(len(findings), Verdict.HOLD, np.int8)
    verdict[stand.clears & ~is_unjudged & ~is_breach] = Verdict.CLEAR
    verdict[is_breach] = Verdict.BREACH
    views = intervals.value if metric.measures_audience else intervals.views
    return VerdictBatch(
        group=findings.group,
        at=findings.at,
        verdict=verdict,
        tier=np.where(is_breach, 0, -1).astype(np.int8),
        value=intervals.value,
        bound=np.where(findings.is_upward, findings.high, findings.low),
        views=np.nan_to_num(views),
        is_upward=is_upward,
    )


def is_calm(intervals: Intervals, findings: Findings, level: float) -> NDArray[np.bool_]:
    """Return which groups are as they should be.

    Notes
    -----
    Evidence over many intervals outlives what it is of by as many, so a value
    right where it is expected is calm, too.
    """
    away = intervals.value - findings.expected
    room = np.where(away > 0, findings.high - findings.expected, findings.expected - findings.low)
    calm: NDArray[np.bool_] = (findings.score < CALM * level) | (np.abs(away) <= CALM * room)
    return calm


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


def level_of(budget_per_week: float, groups: int, interval_s: float) -> float:
    """Return the score that chance reaches as often as a budget of false pages allows."""
    looks = max(groups, 1) * WEEK_S / interval_s
    return float(np.log10(max(looks / budget_per_week, 10.0)))


def once_in_weeks(score: float, interval_s: float) -> float:
    """Return how rarely one group reaches a score by chance, weeks."""
    return float(10.0 ** min(score, 12.0) * interval_s / WEEK_S)
