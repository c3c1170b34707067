"""Whatever the order and the batches, the same samples teach the same and find the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.intervals import LATENESS_S
from playwatch.core.learned import LearnedWatch
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import Anomaly, Rule
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions
from tests.detectors import MeanDetector
from tests.stage import FAILURES, ONCALL

START = 1_800_000_000_000 // 60_000 * 60_000
MINUTES = 6
PLACES = (("DE", "akamai"), ("DE", "fastly"), ("SE", "fastly"))

Sample = tuple[int, int, float, int]
"""Place, second, value, views."""
Found = dict[tuple[object, int], tuple[float, float]]

samples = st.lists(
    st.tuples(
        st.integers(0, len(PLACES) - 1),
        st.integers(0, 60 * MINUTES - 1),
        st.floats(0, 100),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=60,
    # One sample of a series at a time: a second one would replace it.
    unique_by=lambda sample: sample[:2],
)


def found(stream: list[tuple[int, Sample]], sizes: list[int]) -> Found:
    """Play samples at the seconds of their arrival, in batches; return every closed interval."""
    catalogue, series = Catalogue(), SeriesTable()
    rule = Rule("a", FAILURES, Anomaly(1.0, ((), ("country",), ("cdn",))))
    pipeline = Pipeline(catalogue, series, [rule], [ONCALL], "here", opens=MeanDetector)
    metric = catalogue.id_of(FAILURES)
    assert metric is not None
    rows = [
        series.intern(metric, canonical_dimensions({"country": country, "cdn": cdn}))
        for country, cdn in PLACES
    ]
    for second in range(60 * (MINUTES + 2)):
        arrived = [sample for at, sample in stream if at == second]
        now = Instant(START + second * 1000, second * 1000)
        for part in _split(arrived, sizes):
            place, at, value, views = zip(*part, strict=True)
            batch = SampleBatch.of(
                [rows[one] for one in place], [START + one * 1000 for one in at], value, views
            )
            pipeline.take(batch, now)
        pipeline.tick(now)
    (watch,) = pipeline.watches
    assert isinstance(watch, LearnedWatch)
    detector = watch.detector
    assert isinstance(detector, MeanDetector)
    return {
        (watch.groups.breakdowns(group), at): (value, views)
        for step in detector.steps
        for group, at, value, views in zip(
            step.group.tolist(),
            step.at.tolist(),
            step.value.tolist(),
            step.views.tolist(),
            strict=True,
        )
    }


def _split(arrived: list[Sample], sizes: list[int]) -> list[list[Sample]]:
    parts, first = [], 0
    for size in [*sizes, len(arrived)]:
        if first < len(arrived):
            parts.append(arrived[first : first + size])
            first += size
    return parts


@settings(max_examples=40, deadline=None)
@given(
    samples,
    st.lists(st.integers(0, round(LATENESS_S) - 1), min_size=60, max_size=60),
    st.lists(st.integers(1, 5), max_size=5),
    st.randoms(use_true_random=False),
)
def test_batches_and_small_delays_change_no_interval(
    drawn: list[Sample],
    delays: list[int],
    sizes: list[int],
    dice: object,
) -> None:
    in_time = sorted((sample[1], sample) for sample in drawn)
    late = [(sample[1] + delays[number], sample) for number, sample in enumerate(drawn)]
    dice.shuffle(late)  # type: ignore[attr-defined] # a random.Random
    late.sort(key=lambda pair: pair[0])

    expected, got = found(in_time, []), found(late, sizes)
    assert got.keys() == expected.keys()
    for key, (value, views) in expected.items():
        np.testing.assert_allclose(got[key], (value, views), rtol=1e-9, atol=1e-9)
