from __future__ import annotations

import numpy as np
import pytest

from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.detector import Detector, Findings, Intervals
from playwatch_models.registry import open_detector
from playwatch_models.seasonal import SeasonalDetector

STEP_S = 600
STEPS_A_DAY = 86_400 // STEP_S
START_S = 1_800_000_000 // 86_400 * 86_400


def _step(
    detector: Detector,
    row: int,
    group: list[int],
    value: list[float],
    views: float = np.nan,
) -> Findings:
    n = len(group)
    at = np.full(n, (START_S + (row + 1) * STEP_S) * 1000)
    rows = np.array(group, np.int32)
    interval = Intervals(rows, at, np.array(value), np.full(n, views))
    return detector.step(interval, np.zeros(n, np.bool_))


def _day(row: int) -> float:
    return 100 + 50 * float(np.sin(2 * np.pi * row / STEPS_A_DAY))


def test_a_new_group_borrows_the_day_of_its_parent() -> None:
    detector = SeasonalDetector(Watch(MetricClass.GAUGE, STEP_S, Direction.EITHER))
    detector.resize(3, np.array([-1, 0, -1], np.int32))
    for row in range(3 * STEPS_A_DAY):
        _step(detector, row, [0], [_day(row)])
    first = 3 * STEPS_A_DAY
    for row in range(first, first + 12):
        _step(detector, row, [0], [_day(row)])
        _step(detector, row, [1, 2], [_day(row) / 10] * 2)

    found = _step(detector, first + 12, [1, 2], [_day(first + 12) / 10] * 2)
    borrowed, own = abs(found.expected - _day(first + 12) / 10)

    assert borrowed < own


def test_few_views_widen_the_band_of_a_median() -> None:
    detector = SeasonalDetector(Watch(MetricClass.MEDIAN, STEP_S, Direction.UP))
    detector.resize(1, np.array([-1], np.int32))
    generator = np.random.default_rng(0)
    for row in range(300):
        _step(detector, row, [0], [float(800 * generator.lognormal(0, 0.1))], views=100.0)

    rows = np.zeros(1, np.int32)
    at = np.array([(START_S + 301 * STEP_S) * 1000])
    many, few = (
        detector.peek(Intervals(rows, at, np.array([800.0]), np.array([views])))
        for views in (100.0, 10.0)
    )

    assert few.high[0] - few.low[0] > 1.5 * (many.high[0] - many.low[0])


def test_what_was_found_strange_yesterday_has_to_be_stranger_today() -> None:
    detector = SeasonalDetector(Watch(MetricClass.GAUGE, STEP_S, Direction.EITHER))
    detector.resize(1, np.array([-1], np.int32))
    generator = np.random.default_rng(0)
    scores = []
    for row in range(1200):
        spike = 40.0 if row >= 400 and row % 50 == 0 else 0.0
        value = 100 + float(generator.normal(0, 1)) + spike
        found = _step(detector, row, [0], [value])
        if spike:
            scores.append(float(found.score[0]))

    assert scores[0] > 4
    assert max(scores[8:]) < scores[0]


def test_a_median_is_judged_alike_in_seconds_and_in_milliseconds() -> None:
    generator = np.random.default_rng(0)
    value = 0.8 * generator.lognormal(0, 0.03, 500)
    value[450:460] *= 1.5
    scores = []
    for unit in (1.0, 1000.0):
        detector = open_detector(MetricClass.MEDIAN, STEP_S, worse=Direction.UP)
        detector.resize(1, np.array([-1], np.int32))
        found = [_step(detector, row, [0], [unit * x]).score[0] for row, x in enumerate(value)]
        scores.append(np.array(found))

    assert scores[0][450:460].max() > scores[0][300:450].max() + 1
    np.testing.assert_allclose(scores[0], scores[1], atol=0.3)


def _scores_of_spikes(heights: list[float], every: int = 100) -> list[float]:
    """Return the score of each spike, in noises, after two days of quiet."""
    detector = open_detector(MetricClass.GAUGE, STEP_S)
    detector.resize(1, np.array([-1], np.int32))
    generator = np.random.default_rng(0)
    spikes = {300 + every * number: height for number, height in enumerate(heights)}
    scores = []
    for row in range(max(spikes) + 1):
        value = 1000 + float(generator.normal(0, 1)) + spikes.get(row, 0.0)
        found = _step(detector, row, [0], [value])
        if row in spikes:
            scores.append(float(found.score[0]))
    return scores


def test_the_higher_above_all_that_was_seen_the_rarer() -> None:
    lone = [_scores_of_spikes([height])[0] for height in (50.0, 200.0, 800.0)]

    assert lone[0] + 0.3 < lone[1]
    assert lone[1] + 0.3 < lone[2]


def test_the_same_height_again_breaks_no_record() -> None:
    first, again = _scores_of_spikes([400.0, 400.0])

    assert again < first - 0.5


def test_what_stood_out_before_anything_was_known_is_no_record() -> None:
    scores = []
    for start in (0.0, 300.0):
        detector = open_detector(MetricClass.GAUGE, STEP_S)
        detector.resize(1, np.array([-1], np.int32))
        generator = np.random.default_rng(0)
        for row in range(200):
            spike = start if row in (5, 6) else 0.0
            found = _step(detector, row, [0], [1000 + float(generator.normal(0, 1)) + spike])
        found = _step(detector, 200, [0], [1500.0])
        scores.append(float(found.score[0]))

    assert scores[1] > scores[0] - 0.5


@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_the_loss_of_a_third_shows_at_once_where_the_day_swings_tenfold(hour: int) -> None:
    detector = open_detector(MetricClass.COUNT, STEP_S)
    detector.resize(1, np.array([-1], np.int32))
    generator = np.random.default_rng(1)
    last = 6 * STEPS_A_DAY + hour * 6
    quiet = 0.0
    for row in range(last):
        viewers = float(generator.poisson(5000 * 10 ** (_day(row) / 100 - 1)))
        found = _step(detector, row, [0], [viewers])
        quiet = max(quiet, float(found.score[0]) if row > 3 * STEPS_A_DAY else 0.0)

    found = _step(detector, last, [0], [0.67 * 5000 * 10 ** (_day(last) / 100 - 1)])

    assert found.score[0] > 4.5
    assert quiet < 4
