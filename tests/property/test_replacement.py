"""Replacement in columns equals replacement one sample at a time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.replacement import settle
from playwatch.core.samples import SampleBatch
from playwatch.core.series import NEVER, SeriesTable, canonical_dimensions

Row = tuple[int, int, float, int]

rows = st.tuples(
    st.integers(0, 3), st.integers(0, 4), st.integers(0, 99).map(float), st.integers(0, 9)
)
any_order = st.lists(rows, min_size=1, max_size=8)
in_order = any_order.map(lambda batch: sorted(batch, key=lambda row: (row[1], row[0])))
of_one_time = st.tuples(any_order, st.integers(0, 4)).map(
    lambda drawn: [(row[0], drawn[1], *row[2:]) for row in drawn[0]]
)


def table() -> SeriesTable:
    series = SeriesTable()
    for number in range(4):
        series.intern(0, canonical_dimensions({"n": str(number)}))
    return series


def columns(batch: SampleBatch) -> list[Row]:
    return list(
        zip(
            batch.series.tolist(),
            batch.at.tolist(),
            batch.value.tolist(),
            batch.views.tolist(),
            strict=True,
        )
    )


def settle_slowly(newest: dict[int, Row], batch: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return what counts and what is withdrawn; ``newest`` is brought up to date."""
    counted: list[Row | None] = []
    withdrawn: list[Row] = []
    place: dict[int, int] = {}
    for row in batch:
        series, at = row[0], row[1]
        if series in newest and newest[series][1] == at:
            if series in place:
                counted[place[series]] = None
            else:
                withdrawn.append(newest[series])
        counted.append(row)
        if series not in newest or at >= newest[series][1]:
            newest[series] = row
            place[series] = len(counted) - 1
    return [row for row in counted if row is not None], withdrawn


@settings(deadline=None, max_examples=200)
@given(st.lists(any_order | in_order | of_one_time, max_size=5), st.sampled_from([0, 24]))
def test_fast_equals_slow(batches: list[list[Row]], few: int) -> None:
    series, newest = table(), dict[int, Row]()
    for batch in batches:
        settled = settle(series, SampleBatch.of(*zip(*batch, strict=True)), few)
        counted, withdrawn = settle_slowly(newest, batch)

        assert columns(settled.counted) == counted
        assert sorted(columns(settled.withdrawn)) == sorted(withdrawn)
        for row in range(4):
            expected = newest.get(row, (row, NEVER, 0.0, 0))
            assert series.newest_at[row] == expected[1]
            if row in newest:
                assert (series.newest_value[row], series.newest_views[row]) == expected[2:]


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=10), st.data())
def test_a_split_anywhere_counts_the_same(batch: list[Row], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(batch)))

    assert _net([batch]) == _net([part for part in (batch[:cut], batch[cut:]) if part])


def _net(batches: list[list[Row]]) -> list[Row]:
    """Return what counts in the end."""
    series, left = table(), list[Row]()
    for batch in batches:
        settled = settle(series, SampleBatch.of(*zip(*batch, strict=True)), few=0)
        for row in columns(settled.withdrawn):
            left.remove(row)
        left += columns(settled.counted)
    return sorted(left)
