"""Holds windows against fixed bounds: totals in, verdicts out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.metrics import Merge
from playwatch.core.verdicts import Verdict, VerdictBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Threshold
    from playwatch.core.windows import Totals


def judge(
    condition: Threshold,
    metric: Metric,
    min_views: int,
    group: NDArray[np.int32],
    at: NDArray[np.int64],
    totals: Totals,
    is_covered: NDArray[np.bool_],
    is_whole: NDArray[np.bool_],
) -> VerdictBatch:
    """Return what a threshold says of some groups.

    Parameters
    ----------
    min_views
        Views below which nothing opens and nothing resolves.
    group, at
        The groups, each at most once, and their event clocks, shape ``(n,)``.
    totals
        What their windows hold.
    is_covered
        False where a restart left a hole in the window: a breach still
        counts, a recovery does not.
    is_whole
        False where the window is younger than its length. A sum can be too
        small for that reason alone, and then does not count as a breach.

    Notes
    -----
    O(n) per tier. A window without samples is `ABSENT`; one whose samples
    summarise no views has no mean and is `HOLD`.
    """
    is_absent = totals.samples <= 0
    views = totals.views.astype(np.float64)
    if metric.measures_audience:
        views = np.where(is_absent, 0.0, totals.sums)
    elif metric.views_are_audience:
        views = np.divide(views, totals.samples, out=np.zeros_like(views), where=~is_absent)
    value = value_of(metric, totals)
    is_enough = ~is_absent & ~np.isnan(value) & (views >= min_views)
    grows = metric.merge is not Merge.MEAN and not condition.comparison.is_upward
    may_breach = is_enough & is_whole if grows else is_enough
    tier = np.full(len(group), -1, np.int8)
    bound = np.full(len(group), condition.tiers[0].limit)
    for number, level in enumerate(condition.tiers):
        crossed = may_breach & condition.comparison.holds(value, level.limit)
        tier[crossed] = number
        bound[crossed] = level.limit
    is_breach = tier >= 0
    is_clear = is_enough & ~is_breach & is_covered
    is_clear &= condition.resolve.comparison.holds(value, condition.resolve.limit)
    verdict = np.full(len(group), Verdict.HOLD, np.int8)
    verdict[is_absent] = Verdict.ABSENT
    verdict[is_clear] = Verdict.CLEAR
    verdict[is_breach] = Verdict.BREACH
    return VerdictBatch(
        group, at, verdict, tier, value, bound, _score(condition, value, bound), views
    )


def value_of(metric: Metric, totals: Totals) -> NDArray[np.float64]:
    """Return the metric over each window; NaN where it holds nothing to measure."""
    is_absent = totals.samples <= 0
    if metric.merge is not Merge.MEAN:
        return np.where(is_absent, np.nan, totals.sums)
    has_mean = ~is_absent & (totals.views > 0)
    nothing = np.full(len(totals.sums), np.nan)
    value: NDArray[np.float64] = np.divide(totals.sums, totals.views, out=nothing, where=has_mean)
    return value


def _score(
    condition: Threshold, value: NDArray[np.float64], bound: NDArray[np.float64]
) -> NDArray[np.float64]:
    sign = 1.0 if condition.comparison.is_upward else -1.0
    scale = np.where(bound == 0, 1.0, np.abs(bound))
    return sign * (value - bound) / scale
