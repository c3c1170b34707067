"""The columnar detector computes what one would compute for each series alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.detector import Intervals
from playwatch_models.seasonal import SeasonalDetector
from tests.naive_models import NaiveSeries

STEP_S = 300
START_S = 1_800_000_000
SERIES = 3


def _stream(seed: int, steps: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return a daily curve with noise, some spikes, and a step."""
    generator = np.random.default_rng(seed)
    phase = np.arange(steps)[:, None] * STEP_S / 86_400 * 2 * np.pi
    value = 50 + 20 * np.sin(phase) + generator.normal(0, 1, (steps, SERIES))
    value += np.where(generator.random((steps, SERIES)) < 0.02, 30.0, 0.0)
    value[steps // 2 :, 1] *= 1.4
    return value


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gap_at=st.integers(50, 600), share=st.floats(0.5, 1.0))
def test_columns_agree_with_one_series_at_a_time(seed: int, gap_at: int, share: float) -> None:
    steps = 700
    generator = np.random.default_rng(seed)
    value = _stream(seed, steps)
    detector = SeasonalDetector(Watch(MetricClass.GAUGE, STEP_S, Direction.EITHER))
    detector.resize(SERIES, np.full(SERIES, -1, np.int32))
    naive = [NaiveSeries(STEP_S) for _ in range(SERIES)]
    wrong, judged = 0, 0
    for row in range(steps):
        time_s = START_S + row * STEP_S + (86_400 if row >= gap_at else 0)
        present = np.flatnonzero(generator.random(SERIES) < share).astype(np.int32)
        if not len(present):
            continue
        at = np.full(len(present), (time_s + STEP_S) * 1000)
        found = detector.step(
            Intervals(present, at, value[row, present], np.full(len(present), np.nan)),
            np.zeros(len(present), np.bool_),
        )
        slow = [naive[series].step(time_s, value[row, series]) for series in present]

        assert found.expected == pytest.approx([one.expected for one in slow], rel=0.01)
        close = np.isclose(found.score, [one.score for one in slow], rtol=0.02, atol=0.02)
        wrong += int((~close).sum())
        judged += len(close)

    # A float32 beside a bound may fall on the other side of it, now and then.
    assert wrong <= judged // 200


@settings(max_examples=8, deadline=None)
@given(value=st.lists(st.floats(-1e12, 1e12), min_size=40, max_size=80))
def test_any_values_are_survived(value: list[float]) -> None:
    detector = SeasonalDetector(Watch(MetricClass.GAUGE, STEP_S, Direction.EITHER))
    detector.resize(1, np.array([-1], np.int32))
    group, free, views = np.zeros(1, np.int32), np.zeros(1, np.bool_), np.full(1, np.nan)

    found = [
        detector.step(
            Intervals(group, np.array([(START_S + row * STEP_S) * 1000]), np.array([one]), views),
            free,
        )
        for row, one in enumerate(value)
    ]

    assert all(np.isfinite(one.score).all() and np.isfinite(one.expected).all() for one in found)
    assert all(np.isfinite(column).all() for column in detector.columns().values())
    assert all(one.at[0] < other.at[0] for one, other in pairwise(found))
