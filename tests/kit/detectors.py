"""What the kit runs over every registered detector: streams that must not page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.classes import MetricClass
from playwatch_models.detector import Intervals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from playwatch_models.detector import Detector, Findings

__all__ = ["PAGES", "STEP_MS", "Stream", "intervals", "normal", "opened_with", "play"]

STEP_MS = 60_000
START = 1_800_000_000_000
PAGES = 6.0
"""A score that no sensible budget of a small fleet lets pass: once in a million intervals."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Values and views of some groups, shape ``(intervals, groups)``."""

    value: NDArray[np.float64]
    views: NDArray[np.float64]


def normal(metric_class: MetricClass, steps: int, groups: int, seed: int = 0) -> Stream:
    """Return a stream with a slow curve and noise of the class, and nothing wrong."""
    generator = np.random.default_rng(seed)
    curve = 1 + 0.3 * np.sin(np.arange(steps) / 229)[:, None]
    views = np.floor(200 * curve * np.ones(groups))
    if metric_class is MetricClass.RATIO:
        failures = generator.binomial(views.astype(int), 0.02)
        return Stream(100.0 * failures / views, views)
    if metric_class is MetricClass.COUNT:
        return Stream(generator.poisson(views).astype(float), np.full_like(views, np.nan))
    if metric_class is MetricClass.MEDIAN:
        return Stream(800 * curve * generator.lognormal(0, 0.05, (steps, groups)), views)
    noise = generator.normal(0, 0.5, (steps, groups))
    return Stream(20 * curve + noise, np.full_like(views, np.nan))


def intervals(
    stream: Stream, row: int, *, later_ms: int = 0, group: NDArray[np.int32] | None = None
) -> Intervals:
    """Return one interval of a stream, for all groups or for some."""
    groups = stream.value.shape[1]
    chosen = np.arange(groups, dtype=np.int32) if group is None else group
    at = np.full(len(chosen), START + (row + 1) * STEP_MS + later_ms)
    return Intervals(chosen, at, stream.value[row, chosen], stream.views[row, chosen])


def opened_with(detector: Detector, groups: int) -> Detector:
    """Return a detector that keeps so many groups without parents."""
    detector.resize(groups, np.full(groups, -1, np.int32))
    return detector


def play(detector: Detector, stream: Stream, rows: range, later_ms: int = 0) -> Iterator[Findings]:
    """Step through some rows of a stream with nothing frozen."""
    free = np.zeros(stream.value.shape[1], np.bool_)
    for row in rows:
        yield detector.step(intervals(stream, row, later_ms=later_ms), free)
