"""Series find their groups."""

from __future__ import annotations

import numpy as np

from playwatch.core.groups import NO_GROUP, GroupTable
from playwatch.core.rules import Matcher
from playwatch.core.series import SeriesTable, canonical_dimensions


def table(**series: dict[str, str]) -> tuple[SeriesTable, dict[str, int]]:
    known = SeriesTable()
    rows = {name: known.intern(0, canonical_dimensions(it)) for name, it in series.items()}
    return known, rows


def test_series_with_the_same_values_of_by_share_a_group() -> None:
    known, rows = table(
        a={"country": "DE", "cdn": "x"}, b={"country": "DE", "cdn": "y"}, c={"country": "FR"}
    )
    groups = GroupTable(0, (), ("country",))

    assert groups.of_series(known, np.array([*rows.values()])).tolist() == [0, 0, 1]
    assert groups.breakdowns(1) == (("country", "FR"),)


def test_a_missing_dimension_groups_as_empty() -> None:
    known, rows = table(a={"cdn": "x"})
    groups = GroupTable(0, (), ("country", "cdn"))
    groups.of_series(known, np.array([*rows.values()]))

    assert groups.keys == [("", "x")]


def test_without_by_everything_is_one_group() -> None:
    known, rows = table(a={"cdn": "x"}, b={})

    assert GroupTable(0, (), ()).of_series(known, np.array([*rows.values()])).tolist() == [0, 0]


def test_other_metrics_and_other_values_have_no_group() -> None:
    known, rows = table(a={"cdn": "x"}, b={"cdn": "y"})
    other = known.intern(1, canonical_dimensions({"cdn": "x"}))
    groups = GroupTable(0, (Matcher("cdn", ("x",)),), ())

    found = groups.of_series(known, np.array([rows["a"], rows["b"], other]))
    assert found.tolist() == [0, NO_GROUP, NO_GROUP]


def test_a_series_that_comes_later_finds_the_group_of_the_first() -> None:
    known, rows = table(a={"country": "DE", "cdn": "x"})
    groups = GroupTable(0, (), ("country",))
    groups.of_series(known, np.array([rows["a"]]))
    later = [
        known.intern(0, canonical_dimensions({"country": "DE", "cdn": str(number)}))
        for number in range(600)
    ]

    assert set(groups.of_series(known, np.array(later)).tolist()) == {0}
    assert len(groups) == 1
