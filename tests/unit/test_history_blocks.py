"""Blocks of history: rows in, the same rows out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.metrics import Merge
from playwatch.store.history_blocks import PART, Rows, joined, merged, pack, unpack

ROW = st.tuples(
    st.integers(0, PART - 1),
    st.integers(0, 60),
    st.floats(-1e6, 1e6, width=32),
    st.integers(-1000, 10**6),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROW, max_size=60, unique_by=lambda row: row[:2]), st.integers(0, 400))
def test_what_is_packed_is_unpacked(rows: list[tuple[int, int, float, int]], part: int) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    given_rows = Rows.of(
        np.array(columns[0], np.int32) + part * PART,
        np.array(columns[1], np.int64) + 30_000_000,
        columns[2],
        columns[3],
    )
    found = unpack(pack(given_rows), part)

    def listed(one: Rows) -> list[tuple[int, int, float, int]]:
        return sorted(
            zip(
                one.series.tolist(),
                one.minute.tolist(),
                one.value.tolist(),
                one.views.tolist(),
                strict=True,
            )
        )

    assert listed(found) == listed(given_rows)


def test_rows_of_two_parts_are_no_block() -> None:
    with pytest.raises(ValueError, match="one part"):
        pack(Rows.of([1, PART], [0, 0], [1.0, 1.0], [1, 1]))


@pytest.mark.parametrize("damage", [b"", b"abc", b"\x01" * 40])
def test_a_damaged_block_is_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="not a block"):
        unpack(damage, 0)


def test_a_cut_block_is_refused() -> None:
    block = pack(Rows.of([1, 2], [0, 0], [1.0, 2.0], [1, 1]))
    with pytest.raises(ValueError, match="not a block"):
        unpack(block[:-3], 0)


def test_pieces_of_a_minute_merge_as_their_metric_does() -> None:
    pieces = joined(
        [
            Rows.of([1, 2], [5, 5], [10.0, 4.0], [100, 10]),
            Rows.of([1, 1], [5, 6], [40.0, 7.0], [50, 1]),
        ]
    )

    mean = merged(pieces, Merge.MEAN)
    assert mean.series.tolist() == [1, 1, 2]
    assert mean.minute.tolist() == [5, 6, 5]
    assert mean.value.tolist() == [20.0, 7.0, 4.0]
    assert mean.views.tolist() == [150, 1, 10]
    assert merged(pieces, Merge.SUM).value.tolist() == [50.0, 7.0, 4.0]
    assert merged(pieces, Merge.LATEST).value.tolist() == [40.0, 7.0, 4.0]


def test_what_is_taken_back_leaves_a_mean_and_may_leave_nothing() -> None:
    pieces = Rows.of([1, 1, 2, 2], [5, 5, 5, 5], [10.0, 40.0, 3.0, 3.0], [100, -50, 7, -7])

    found = merged(pieces, Merge.MEAN)

    assert (found.series.tolist(), found.value.tolist()) == ([1], [-20.0])
