from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.places import Places, distinct

ROWS = st.lists(st.integers(0, 30), max_size=20)


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
