"""Draw the band and the incident of a median, a count and a gauge, one SVG each.

    python benchmarks/class_pictures.py [--out DIR] [--seed 4]

Six quiet days are learned. On the seventh, from 14:00 to 15:00, startup takes half as long
again, half of the viewers are gone, the buffer runs low. `ratio_picture.py` draws the ratio.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ratio_picture import COLUMNS, DAY, START, picture

from playwatch_models.calibration import Budget
from playwatch_models.classes import Direction, MetricClass
from playwatch_models.decision import Decider
from playwatch_models.detector import Intervals
from playwatch_models.registry import open_detector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAYS = 7
FAULT = slice((DAYS - 1) * DAY + 840, (DAYS - 1) * DAY + 900)
WORSE = {
    MetricClass.MEDIAN: Direction.UP,
    MetricClass.COUNT: Direction.EITHER,
    MetricClass.GAUGE: Direction.DOWN,
}
TITLES = {
    MetricClass.MEDIAN: ("Median startup time, a minute at a time", " ms"),
    MetricClass.COUNT: ("Concurrent viewers", ""),
    MetricClass.GAUGE: ("Mean buffer length, without known views", " s"),
}


def series(kind: MetricClass, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the values of all days, minute by minute, and the views behind them."""
    minute = np.arange(DAYS * DAY)
    curve = 1.2 - np.cos((minute / DAY - 0.1) * 2 * np.pi) + 0.2 * np.sin(minute / DAY * 4 * np.pi)
    views = generator.poisson(300 * curve).astype(np.float64)
    wander = np.cumsum(generator.normal(0, 0.02, len(minute)))
    wander -= np.convolve(wander, np.ones(DAY) / DAY, "same")
    if kind is MetricClass.COUNT:
        value = generator.poisson(4000 * curve * np.exp(0.1 * wander)).astype(np.float64)
        value[FAULT] *= 0.5
        return value, views
    if kind is MetricClass.MEDIAN:
        noise = generator.normal(0, 1, len(minute)) * np.sqrt(0.02**2 + 0.8 / views)
        value = 900 * (1 + 0.15 * curve) * np.exp(noise + 0.02 * wander)
        value[FAULT] *= 1.5
        return value, views
    value = 18 - 2 * curve + 0.3 * wander + generator.normal(0, 0.5, len(minute))
    value[FAULT] -= 6 * np.minimum(1, np.arange(1, 61) / 10)
    return value, np.full(len(minute), np.nan)


def watched(kind: MetricClass, seed: int) -> dict[str, Floats]:
    """Play all days to the shipped detector; return the last one."""
    value, views = series(kind, np.random.default_rng(seed))
    detector = open_detector(kind, 60.0, worse=WORSE[kind])
    detector.resize(1, np.array([-1], np.int32))
    decider = Decider(Budget(1.0), 60.0)
    decider.resize(1)
    group = np.zeros(1, np.int32)
    rows = []
    for at, (seen, by) in enumerate(zip(value, views, strict=True)):
        end = np.array([START + (at + 1) * 60_000])
        intervals = Intervals(group, end, np.array([seen]), np.array([by]))
        found = detector.step(intervals, decider.is_open(group))
        decider.decide(found)
        band = (found.expected[0], found.low[0], found.high[0])
        rows.append((seen, *band, np.nan_to_num(by), float(decider.is_open(group)[0])))
    day = np.array(rows[-DAY:])
    return dict(zip(COLUMNS, day.T, strict=True))


def main() -> None:
    """Watch, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--seed", type=int, default=4)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for kind, (title, unit) in TITLES.items():
        day = watched(kind, asked.seed)
        (asked.out / f"{kind}.svg").write_text(picture(day, title, unit))
        edges = np.diff(day["is_open"])
        opened, closed = np.flatnonzero(edges > 0) + 1, np.flatnonzero(edges < 0) + 1
        print(f"{kind}: opened at {opened.tolist()}, closed at {closed.tolist()} (840 to 900)")


if __name__ == "__main__":
    main()
