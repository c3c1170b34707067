"""Holds windows against fixed bounds: totals in, verdicts out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.confidence import is_sure
from playwatch.core.rules import Aggregate
from playwatch.core.verdicts import Verdict, VerdictBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Rule, Threshold
    from playwatch.core.windows import Totals


def judge(
    rule: Rule,
    condition: Threshold,
    metric: Metric,
    group: NDArray[np.int32],
    at: NDArray[np.int64],
    totals: Totals,
    is_covered: NDArray[np.bool_],
    is_whole: NDArray[np.bool_],
) -> VerdictBatch:
    """Return what a threshold says of some groups.

    Parameters
    ----------
    rule, condition, metric
        The rule, its condition and its metric.
    group, at
        The groups, each at most once, and their event clocks, shape ``(n,)``.
    totals
        What their windows hold.
    is_covered
        False where a restart left a hole in the window: a breach still
        counts, a recovery does not.
    is_whole
        False where the window is younger than its length. A sum or a greatest
        value can be too small, and a smallest one too great, for that reason
        alone, and then do not count as a breach.

    Notes
    -----
    O(n) per tier. A window without samples is `ABSENT`; one whose samples
    summarise no views has no mean and is `HOLD`, and so is a value beyond the
    bound without the confidence that the rule asks for.
    """
    is_absent = totals.samples <= 0
    aggregate = rule.aggregate or metric.aggregate
    value = value_of(metric, totals, aggregate)
    views = views_of(metric, totals, value)
    is_enough = ~is_absent & ~np.isnan(value) & (views >= rule.min_views)
    may_breach = is_enough & is_whole if needs_whole(rule, condition, metric) else is_enough
    tier = _tiers(rule, condition, totals, value, may_breach)
    limits = np.array([level.limit for level in condition.tiers])
    bound = limits[np.maximum(tier, 0)]
    is_breach = tier >= 0
    is_clear = is_enough & ~is_breach & is_covered
    is_clear &= condition.resolve.comparison.holds(value, condition.resolve.limit)
    verdict = np.full(len(group), Verdict.HOLD, np.int8)
    verdict[is_absent] = Verdict.ABSENT
    verdict[is_clear] = Verdict.CLEAR
    verdict[is_breach] = Verdict.BREACH
    is_upward = condition.comparison.is_upward
    return VerdictBatch(group, at, verdict, tier, value, bound, views, is_upward=is_upward)


def crosses(rule: Rule, condition: Threshold, metric: Metric, totals: Totals) -> bool:
    """Return whether any value is beyond the lowest bound, be it sure and enough or not."""
    value = value_of(metric, totals, rule.aggregate)
    return bool(np.any(condition.comparison.holds(value, condition.tiers[0].limit)))


def _tiers(
    rule: Rule,
    condition: Threshold,
    totals: Totals,
    value: NDArray[np.float64],
    may_breach: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """Return the highest tier whose bound is crossed; -1 for none."""
    tier = np.full(len(value), -1, np.int8)
    for number, level in enumerate(condition.tiers):
        crossed = may_breach & condition.comparison.holds(value, level.limit)
        if rule.confidence and crossed.any():
            crossed[crossed] = is_sure(
                condition.comparison,
                level.limit,
                rule.confidence,
                totals.sums[crossed],
                totals.views[crossed],
            )
        tier[crossed] = number
    return tier


def value_of(
    metric: Metric, totals: Totals, aggregate: Aggregate | None = None
) -> NDArray[np.float64]:
    """Return the value over each window; NaN where it holds nothing to measure."""
    is_absent = totals.samples <= 0
    if totals.extreme is not None:
        return np.where(is_absent, np.nan, totals.extreme)
    if not metric.is_average_of(aggregate or metric.aggregate):
        return np.where(is_absent, np.nan, totals.sums)
    has_mean = ~is_absent & (totals.views > 0)
    if has_mean.all():
        return totals.sums / totals.views
    nothing = np.full(len(totals.sums), np.nan)
    value: NDArray[np.float64] = np.divide(totals.sums, totals.views, out=nothing, where=has_mean)
    return value


def views_of(metric: Metric, totals: Totals, value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what ``min_views`` compares: views, or viewers where a metric counts those."""
    views = totals.views.astype(np.float64)
    if metric.measures_audience:
        return np.where(np.isnan(value), 0.0, value)
    if metric.views_are_audience:
        nothing = np.zeros_like(views)
        views = np.divide(views, totals.samples, out=nothing, where=totals.samples > 0)
    return views


def needs_whole(rule: Rule, condition: Threshold, metric: Metric) -> bool:
    """Return whether samples still missing could take a breach back."""
    aggregate = rule.aggregate or metric.aggregate
    is_upward = condition.comparison.is_upward
    if aggregate is Aggregate.MIN:
        return is_upward
    return not is_upward and (aggregate is Aggregate.MAX or not metric.is_average_of(aggregate))
