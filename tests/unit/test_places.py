from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.places import Places, distinct

EQUAL_STEPS = st.builds(
    lambda first, count, step: list(range(first, 31, step))[:count],
    st.integers(0, 30),
    st.integers(0, 20),
    st.integers(1, 5),
)
ROWS = st.lists(st.integers(0, 30), max_size=20) | EQUAL_STEPS


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_a_row_that_stands_twice_gets_both_amounts(rows: list[int]) -> None:
    column, expected = np.zeros(31), np.zeros(31)
    Places(np.array(rows, np.int32)).add(column, np.arange(len(rows), dtype=np.float64))
    for amount, row in enumerate(rows):
        expected[row] += amount

    assert column.tolist() == expected.tolist()


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_a_row_is_raised_to_the_greatest_value_and_never_lowered(rows: list[int]) -> None:
    column, expected = np.full(31, 5), np.full(31, 5)
    least = np.arange(len(rows), dtype=np.int64)[::-1]
    Places(np.array(rows, np.int32)).raise_to(column, least)
    for value, row in zip(least, rows, strict=True):
        expected[row] = max(expected[row], value)

    assert column.tolist() == expected.tolist()


@settings(deadline=None, max_examples=100)
@given(ROWS, st.data())
def test_what_is_written_to_rows_stands_there(rows: list[int], data: st.DataObject) -> None:
    column = np.arange(100, 131)
    places = Places(np.array(rows, np.int32))
    assert places.of(column).tolist() == [100 + row for row in rows]
    assert places.index.tolist() == rows

    values = data.draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows)))
    places.put(column, np.array(values, np.int64))
    last = dict(zip(rows, values, strict=True))
    assert column.tolist() == [last.get(row, 100 + row) for row in range(31)]

    places.put(column, 7)
    assert set(column[rows].tolist()) <= {7}


@settings(deadline=None, max_examples=100)
@given(ROWS, st.data())
def test_a_slot_of_a_ring_is_its_number_s_remainder(rows: list[int], data: st.DataObject) -> None:
    one = st.integers(10**9, 10**9 + 50)
    many = st.lists(one, min_size=len(rows), max_size=len(rows))
    numbers = data.draw(many | one.map(lambda number: [number] * len(rows)))
    slots = Places(np.array(rows, np.int32)).in_rings(np.array(numbers, np.int64), 20)

    expected = [row * 20 + number % 20 for row, number in zip(rows, numbers, strict=True)]
    assert slots.index.tolist() == expected


@pytest.mark.parametrize("count", [31, 1_000_000])
@settings(deadline=None, max_examples=50)
@given(rows=ROWS)
def test_each_row_is_named_once_in_order(count: int, rows: list[int]) -> None:
    found = distinct(np.array(rows, np.int32), count)

    assert found.tolist() == sorted(set(rows))
    assert found.dtype == np.int32


@pytest.mark.parametrize("rows", [[], [3], [1, 2, 5]])
def test_rising_rows_are_known_to_rise(rows: list[int]) -> None:
    assert Places(np.array(rows, np.int32)).are_rising
    assert not Places(np.array([*rows, 1, 1], np.int32)).are_rising
