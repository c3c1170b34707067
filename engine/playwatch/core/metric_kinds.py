"""Which kind of number a metric is to a model, and which way of it is bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.metrics import Merge, Worse
from playwatch_models.classes import Direction, MetricClass

if TYPE_CHECKING:
    from playwatch.core.metrics import Metric

_PERCENT: Final = 100.0
_DIRECTIONS: Final = {
    Worse.HIGH: Direction.UP,
    Worse.LOW: Direction.DOWN,
    Worse.EITHER: Direction.EITHER,
}


def metric_class(metric: Metric) -> MetricClass:
    """Return the class of a metric.

    Notes
    -----
    A percentage of at most 100 is a ratio over its views, also where it is a
    share of watch time: how far that scatters more than views do is learned.
    What can be negative has no logarithm and is a gauge.
    """
    if metric.merge is not Merge.MEAN:
        return MetricClass.COUNT
    if metric.unit == "%" and metric.low == 0 and metric.high == _PERCENT:
        return MetricClass.RATIO
    return MetricClass.MEDIAN if metric.low >= 0 else MetricClass.GAUGE


def worse_direction(metric: Metric) -> Direction:
    """Return which deviations of a metric are evidence; of an audience, both."""
    return _DIRECTIONS[metric.worse]
