"""Series find their groups."""

from __future__ import annotations

from playwatch.core.groups import NO_GROUP, GroupTable
from playwatch.core.rules import Matcher


def test_series_with_the_same_values_of_by_share_a_group() -> None:
    groups = GroupTable(0, (), ("country",))
    found = [
        groups.match(dimensions)
        for dimensions in (
            {"country": "DE", "cdn": "x"},
            {"country": "DE", "cdn": "y"},
            {"country": "FR"},
        )
    ]

    assert found == [0, 0, 1]
    assert groups.breakdowns(1) == (("country", "FR"),)


def test_a_missing_dimension_groups_as_empty() -> None:
    groups = GroupTable(0, (), ("country", "cdn"))
    groups.match({"cdn": "x"})

    assert list(groups.keys) == [("", "x")]


def test_the_keys_of_now_are_not_joined_by_later_groups() -> None:
    groups = GroupTable(0, (), ("country", "cdn"))
    for key in (("", ""), ("DE", ""), ("", "DE"), ("DE", "x")):
        groups.intern(key)
    keys = groups.keys.copy()
    groups.intern(("FR", "x"))

    assert list(keys) == [("", ""), ("DE", ""), ("", "DE"), ("DE", "x")]
    assert (len(keys), len(groups.keys)) == (4, 5)
    assert [groups.row_of(key) for key in groups.keys] == [0, 1, 2, 3, 4]


def test_without_by_everything_is_one_group() -> None:
    groups = GroupTable(0, (), ())

    assert [groups.match({"cdn": "x"}), groups.match({})] == [0, 0]
    assert (list(groups.keys), groups.breakdowns(0)) == ([()], ())


def test_a_value_that_is_not_asked_for_has_no_group() -> None:
    groups = GroupTable(0, (Matcher("cdn", ("x",)),), ())

    assert [groups.match({"cdn": "x"}), groups.match({"cdn": "y"})] == [0, NO_GROUP]


def test_a_rule_names_the_plain_values_that_it_asks_for() -> None:
    wild, plain = Matcher("title", ("live-*",)), Matcher("cdn", ("x", "y"))
    missing = Matcher("cdn", must_be_missing=True)

    assert GroupTable(0, (wild, plain), ()).named_values == ("cdn", ("x", "y"))
    assert GroupTable(0, (wild, missing), ()).named_values is None
