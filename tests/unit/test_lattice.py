"""Which groups a series of a learned rule belongs to."""

from __future__ import annotations

import numpy as np

from playwatch.core.groups import NO_GROUP
from playwatch.core.lattice import DIMENSIONS_LIMIT, Lattice
from playwatch.core.rules import Matcher
from playwatch.core.series import SeriesTable, canonical_dimensions

METRIC = 3


class Shelf:
    """A lattice with the series that it is asked about."""

    def __init__(self, *groupings: tuple[str, ...], finds: bool = False, limit: int = 100) -> None:
        self.series = SeriesTable()
        self.lattice = Lattice(METRIC, (), None if finds else groupings, limit)

    def groups(self, metric: int = METRIC, **dimensions: str) -> list[tuple[tuple[str, str], ...]]:
        row = self.series.intern(metric, canonical_dimensions(dimensions))
        leaf = self.lattice.leaves_of(self.series, np.array([row], np.int32))
        if leaf[0] == NO_GROUP:
            return []
        rows = self.lattice.groups_of(leaf)[0]
        return [self.lattice.breakdowns(one) for one in rows.tolist() if one != NO_GROUP]


def test_a_series_belongs_to_one_group_of_each_grouping() -> None:
    shelf = Shelf((), ("country",), ("cdn", "country"))

    assert shelf.groups(country="DE", cdn="fastly") == [
        (),
        (("country", "DE"),),
        (("cdn", "fastly"), ("country", "DE")),
    ]


def test_a_series_that_lacks_a_dimension_has_no_group_there() -> None:
    shelf = Shelf((), ("country",), ("cdn", "country"))

    assert shelf.groups(country="DE") == [(), (("country", "DE"),)]
    assert shelf.groups(city="Berlin") == [()]


def test_another_metric_and_what_where_refuses_are_skipped() -> None:
    shelf = Shelf(())
    shelf.lattice = Lattice(METRIC, (Matcher("cdn", exclude=("akamai",)),), [()])

    assert shelf.groups(METRIC + 1) == []
    assert shelf.groups(cdn="akamai") == []
    assert shelf.groups(cdn="fastly") == [()]


def test_without_groupings_each_dimension_is_found_as_it_comes() -> None:
    shelf = Shelf(finds=True)

    assert shelf.groups() == [()]
    assert shelf.groups(country="DE") == [(), (("country", "DE"),)]
    assert shelf.groups(cdn="fastly") == [(), (("cdn", "fastly"),)]
    assert shelf.groups(country="DE") == [(), (("country", "DE"),)]


def test_a_publisher_with_endless_dimensions_is_bounded() -> None:
    shelf = Shelf(finds=True)
    for number in range(3 * DIMENSIONS_LIMIT):
        shelf.groups(METRIC, **{f"d{number}": "x"})

    assert len(shelf.lattice.groupings) == 1 + DIMENSIONS_LIMIT


def test_a_group_borrows_from_the_narrowest_one_that_it_lies_in() -> None:
    shelf = Shelf((), ("country",), ("cdn", "country"))
    shelf.groups(country="DE", cdn="fastly")
    lattice = shelf.lattice

    both = lattice.find((("cdn", "fastly"), ("country", "DE")))
    country = lattice.find((("country", "DE"),))
    assert lattice.parents[both] == country
    assert lattice.parents[country] == lattice.find(())
    assert lattice.parents[lattice.find(())] == NO_GROUP


def test_beyond_the_limit_a_series_is_watched_in_wider_groups_and_counted() -> None:
    shelf = Shelf((), ("title",), limit=3)
    for title in ("a", "b", "c", "d"):
        shelf.groups(title=title)

    assert shelf.groups(title="a") == [(), (("title", "a"),)]
    assert shelf.groups(title="d") == [()]
    assert shelf.lattice.left_out == {("title",): 2}


def test_members_are_the_leaves_of_a_group() -> None:
    shelf = Shelf((), ("country",))
    for country in ("DE", "SE", "DE"):
        shelf.groups(country=country)
    lattice = shelf.lattice

    assert lattice.members(lattice.find((("country", "DE"),))).tolist() == [True, False]
    assert lattice.members(lattice.find(())).all()
