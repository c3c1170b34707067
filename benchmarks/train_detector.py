"""Train the learned stage: ``python benchmarks/train_detector.py --data DIR --out FILE``.

Only data sets whose licence allows it: kpi, mscloud, nab and group. Each series is run
through the detector as it is, and twice with injected incidents; ``group`` lends its
metrics as background for injected ones, since its labels name no metric. What passes the
detector's gate is a row. An incident counts as one however long it lasts, and so does a
false alarm, so that no series rules. Folds hold whole families of series.

A page is decided by the strangest interval of a run, not by the run's average. So a first
forest picks the few rows of each run that it finds strangest, and the forest that ships is
grown on those. Each fold picks for itself, by a forest that never saw what it will judge.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from injected import inject
from labelled import Column, Series, columns_of, labels_of, read_index, replay

from playwatch_models.archive import Archive, pack
from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.features import FEATURES
from playwatch_models.forest import PARAMETERS, grow
from playwatch_models.seasonal import SeasonalDetector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labelled import Stepper
    from numpy.typing import NDArray

    from playwatch_models.detector import Intervals
    from playwatch_models.trees import Forest

    Table = NDArray[np.float32]

DATASETS = ("kpi", "mscloud", "nab", "group")
FOLDS = 5
COPIES = 2
WEIGHT = {"kpi": 1.0, "mscloud": 2.0, "nab": 1.0, "group": 1.0}
INJECTED = 0.3
INCIDENTS = 0.3
"""Weight of all incidents together against that of all false alarms."""
LARGEST = 60.0
"""Most that one series may weigh."""
FIRST_ROWS = 20
STRANGEST = {True: 1, False: 5}
"""Rows of an incident, and of a false alarm, that the second forest is grown on."""
WIDE_ROWS = 3
"""Of a label as wide as those of nab, only the strangest rows are called an incident."""
GROUP_EVERY = 3


class Notebook:
    """Takes the place of the forest and writes down what it is shown."""

    def __init__(self) -> None:
        self.row = 0
        self.rows: list[NDArray[np.int64]] = []
        self.groups: list[NDArray[np.int32]] = []
        self.tables: list[Table] = []

    def rarity(self, table: Table, group: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return nothing of interest."""
        self.tables.append(table)
        self.groups.append(group)
        self.rows.append(np.full(len(group), self.row, np.int64))
        return np.zeros(len(group))


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What one series teaches: rows, the runs they belong to, what those are and weigh."""

    series: str
    fold: int
    share: float
    table: Table
    run: NDArray[np.int64]
    is_incident: NDArray[np.bool_]
    weight: NDArray[np.float64]


def odd_rows(columns: Sequence[Column]) -> list[tuple[NDArray[np.int64], Table]]:
    """Return which rows of each column pass the gate, and their features."""
    number = {id(column): i for i, column in enumerate(columns)}
    found: list[tuple[NDArray[np.int64], Table]] = [
        (np.empty(0, np.int64), np.empty((0, len(FEATURES)), np.float32)) for _ in columns
    ]
    notebooks: list[tuple[Sequence[Column], Notebook]] = []

    def opened(step_s: int, some: Sequence[Column]) -> Stepper:
        notebook = Notebook()
        notebooks.append((some, notebook))
        watch = Watch(MetricClass.GAUGE, float(step_s), Direction.EITHER)
        detector = SeasonalDetector(watch, notebook)
        detector.resize(len(some), np.full(len(some), -1, np.int32))
        free = np.zeros(len(some), np.bool_)

        def step(row: int, intervals: Intervals) -> NDArray[np.float64]:
            notebook.row = row
            return detector.step(intervals, free[: len(intervals.group)]).score

        return step

    replay(columns, opened)
    for some, notebook in notebooks:
        groups, rows = np.concatenate(notebook.groups), np.concatenate(notebook.rows)
        tables = np.concatenate(notebook.tables)
        for group, column in enumerate(some):
            mine = groups == group
            found[number[id(column)]] = rows[mine], tables[mine]
    return found


def family_of(series: Series) -> str:
    """Return what near-identical series have in common."""
    if series.dataset == "mscloud":
        return f"mscloud {re.sub(r'[-_]?[0-9]+.*$', '', series.name)}"
    return series.key


def select(
    series: Series, mark: NDArray[np.int8], rows: NDArray[np.int64], table: Table, *, is_wide: bool
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.bool_]]:
    """Return which odd rows to learn from, their runs, and whether they are incidents."""
    half = series.time_s[0] + (series.eval_from - series.time_s[0]) / 2
    first = int(np.searchsorted(series.time_s, half))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (mark > 0).astype(np.int8), [0]))))
    near = mark != 0
    incidents = []
    for begin, end in edges.reshape(-1, 2):
        near[max(0, begin - 3) : end + 5] = True
        part = np.flatnonzero((rows >= max(begin, first)) & (rows < end))
        fresh = table[part, FEATURES.index("rarity_fresh")]
        incidents.append(
            part[np.argsort(-fresh)[:WIDE_ROWS]]
            if is_wide
            else part[rows[part] < begin + FIRST_ROWS]
        )
    quiet = np.flatnonzero((rows >= first) & ~near[rows])
    cuts = np.flatnonzero(np.diff(rows[quiet]) > 10) + 1  # noqa: PLR2004 - another false alarm
    # Of a false alarm its start is what counts.
    runs = [*incidents, *(part[:FIRST_ROWS] for part in np.split(quiet, cuts))]
    sizes = [len(part) for part in runs]
    run = np.repeat(np.arange(len(runs)), sizes)
    return np.concatenate(runs), run, run < len(incidents)


def weighed(one: Material, power: float) -> Material:
    """Return the material with weights: of a run of ``n`` rows ``n ** -power`` for each row.

    Parameters
    ----------
    power
        1 counts every run alike, 0.5 the longer ones a little more.
    """
    weight = (one.share * np.bincount(one.run)[one.run] ** -power).astype(np.float64)
    weight *= min(1.0, LARGEST / max(float(weight.sum()), 1e-9))
    return replace(one, weight=weight)


def strangest(one: Material, odds: NDArray[np.float32]) -> Material:
    """Return the rows of each run with the highest log-odds, every run counting as one."""
    order = np.lexsort((-odds, one.run))
    starts = np.flatnonzero(np.diff(one.run[order], prepend=-1))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    keep = rank < np.where(one.is_incident, STRANGEST[True], STRANGEST[False])
    some = replace(
        one,
        table=one.table[keep],
        run=one.run[keep],
        is_incident=one.is_incident[keep],
        weight=one.weight[keep],
    )
    return weighed(some, 1.0)


def gather(data: Path, seed: int) -> list[Material]:
    """Return what every series teaches, as it is and with injected incidents."""
    series = list(read_index(data, DATASETS))
    families = sorted({family_of(one) for one in series})
    deal = np.random.default_rng(seed).permutation(len(families)) % FOLDS
    columns: list[Column] = []
    marks: list[tuple[NDArray[np.int8], float]] = []
    for one in series:
        labels = labels_of(data, one)
        for number, column in enumerate(columns_of(one)):
            is_group = one.dataset == "group"
            if is_group and number % GROUP_EVERY:
                continue
            if not is_group:
                columns.append(column)
                marks.append((labels.astype(np.int8), 1.0))
            for copy in range(1 if is_group else COPIES):
                generator = np.random.default_rng([seed, len(columns), copy])
                value, mark = inject(column.value, labels, one.step_s, generator)
                columns.append(replace(column, value=value))
                marks.append((mark, INJECTED))
    material = []
    for column, (mark, share), (rows, table) in zip(columns, marks, odd_rows(columns), strict=True):
        if not len(rows):
            continue
        one = column.series
        is_wide = one.dataset == "nab" and share == 1.0
        chosen, run, is_incident = select(one, mark, rows, table, is_wide=is_wide)
        fold = int(deal[families.index(family_of(one))])
        share *= WEIGHT[one.dataset]  # noqa: PLW2901 - of the whole
        taught = Material(one.key, fold, share, table[chosen], run, is_incident, np.empty(len(run)))
        material.append(weighed(taught, 0.5))
    return material


def train(material: Sequence[Material], seed: int) -> Forest:
    """Return a forest of some series, grown on what a first one found strangest."""
    first = grown(material, seed)
    return grown([strangest(one, first.log_odds(one.table)) for one in material], seed)


def grown(material: Sequence[Material], seed: int) -> Forest:
    """Return a forest of all rows."""
    table = np.concatenate([one.table for one in material])
    is_incident = np.concatenate([one.is_incident for one in material])
    weight = np.concatenate([one.weight for one in material])
    weight[is_incident] *= INCIDENTS * weight[~is_incident].sum() / weight[is_incident].sum()
    return grow(table, is_incident, weight, seed)


def scale(forests: Sequence[Forest], material: Sequence[Material], share: float) -> Forest:
    """Return the first forest on the scale of what the fold forests said of unseen rows.

    Parameters
    ----------
    forests
        The forest to scale, then those of the folds.
    share
        Share of intervals that pass the gate.
    """
    odds = np.concatenate([forests[1 + one.fold].log_odds(one.table) for one in material])
    quiet = ~np.concatenate([one.is_incident for one in material])
    weight = np.concatenate([one.weight for one in material])[quiet]
    order = np.argsort(odds[quiet])
    above = 1 - (np.cumsum(weight[order]) - weight[order]) / weight.sum()
    knots = np.unique(np.quantile(odds[quiet], 1 - np.geomspace(1e-4, 1, 24)))
    reach = np.interp(knots, odds[quiet][order], above)
    rarities = np.maximum.accumulate(-np.log10(share * np.maximum(reach, 1e-5)))
    rarities += np.arange(len(knots)) * 1e-4
    return replace(forests[0], odds=knots.astype(np.float32), rarities=rarities.astype(np.float32))


def main() -> int:
    """Train the forests and write the model file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    material = gather(asked.data, asked.seed)
    forests = [train(material, asked.seed)]
    for fold in range(FOLDS):
        forests.append(train([one for one in material if one.fold != fold], asked.seed))
        print(f"fold {fold} done", flush=True)
    forests = [scale([one, *forests[1:]], material, 0.015) for one in forests]
    record = {
        "datasets": {
            "kpi": "MIT",
            "mscloud": "MIT",
            "nab": "MIT",
            "group": "MIT",
        },
        "rows": sum(len(one.table) for one in material),
        "incident_rows": sum(int(one.is_incident.sum()) for one in material),
        "injected_copies": COPIES,
        "injected_weight": INJECTED,
        "strangest_rows": {"incident": STRANGEST[True], "false alarm": STRANGEST[False]},
        "folds": FOLDS,
        "seed": asked.seed,
        "parameters": dict(PARAMETERS),
    }
    archive = Archive(
        forests[0], tuple(forests[1:]), {one.series: one.fold for one in material}, record
    )
    asked.out.write_bytes(pack(archive))
    print(f"{asked.out}: {asked.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
