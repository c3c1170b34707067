"""Samples find the rules that want them."""

from __future__ import annotations

import random

import pytest

from playwatch.core.dispatch import Dispatch, Few
from playwatch.core.groups import NO_GROUP, GroupTable
from playwatch.core.rules import Matcher
from playwatch.core.samples import SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions

PLACES: list[dict[str, str]] = [
    {"country": "DE", "cdn": "a"},
    {"country": "DE", "cdn": "b"},
    {"country": "FR", "cdn": "a"},
    {"country": "FR"},
    {"cdn": "[a]"},
    {},
]
WHERES: list[tuple[Matcher, ...]] = [
    (),
    (Matcher("country", ("DE",)),),
    (Matcher("country", ("DE", "FR", "DE")), Matcher("cdn", ("a*",))),
    (Matcher("cdn", exclude=("a",)),),
    (Matcher("cdn", must_be_missing=True),),
    (Matcher("cdn", ("[a]",)),),
    (Matcher("country", ("XX",)),),
]


@pytest.mark.parametrize("few", [0, 3, 24, 1000])
@pytest.mark.parametrize("count", [1, 10, 200])
def test_every_rule_gets_its_samples_and_no_others(few: int, count: int) -> None:
    dice = random.Random(count)  # noqa: S311 - no secret
    series = SeriesTable()
    known = [
        (metric, place, series.intern(metric, canonical_dimensions(place)))
        for metric in (0, 1)
        for place in PLACES
    ]
    tables = [GroupTable(metric, where, ("country",)) for metric in (0, 1) for where in WHERES]
    dispatch = Dispatch(series, tables, few)
    for turn in range(3):
        drawn = [dice.choice(known) for _ in range(count)]
        batch = SampleBatch.of(
            [row for *_, row in drawn], range(count), [turn] * count, [1] * count
        )
        expected: dict[int, list[tuple[int, int, int]]] = {}
        for at, (metric, place, row) in enumerate(drawn):
            for number, table in enumerate(tables):
                group = table.match(place) if table.metric == metric else NO_GROUP
                if group != NO_GROUP:
                    expected.setdefault(number, []).append((at, row, group))
        found = {}
        for number, share in dispatch.share(batch):
            part = share.part() if isinstance(share, Few) else share
            samples = part.batch
            found[number] = sorted(
                zip(samples.at.tolist(), samples.series.tolist(), part.group.tolist(), strict=True)
            )

        assert found == expected


def test_a_series_that_comes_later_finds_the_group_of_the_first() -> None:
    series, groups = SeriesTable(), GroupTable(0, (), ("country",))
    dispatch = Dispatch(series, [groups])
    for number in range(600):
        row = series.intern(0, canonical_dimensions({"country": "DE", "cdn": str(number)}))
        [(_, few)] = dispatch.share(SampleBatch.of([row], [0], [0], [0]))

        assert few.group == [0]
    assert len(groups) == 1
