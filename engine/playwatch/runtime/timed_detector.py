"""A detector whose every look is timed, for the engine's own metrics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from playwatch_models.classes import Direction
from playwatch_models.registry import open_detector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from playwatch.core.learned import OpenDetector
    from playwatch_models.classes import MetricClass
    from playwatch_models.detector import Detector, Findings, Intervals

    Timer = Callable[[], AbstractContextManager[object]]


class TimedDetector:
    """Passes everything on, and times what judges.

    Parameters
    ----------
    detector
        What judges and learns.
    timer
        Times the block that it is entered for.
    """

    def __init__(self, detector: Detector, timer: Timer) -> None:
        self._detector = detector
        self._timer = timer

    def resize(self, groups: int, parents: NDArray[np.int32]) -> None:
        """Keep state for so many groups; see `Detector.resize`."""
        self._detector.resize(groups, parents)

    def step(self, intervals: Intervals, frozen: NDArray[np.bool_]) -> Findings:
        """Judge a closed interval, then learn from it; see `Detector.step`."""
        with self._timer():
            return self._detector.step(intervals, frozen)

    def peek(self, intervals: Intervals) -> Findings:
        """Judge an interval that is still open; see `Detector.peek`."""
        with self._timer():
            return self._detector.peek(intervals)

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some rows as new."""
        self._detector.forget(group)

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the whole state as named arrays."""
        return self._detector.columns()

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a state back; see `Detector.restore`."""
        self._detector.restore(columns)


def timed(timer: Timer) -> OpenDetector:
    """Return what opens the shipped detectors, timed."""
    return partial(_open, timer)


def _open(
    timer: Timer,
    metric_class: MetricClass,
    step_s: float,
    *,
    worse: Direction = Direction.EITHER,
) -> Detector:
    return TimedDetector(open_detector(metric_class, step_s, worse=worse), timer)
