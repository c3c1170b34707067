"""Which kind of window a rule needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.audience import LatestWindows
from playwatch.core.extremes import ExtremeWindows
from playwatch.core.metrics import Merge
from playwatch.core.rules import Aggregate
from playwatch.core.windows import RingWindows

if TYPE_CHECKING:
    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Rule


def windows_for(rule: Rule, metric: Metric) -> RingWindows | LatestWindows:
    """Return the empty windows of a rule's groups, for its aggregate."""
    aggregate = rule.aggregate or metric.aggregate
    is_average = metric.is_average_of(aggregate)
    if aggregate is Aggregate.LAST:
        return LatestWindows(rule.window_s, weighs_by_views=is_average)
    if aggregate in {Aggregate.MIN, Aggregate.MAX}:
        return ExtremeWindows(
            rule.window_s,
            takes_greatest=aggregate is Aggregate.MAX,
            needs_views=metric.merge is Merge.MEAN,
        )
    return RingWindows(rule.window_s, weighs_by_views=is_average)
