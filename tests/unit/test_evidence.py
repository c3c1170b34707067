"""The ratio detector: what it says of failures and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch_models.classes import Direction, MetricClass
from playwatch_models.detector import Evidence, Findings, Intervals
from playwatch_models.registry import open_detector
from tests.naive_ratio import NaiveRatio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from playwatch_models.detector import Detector

START = 1_767_600_000_000  # a Monday, 08:00 UTC
MINUTE = 60_000


def watching(*parents: int, worse: Direction = Direction.UP, step_s: float = 60.0) -> Detector:
    detector = open_detector(MetricClass.RATIO, step_s, worse=worse)
    detector.resize(len(parents), np.array(parents, np.int32))
    return detector


def interval(minute: int, value: float | list[float], views: float | list[float]) -> Intervals:
    values = np.atleast_1d(np.asarray(value, float))
    return Intervals(
        np.arange(len(values), dtype=np.int32),
        np.full(len(values), START + (minute + 1) * MINUTE),
        values,
        np.broadcast_to(np.asarray(views, float), values.shape),
    )


def step(detector: Detector, intervals: Intervals, *, frozen: bool = False) -> Findings:
    return detector.step(intervals, np.full(len(intervals.group), frozen))


def run(
    detector: Detector, value: float, minutes: range, *, frozen: bool = False
) -> list[Findings]:
    return [step(detector, interval(each, value, 1000), frozen=frozen) for each in minutes]


def quiet_percentages(rate: float, views: int, minutes: int, seed: int = 1) -> NDArray[np.float64]:
    return 100 * np.random.default_rng(seed).binomial(views, rate, minutes) / views


def taught(rate: float = 0.01, views: int = 1000, minutes: int = 300) -> Detector:
    detector = watching(-1)
    for minute, value in enumerate(quiet_percentages(rate, views, minutes)):
        step(detector, interval(minute, value, views))
    return detector


def test_sixty_five_failures_of_a_thousand_are_evidence_and_one_of_three_is_not() -> None:
    busy, idle = taught(), taught()

    many = busy.peek(interval(300, 6.5, 1000))
    few = idle.peek(interval(300, 33.3, 3))

    assert many.score[0] > 6
    assert many.evidence[0] == Evidence.BURST
    assert few.score[0] < 3


def test_a_small_rise_adds_up_to_evidence() -> None:
    detector = taught(minutes=700)
    scores = [step(detector, interval(700 + i, 2.0, 1000)).score[0] for i in range(10)]

    assert scores[0] < 2.5
    assert scores[9] > 6
    assert scores == sorted(scores)


def test_an_outage_dates_back_to_its_first_interval() -> None:
    detector = taught()
    found = run(detector, 8.0, range(300, 303))[-1]

    assert found.since_at[0] == START + 300 * MINUTE


def test_a_finding_says_what_was_expected_in_percent() -> None:
    found = taught().peek(interval(300, 5.0, 1000))

    assert found.expected[0] == pytest.approx(1.0, abs=0.2)
    assert 0 <= found.low[0] < 0.6
    assert 1.5 < found.high[0] < 3
    assert found.is_upward[0]


def test_no_views_are_not_judged() -> None:
    detector = taught()
    values, views = [0.0, np.nan, 4.0, 250.0, np.inf], [0.0, 100.0, np.nan, 100.0, np.inf]
    for value, count in zip(values, views, strict=True):
        found = step(detector, interval(300, value, count))

        assert found.evidence[0] == Evidence.FEW_VIEWS
        assert found.score[0] == 0
        assert np.isnan(found.expected[0])

    assert all(np.isfinite(column).all() for column in detector.columns().values())


def test_views_too_few_to_be_evidence_are_not_judged() -> None:
    detector = taught(views=1)
    for minute in range(300, 700):
        step(detector, interval(minute, 0.0, 0))
    found = step(detector, interval(700, 100.0, 1))

    assert found.evidence[0] == Evidence.FEW_VIEWS
    assert found.score[0] == 0


def test_a_new_group_is_learning_and_its_band_is_wide() -> None:
    new = step(watching(-1), interval(0, 40.0, 1000))
    old = taught().peek(interval(300, 40.0, 1000))

    assert new.evidence[0] == Evidence.LEARNING
    assert new.score[0] == 0
    assert new.high[0] - new.low[0] > 2 * (old.high[0] - old.low[0])


def test_ten_thousand_new_groups_open_nothing() -> None:
    detector = watching(*[-1] * 10_000)
    rng = np.random.default_rng(3)
    rates = rng.beta(0.5, 10, 10_000)
    for minute in range(45):
        failed = rng.binomial(20, rates)
        found = step(detector, interval(minute, list(5.0 * failed), 20.0))

        assert (found.score < 6).all()


def test_a_new_group_expects_what_its_parent_knows() -> None:
    detector = watching(-1, 0, -1)
    for minute in range(200):
        step(detector, interval(minute, 8.0, 1000))
        detector.forget(np.array([1, 2], np.int32))
    found = step(detector, interval(200, [8.0, 8.0, 8.0], [1000.0, 5.0, 5.0]))

    assert found.expected[1] == pytest.approx(8.0, abs=0.5)


def test_an_incident_is_not_learned_until_it_has_lasted_six_hours() -> None:
    detector = taught()
    held = run(detector, 6.0, range(300, 655), frozen=True)[-1]
    learned = run(detector, 6.0, range(655, 1255), frozen=True)[-1]

    assert held.expected[0] < 1.3
    assert held.score[0] > 6
    assert learned.expected[0] > 5
    assert learned.score[0] < 3


def test_a_recovery_is_seen_within_minutes_of_a_long_outage() -> None:
    detector = taught()
    run(detector, 100.0, range(300, 360))
    found = run(detector, 1.0, range(360, 370))[-1]

    assert found.score[0] < 2


def test_the_first_failure_of_a_series_that_never_failed_is_no_page() -> None:
    detector = watching(-1, -1)
    for minute in range(400):
        step(detector, interval(minute, [0.0, 2.0], 1000))
    found = step(detector, interval(400, [0.1, 2.0], 1000))

    assert (found.score < 3).all()


def test_a_metric_that_changes_its_unit_is_the_new_normal_after_six_hours() -> None:
    detector = taught()
    found = run(detector, 0.01, range(300, 330)) + run(detector, 1.0, range(330, 331))
    run(detector, 80.0, range(331, 331 + 700))
    later = run(detector, 80.0, range(1031, 1032))[0]

    assert all(one.score[0] < 4 for one in found)
    assert later.expected[0] > 55
    assert later.score[0] < 3


def test_a_gap_of_days_leaves_no_stale_evidence() -> None:
    detector = taught()
    for minute in range(300, 303):
        step(detector, interval(minute, 20.0, 1000))
    found = step(detector, interval(303 + 3 * 1440, 1.0, 1000))

    assert found.score[0] < 0.1


def test_a_peek_changes_nothing() -> None:
    peeked, other = taught(), taught()
    for value in (50.0, 0.0, 3.0):
        peeked.peek(interval(360, value, 500))

    for name, column in peeked.columns().items():
        np.testing.assert_array_equal(column, other.columns()[name])


def test_a_scattered_series_needs_more_to_be_surprising() -> None:
    rng = np.random.default_rng(5)
    detector = watching(-1, -1)
    for minute in range(900):
        rate = [0.02, rng.beta(0.02 * 200, 0.98 * 200)]
        step(detector, interval(minute, list(rng.binomial(2000, rate) / 20), 2000))
    steady, scattered = detector.peek(interval(900, [6.0, 6.0], 2000)).score

    assert steady > 8
    assert scattered < steady / 2


def test_a_daily_curve_is_expected_on_the_third_day() -> None:
    detector = watching(*[-1] * 20, step_s=600)
    rng = np.random.default_rng(6)
    scores = []
    for minute in range(0, 4 * 1440, 10):
        rate = 0.02 * (1 + 0.7 * np.sin(2 * np.pi * minute / 1440))
        failed = rng.binomial(3000, rate, 20)
        scores.append(step(detector, interval(minute + 9, list(failed / 30), 3000)).score.max())

    assert max(scores[2 * 144 :]) < 4


def test_a_percentage_that_falls_may_be_the_worse_one() -> None:
    rising, falling = watching(-1), watching(-1, worse=Direction.DOWN)
    for minute, value in enumerate(quiet_percentages(0.01, 1000, 300)):
        step(rising, interval(minute, value, 1000))
        step(falling, interval(minute, 100 - value, 1000))
    up, down = rising.peek(interval(300, 7.0, 1000)), falling.peek(interval(300, 93.0, 1000))

    assert down.score[0] == pytest.approx(up.score[0], rel=1e-3)
    assert down.expected[0] == pytest.approx(100 - up.expected[0])
    assert down.low[0] == pytest.approx(100 - up.high[0])
    assert not down.is_upward[0]


def test_chance_is_no_more_often_surprising_than_the_score_says() -> None:
    detector = watching(*[-1] * 400)
    rng = np.random.default_rng(7)
    rates, sizes = rng.beta(1, 50, 400), rng.integers(1, 2000, 400)
    scores = []
    for minute in range(700):
        failed = rng.binomial(sizes, rates)
        found = step(detector, interval(minute, list(100 * failed / sizes), list(sizes)))
        scores.append(found.score)
    late = np.array(scores[300:])

    assert (late > 2).mean() < 10**-2
    assert (late > 3).mean() < 10**-3
    assert (late > 4).mean() < 10**-4


def stories() -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    rng = np.random.default_rng(11)
    sizes = np.array([[2.0], [40.0], [900.0]])
    views = rng.poisson(sizes, (3, 900)).astype(float)
    rate = np.full((3, 900), 0.02)
    rate[:, 500:540] = 0.2
    rate[2, 700:] = 0.9
    failures = rng.binomial(views.astype(int), rate).astype(float)
    yield "incidents", failures, views
    yield "gap", np.delete(failures, slice(300, 420), 1), np.delete(views, slice(300, 420), 1)
    yield "nothing", np.zeros((3, 100)), np.zeros((3, 100))


@pytest.mark.parametrize("story", list(stories()), ids=lambda story: story[0])
def test_the_columns_say_what_the_slow_twin_says(
    story: tuple[str, NDArray[np.float64], NDArray[np.float64]],
) -> None:
    name, failures, views = story
    parents = (-1, 2, -1)
    detector, twin = watching(*parents), NaiveRatio(list(parents))
    values = 100 * failures / np.maximum(views, 1)
    for minute in range(failures.shape[1]):
        ahead = 120 if name == "gap" and minute >= 300 else 0
        batch = interval(minute + ahead, list(values[:, minute]), list(views[:, minute]))
        found = step(detector, batch)
        expected = twin.step(int(batch.at[0]), list(values[:, minute]), list(views[:, minute]))

        np.testing.assert_allclose(found.score, expected, rtol=5e-3, atol=5e-3)


def test_a_snapshot_goes_on_where_it_stopped() -> None:
    one, other = taught(), watching(-1)
    other.restore(one.columns())
    for minute in range(300, 400):
        first, second = (step(each, interval(minute, 1.4, 900)) for each in (one, other))

        assert first.score[0] == second.score[0]


def test_a_snapshot_of_another_make_is_refused() -> None:
    detector = watching(-1)
    columns = dict(detector.columns())
    for broken in (
        {},
        columns | {"sums": np.zeros((7, 1), np.float32)},
        columns | {"level_views": np.full(1, np.nan, np.float32)},
        columns | {"surplus": np.zeros(1)},
    ):
        with pytest.raises(ValueError, match="column"):
            watching(-1).restore(broken)


def test_the_order_of_the_groups_does_not_matter() -> None:
    forth, back = watching(*[-1] * 5), watching(*[-1] * 5)
    rng = np.random.default_rng(2)
    for minute in range(100):
        batch = interval(minute, list(rng.uniform(0, 3, 5)), 500.0)
        turned = Intervals(batch.group[::-1], batch.at[::-1], batch.value[::-1], batch.views[::-1])
        first, second = step(forth, batch), step(back, turned)

        np.testing.assert_allclose(first.score, second.score[::-1])


def test_a_group_costs_at_most_one_kilobyte_and_a_fifth() -> None:
    columns = watching(*[-1] * 1000).columns()

    assert sum(column.nbytes for column in columns.values()) / 1000 < 1200
