"""How well the shipped detectors find labelled incidents, and what they cost.

Score a folder of labelled series strictly online (labels are never read)::

    python benchmarks/detection_quality.py score --data DIR --out DIR [--datasets kpi wsd ...]
    python benchmarks/detection_quality.py score ... --detector holt_winters

writes ``OUT/<dataset>/<series>.npz`` with ``score`` and ``alarm`` for every row, for an
evaluator of pages. A series that took part in the training is scored by the fold of the
model that never saw it. ``alarm`` opens at one fixed rarity and ends by hysteresis; the
engine's own level follows from its budget of pages and the number of groups it watches.

Measure CPU and state::

    python benchmarks/detection_quality.py speed
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import machine
import numpy as np
from baselines import BASELINES
from labelled import Column, Floats, columns_of, read_index, replay
from stages import STAGES

from playwatch_models.agreement import agree
from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.detector import Intervals
from playwatch_models.registry import open_detector, shipped_model
from playwatch_models.seasonal import SeasonalDetector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labelled import Stepper
    from numpy.typing import NDArray

    from playwatch_models.archive import Archive
    from playwatch_models.detector import Detector

DETECTORS = ("shipped", "tails", *STAGES, *BASELINES)
OPENS, ENDS, CALM_ROWS = 3.5, 2.0, 3
"""The alarm column: once in 3,000 intervals by chance opens, calm for three ends."""


class Panel:
    """Lets every group be judged by a forest that never saw it."""

    def __init__(self, model: Archive, columns: Sequence[Column]) -> None:
        self._forests = (*model.folds, model.forest)
        fold = [model.fold_of.get(column.series.key, len(model.folds)) for column in columns]
        self._fold = np.array(fold)

    def rarity(self, table: NDArray[np.float32], group: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return each verdict by the forest of its group."""
        rarity = np.zeros(len(group))
        fold = self._fold[group]
        for number in np.unique(fold):
            mine = fold == number
            rarity[mine] = self._forests[number].rarity(table[mine], group[mine])
        return rarity


def opened(name: str, step_s: int, columns: Sequence[Column]) -> Stepper:
    """Return what scores the columns of one step."""
    if name in BASELINES:
        baseline = BASELINES[name](len(columns), step_s)
        return lambda row, intervals: baseline.score(
            row, intervals.at, np.nan_to_num(intervals.value)
        )
    detector: Detector
    if columns[0].series.dataset == "qoe":
        detector = open_detector(MetricClass.RATIO, step_s, worse=Direction.UP)
    else:
        model = None if name == "tails" else shipped_model()
        watch = Watch(MetricClass.GAUGE, float(step_s), Direction.EITHER)
        jury = None if model is None else Panel(model, columns)
        detector = STAGES.get(name, SeasonalDetector)(watch, jury)
    detector.resize(len(columns), np.full(len(columns), -1, np.int32))
    free = np.zeros(len(columns), np.bool_)
    return lambda _, intervals: detector.step(intervals, free[: len(intervals.group)]).score


def score(data: Path, out: Path, datasets: Sequence[str] | None, name: str) -> None:
    """Score every series and write its file."""
    series = list(read_index(data, datasets))
    for is_ratio in (False, True):
        some = [one for one in series if (one.dataset == "qoe") is is_ratio]
        columns = [column for one in some for column in columns_of(one)]
        if not columns:
            continue
        started = time.process_time()
        scores = replay(columns, lambda step, these: opened(name, step, these))
        print(f"{len(columns)} columns: {time.process_time() - started:.0f} s CPU", file=sys.stderr)
        first = 0
        merged: list[Floats] = []
        for one in some:
            width = len(columns_of(one))
            metrics = np.stack(scores[first : first + width], axis=1)
            merged.append(agree(metrics) if width > 1 else metrics[:, 0])
            first += width
        for one, found in zip(some, merged, strict=True):
            path = out / one.dataset / f"{one.name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, score=found.astype(np.float32), alarm=decided(found))


def decided(score: Floats) -> NDArray[np.int8]:
    """Return where an incident would be open: from `OPENS` until three rows stay below `ENDS`."""
    alarm = np.zeros(len(score), np.int8)
    calm = CALM_ROWS
    for row in np.flatnonzero(score >= ENDS):
        if alarm[row - 1] == 0 or row == 0:
            calm = CALM_ROWS
        if score[row] >= OPENS or calm < CALM_ROWS:
            alarm[row : row + CALM_ROWS] = 1
            calm = 0
    return alarm


def speed(groups: int, steps: int) -> dict[str, float]:
    """Return CPU a model step and bytes a series, with the shipped model.

    A daily curve with noise; a group in a thousand has a spike at any time.
    """
    generator = np.random.default_rng(0)
    detector = open_detector(MetricClass.GAUGE, 60.0)
    detector.resize(groups, np.full(groups, -1, np.int32))
    group, free = np.arange(groups, dtype=np.int32), np.zeros(groups, np.bool_)
    views = np.full(groups, np.nan)
    size = generator.lognormal(3, 1, groups)
    spent, warm = 0.0, 60
    for row in range(warm + steps):
        at = np.full(groups, 1_800_000_000_000 + row * 60_000)
        value = size * (10 + np.sin(row / 229) + generator.normal(0, 0.3, groups))
        value[generator.random(groups) < 0.001] *= 2  # noqa: PLR2004 - one in a thousand
        intervals = Intervals(group, at, value, views)
        started = time.process_time()
        detector.step(intervals, free)
        spent += (time.process_time() - started) * (row >= warm)
    held = sum(column.nbytes for column in detector.columns().values())
    return {
        "groups": groups,
        "cpu_us_per_step": round(1e6 * spent / steps / groups, 4),
        "bytes_per_series": held / groups,
    }


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    scoring = parts.add_parser("score", help="score labelled series")
    scoring.add_argument("--data", type=Path, required=True)
    scoring.add_argument("--out", type=Path, required=True)
    scoring.add_argument("--datasets", nargs="*")
    scoring.add_argument("--detector", choices=DETECTORS, default="shipped")
    timing = parts.add_parser("speed", help="CPU a model step, bytes a series")
    timing.add_argument("--groups", type=int, default=100_000)
    timing.add_argument("--steps", type=int, default=60)
    asked = parser.parse_args()
    if asked.part == "score":
        score(asked.data, asked.out, asked.datasets, asked.detector)
    else:
        result = speed(asked.groups, asked.steps)
        print(json.dumps(result))
        machine.keep("detection_speed", {**result, "machine": machine.described()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
