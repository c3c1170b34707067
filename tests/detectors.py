"""A detector that anyone can follow: a running mean, and half of it on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.classes import Direction, MetricClass
from playwatch_models.detector import Evidence, Findings, Intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LEARNING = 5
"""Intervals before it judges."""


class MeanDetector:
    """Calls a value surprising by how many bands it is away from the mean."""

    def __init__(self, kind: MetricClass, step_s: float, *, worse: Direction) -> None:
        self.kind, self.step_s, self.worse = kind, step_s, worse
        self.mean: NDArray[np.float64] = np.zeros(0)
        self.seen: NDArray[np.int64] = np.zeros(0, np.int64)
        self.steps: list[Intervals] = []

    def resize(self, groups: int, parents: NDArray[np.int32]) -> None:
        assert len(parents) == groups
        more = groups - len(self.mean)
        assert more >= 0
        self.mean = np.r_[self.mean, np.zeros(more)]
        self.seen = np.r_[self.seen, np.zeros(more, np.int64)]

    def step(self, intervals: Intervals, frozen: NDArray[np.bool_]) -> Findings:
        assert len(np.unique(intervals.group)) == len(intervals.group)
        self.steps.append(intervals)
        findings = self.peek(intervals)
        learns = ~frozen & (findings.score < 3)
        rows = intervals.group[learns]
        self.seen[rows] += 1
        self.mean[rows] += (intervals.value[learns] - self.mean[rows]) / self.seen[rows]
        return findings

    def peek(self, intervals: Intervals) -> Findings:
        rows, value = intervals.group, intervals.value
        mean = self.mean[rows]
        width = 0.5 * mean + 0.1
        away = (value - mean) / width
        if self.worse is Direction.DOWN:
            away = -away
        elif self.worse is Direction.EITHER:
            away = np.abs(away)
        knows = self.seen[rows] >= LEARNING
        score = np.where(knows, np.maximum(away, 0) * 3, 0.0)
        unknown = np.where(knows, 0.0, np.nan)
        return Findings(
            rows,
            intervals.at,
            score,
            mean + unknown,
            mean - width + unknown,
            mean + width + unknown,
            value > mean,
            intervals.at - round(self.step_s * 1000),
            np.where(knows, Evidence.BURST, Evidence.LEARNING).astype(np.int8),
        )

    def forget(self, group: NDArray[np.int32]) -> None:
        self.mean[group] = 0
        self.seen[group] = 0

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        return {"mean": self.mean, "seen": self.seen}

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        mean, seen = columns["mean"], columns["seen"]
        if mean.dtype != np.float64 or not np.isfinite(mean.astype(float)).all():
            message = "the model's columns are damaged"
            raise ValueError(message)
        self.mean, self.seen = mean.astype(np.float64), seen.astype(np.int64)
