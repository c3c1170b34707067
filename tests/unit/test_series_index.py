"""The series that the engine knows, found by their texts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.runtime.series_index import SeriesIndex
from tests.stage import FAILURES


@dataclass
class Known:
    """A core without rules that knows some series."""

    catalogue: Catalogue = field(default_factory=Catalogue)

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(self.catalogue, SeriesTable(), [], [], "here")

    def add(self, metric: str, **dimensions: str) -> None:
        number = self.catalogue.id_of(metric)
        assert number is not None
        self.pipeline.series.intern(number, canonical_dimensions(dimensions))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 4]),
        ("  ", [0, 1, 2, 4]),
        ("country=se", [0]),
        ("COUNTRY", [0, 1]),
        ("strasse", [2]),
        ("a=b", [2]),
        ("sethe", []),
        ("nowhere", []),
    ],
)
async def test_series_are_found_by_a_name_or_a_value(text: str, expected: list[int]) -> None:
    known = Known()
    known.add(FAILURES, country="SE", title="The End")
    known.add(FAILURES, country="DE")
    known.add(FAILURES, title="Straße a=b")
    known.add("rebuffer_percentage", country="SE")
    known.add(FAILURES)
    index = SeriesIndex(known)

    found = await index.search(FAILURES, text)
    assert found.tolist() == expected
    assert [one.row for one in index.listing(FAILURES, found)] == expected
    assert np.size(await index.search("unknown", text)) == 0


def test_a_metric_tells_the_dimensions_that_its_series_have_by_now() -> None:
    known = Known()
    index = SeriesIndex(known)
    known.add(FAILURES, country="SE")
    assert [one.dimensions for one in index.metrics()] == [{"country": 1}]
    known.add(FAILURES, country="DE", title="x")
    known.add("rebuffer_percentage", cdn="y")

    failures, rebuffering = index.metrics()
    assert (failures.series, failures.dimensions) == (2, {"country": 2, "title": 1})
    assert rebuffering.dimensions == {"cdn": 1}
