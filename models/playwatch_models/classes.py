"""Metric classes: what kind of number a detector is asked to judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Direction", "MetricClass", "Watch"]


class MetricClass(StrEnum):
    """How the values of a metric scatter, and so which noise model fits them."""

    RATIO = "ratio"
    """A percentage of views: binomial with the views as denominator, over-dispersed."""
    MEDIAN = "median"
    """A median or mean over views: log-normal, variance ``s0 + s1 / views``."""
    COUNT = "count"
    """A count of viewers or plays: over-dispersed Poisson."""
    GAUGE = "gauge"
    """Anything else: no denominator, scale learned from the residuals."""


class Direction(StrEnum):
    """Which way a metric gets worse, and so which deviations are evidence."""

    UP = "up"
    DOWN = "down"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Watch:
    """What a detector is opened for.

    Attributes
    ----------
    metric_class
        How the values scatter.
    step_s
        Seconds between closed intervals.
    worse
        Which way is worse; only that way scores.
    """

    metric_class: MetricClass
    step_s: float
    worse: Direction
