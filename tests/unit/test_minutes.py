"""Samples as one value for each series and minute, against a dictionary."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.metrics import Catalogue, Merge
from playwatch.core.replacement import Settled
from playwatch.core.samples import SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.runtime.minutes import AT_ONCE, MOST_OPEN, Minutes
from playwatch.store.history_blocks import joined, merged
from tests.stage import FAILURES, VIEWERS

MINUTE_MS = 60_000
START = 30_000_000
METRICS = (FAILURES, "views", VIEWERS)
CATALOGUE = Catalogue()
NONE = SampleBatch.of()

Sample = tuple[int, int, float, int]
Found = dict[tuple[int, int], tuple[float, int]]


def table(count: int = 6) -> SeriesTable:
    """Return series of which each third is of another kind."""
    series = SeriesTable()
    for row in range(count):
        number = CATALOGUE.id_of(METRICS[row % 3])
        assert number is not None
        series.intern(number, canonical_dimensions({"n": str(row)}))
    return series


def batch_of(samples: list[Sample]) -> SampleBatch:
    return SampleBatch.of(*zip(*samples, strict=True)) if samples else NONE


def taken(minutes: Minutes, series: SeriesTable) -> Found:
    """Return what is written, as the history reads it."""
    minutes.pour(series, CATALOGUE)
    rows = joined(list(minutes.take()))
    found: Found = {}
    for kind, merge in enumerate((Merge.MEAN, Merge.SUM, Merge.LATEST)):
        mine = merged(rows.take(rows.series % 3 == kind), merge)
        columns = (mine.series, mine.minute, mine.value, mine.views)
        for row, minute, value, views in zip(*(one.tolist() for one in columns), strict=True):
            found[row, minute] = (value, views)
    return found


def slowly(batches: list[list[Sample]]) -> Found:
    heard: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for row, at, value, views in (sample for batch in batches for sample in batch):
        heard[row, at // MINUTE_MS].append((row, at, value, views))
    found: Found = {}
    for (row, minute), samples in heard.items():
        views = sum(views for *_, views in samples)
        if METRICS[row % 3] == VIEWERS:
            found[row, minute] = samples[-1][2:]
        elif METRICS[row % 3] == "views":
            found[row, minute] = (sum(value for *_, value, _ in samples), views)
        elif views:
            found[row, minute] = (sum(value * each for *_, value, each in samples) / views, views)
    return found


def samples_of(minutes: int) -> st.SearchStrategy[Sample]:
    return st.tuples(
        st.integers(0, 5),
        st.integers(START * MINUTE_MS, (START + minutes) * MINUTE_MS - 1),
        st.integers(0, 9).map(float),
        st.integers(0, 5),
    )


@pytest.mark.parametrize("span", [1, 2, 30])
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_minute_is_what_its_samples_add_up_to(span: int, data: st.DataObject) -> None:
    batches = data.draw(st.lists(st.lists(samples_of(span), min_size=1, max_size=8), max_size=5))
    series, minutes = table(), Minutes()
    for batch in batches:
        minutes.count(Settled(batch_of(batch), NONE), series, CATALOGUE)
        if len(batch) % 2:
            minutes.pour(series, CATALOGUE)

    found, expected = taken(minutes, series), slowly(batches)
    assert found.keys() == expected.keys()
    for key, (value, views) in expected.items():
        assert found[key][0] == pytest.approx(value)
        assert found[key][1] == views
    assert not taken(minutes, series)


@pytest.mark.parametrize("others", [0, MOST_OPEN + 3])
def test_what_is_taken_back_does_not_count(others: int) -> None:
    series, minutes = table(), Minutes()
    at = START * MINUTE_MS
    for before in range(others):
        early = batch_of([(0, at - before * MINUTE_MS, 1.0, 1)])
        minutes.count(Settled(early, NONE), series, CATALOGUE)
        minutes.pour(series, CATALOGUE)
    moment = at + MINUTE_MS
    old = [(0, moment, 2.0, 10), (1, moment, 5.0, 1)]
    new = [(0, moment, 4.0, 30), (1, moment, 7.0, 1)]
    minutes.count(Settled(batch_of(old), NONE), series, CATALOGUE)
    minutes.count(Settled(batch_of(new), batch_of(old)), series, CATALOGUE)

    found = taken(minutes, series)
    assert found[0, START + 1] == (4.0, 30)
    assert found[1, START + 1][0] == 7.0


def test_however_many_samples_come_in_a_minute_they_are_one_row_for_each_series() -> None:
    series, minutes = table(3 * AT_ONCE), Minutes()
    rows = np.arange(0, 3 * AT_ONCE, 3, dtype=np.int32)
    at = np.full(len(rows), START * MINUTE_MS)
    for _ in range(50):
        batch = SampleBatch(rows, at, np.full(len(rows), 2.0), np.full(len(rows), 3))
        minutes.count(Settled(batch, NONE), series, CATALOGUE)

    (found,) = minutes.take()
    assert found.series.tolist() == rows.tolist()
    assert set(found.value.tolist()) == {2.0}
    assert set(found.views.tolist()) == {150}
