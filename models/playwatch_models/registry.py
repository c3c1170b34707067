"""Which detector judges which class of metric."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from playwatch_models.archive import unpack
from playwatch_models.calibration import Worth
from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.evidence import RatioDetector
from playwatch_models.seasonal import SeasonalDetector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwatch_models.archive import Archive
    from playwatch_models.detector import Detector

__all__ = ["DETECTORS", "WORTH", "model_fault", "open_detector", "opened", "shipped_model"]


def shipped_model() -> Archive | None:
    """Return the trained model that came with the package, None if none did that can be read."""
    return _shipped()[0]


def model_fault() -> str:
    """Return why the model that came with the package cannot be read; empty if it can."""
    return _shipped()[1]


def opened(raw: bytes) -> tuple[Archive | None, str]:
    """Return a model, or why it cannot be read: damaged, or of another version.

    Notes
    -----
    The tails judge without it, so nobody is left unwatched for a bad file.
    """
    try:
        return unpack(raw), ""
    except ValueError as error:
        return None, str(error)


@cache
def _shipped() -> tuple[Archive | None, str]:
    file = files("playwatch_models") / "data" / "forest.npz"
    return opened(file.read_bytes()) if file.is_file() else (None, "")


def _learned(watch: Watch) -> Detector:
    """Open the seasonal detector with the shipped forest, or by its tails alone."""
    model = shipped_model()
    return SeasonalDetector(watch, None if model is None else model.forest)


DETECTORS: Mapping[MetricClass, Callable[[Watch], Detector]] = {
    MetricClass.MEDIAN: _learned,
    MetricClass.COUNT: _learned,
    MetricClass.GAUGE: _learned,
    MetricClass.RATIO: RatioDetector,
}
"""One line for each class of metric."""

WORTH: Mapping[MetricClass, Worth] = {
    # Outside the incidents of the labelled series that the forest is grown on, out of
    # fold: 1.8 to 2.9 runs in a thousand intervals on three sets, 8.7 on nab's sensors;
    # slopes of 0.7 to 1.3, about what is promised.
    MetricClass.MEDIAN: Worth(rate=0.003),
    MetricClass.COUNT: Worth(rate=0.003),
    MetricClass.GAUGE: Worth(rate=0.003),
    # Measured on simulated fleets without any fault (`benchmarks/fleet.py --faults 0`).
    MetricClass.RATIO: Worth(0.70, 0.66),
}
"""What a score of each detector is worth where nothing is wrong."""


def open_detector(
    metric_class: MetricClass, step_s: float, *, worse: Direction = Direction.EITHER
) -> Detector:
    """Open the detector for a class of metric; it watches no group yet.

    Parameters
    ----------
    metric_class
        How the values scatter.
    step_s
        Seconds between closed intervals, greater than 0.
    worse
        Which way is worse; only that way scores.

    Raises
    ------
    ValueError
        If the step is not positive.
    """
    if not step_s > 0:
        msg = f"an interval lasts longer than nothing, not {step_s} s"
        raise ValueError(msg)
    return DETECTORS[metric_class](Watch(metric_class, step_s, worse))
