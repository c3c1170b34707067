"""Metric classes: what kind of number a detector is asked to judge."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["MetricClass"]


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
