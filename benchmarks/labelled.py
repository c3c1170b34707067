"""Labelled series on disk, run through detectors strictly online.

Layout: ``DIR/index.csv`` names them (without it, every file is one);
``DIR/<dataset>/<series>.npz`` holds ``t0`` (epoch seconds), ``dt`` (seconds since the
row before), ``v`` (one value a row, or a column for each metric) and labels ``y``,
which only the trainer reads.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from playwatch_models.detector import Intervals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


Floats = NDArray[np.float64]

__all__ = ["Column", "Series", "Stepper", "columns_of", "labels_of", "read_index", "replay"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One file.

    Attributes
    ----------
    dataset, name
        As in the index.
    step_s
        Seconds between rows.
    eval_from
        Epoch seconds from which it is judged.
    time_s
        Epoch seconds of the rows, int64.
    values
        Shape ``(rows, metrics)``.
    """

    dataset: str
    name: str
    step_s: int
    eval_from: int
    time_s: NDArray[np.int64]
    values: Floats

    @property
    def key(self) -> str:
        """Return ``dataset/name``."""
        return f"{self.dataset}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One metric of a series, as a group of a detector: its times, values and views."""

    series: Series
    time_s: NDArray[np.int64]
    value: Floats
    views: Floats | None = None


def read_index(data: Path, datasets: Sequence[str] | None) -> Iterator[Series]:
    """Yield the series of some data sets, or of all; without an index, every file there is."""
    for row in _listed(data):
        if datasets and row["dataset"] not in datasets:
            continue
        with np.load(data / row["dataset"] / f"{row['series']}.npz") as found:
            steps = found["dt"].astype(np.int64)
            values = found["v"].astype(np.float64)
            time_s = int(found["t0"]) + np.cumsum(steps)
        # What an engine knows after its first rows.
        usual_s = int(np.median(steps[1:100])) if len(steps) > 1 else 60
        yield Series(
            row["dataset"],
            row["series"],
            int(row.get("step_s") or usual_s),
            int(row.get("eval_from") or time_s[0]),
            time_s,
            values if values.ndim > 1 else values[:, None],
        )


def _listed(data: Path) -> Iterator[dict[str, str]]:
    index = data / "index.csv"
    if index.exists():
        with index.open(newline="") as file:
            yield from csv.DictReader(file)
        return
    for path in sorted(data.glob("*/*.npz")):
        yield {"dataset": path.parent.name, "series": path.stem}


def labels_of(data: Path, series: Series) -> NDArray[np.bool_]:
    """Return which rows of a series people called an incident."""
    with np.load(data / series.dataset / f"{series.name}.npz") as found:
        labels: NDArray[np.bool_] = found["y"] > 0
    return labels


def columns_of(series: Series) -> list[Column]:
    """Return the metrics of a series; views and failures are one ratio."""
    if series.dataset == "qoe":
        views, failures = series.values.T
        ratio = np.where(views > 0, 100.0 * failures / np.maximum(views, 1.0), np.nan)
        return [Column(series, series.time_s, ratio, views)]
    return [Column(series, series.time_s, value) for value in series.values.T]


Stepper = Callable[[int, Intervals], Floats]
"""Scores an interval of the first so many columns; takes the row number too."""


def replay(
    columns: Sequence[Column], opened: Callable[[int, Sequence[Column]], Stepper]
) -> list[Floats]:
    """Return the score of every row of every column, each by the rows before it alone.

    Parameters
    ----------
    columns
        Groups; those of one step are stepped together, by row number.
    opened
        Opens what scores the columns of a step in seconds, whose groups are numbered in
        the order given: longest first.
    """
    scores = [np.zeros(len(column.value)) for column in columns]
    for step_s in sorted({column.series.step_s for column in columns}):
        order = sorted(
            (i for i, column in enumerate(columns) if column.series.step_s == step_s),
            key=lambda i: -len(columns[i].value),
        )
        some = [columns[i] for i in order]
        for i, score in zip(order, _play(some, opened(step_s, some)), strict=True):
            scores[i] = score
    return scores


def _play(columns: Sequence[Column], stepper: Stepper) -> list[Floats]:
    """Step through columns of falling length and return their scores."""
    longest, width = len(columns[0].value), len(columns)
    at = np.zeros((longest, width), np.int64)
    value, views = np.zeros((2, longest, width))
    lengths = np.array([len(column.value) for column in columns])
    for i, column in enumerate(columns):
        end_s = column.time_s + column.series.step_s
        at[: len(end_s), i] = end_s * 1000
        value[: len(end_s), i] = column.value
        views[: len(end_s), i] = np.nan if column.views is None else column.views
    out = np.zeros((longest, width))
    group = np.arange(width, dtype=np.int32)
    for row in range(longest):
        some = int(np.searchsorted(-lengths, -row, side="left"))
        intervals = Intervals(group[:some], at[row, :some], value[row, :some], views[row, :some])
        out[row, :some] = stepper(row, intervals)
    return [out[:length, i].copy() for i, length in enumerate(lengths)]
