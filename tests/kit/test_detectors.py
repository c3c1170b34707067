"""Every registered detector keeps the same promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch_models.classes import Direction, MetricClass
from playwatch_models.detector import AddsUp, Evidence, Intervals
from playwatch_models.registry import DETECTORS, open_detector
from tests.kit.detectors import PAGES, Stream, intervals, normal, opened_with, play

if TYPE_CHECKING:
    from playwatch_models.detector import Detector, Findings

DAY_MS = 86_400_000

each_class = pytest.mark.parametrize("metric_class", list(DETECTORS), ids=str)


def _opened(metric_class: MetricClass, groups: int) -> Detector:
    return opened_with(open_detector(metric_class, 60.0), groups)


def _same(one: Findings, other: Findings) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("group", "at", "score", "expected", "low", "high", "since_at", "evidence")
    )


@each_class
def test_a_normal_stream_does_not_page(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 400, 20)

    top = max(found.score.max() for found in play(_opened(metric_class, 20), stream, range(400)))

    assert top < PAGES


@each_class
def test_an_incident_stands_out(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 420, 2)
    stream.value[400:, 0] *= 10
    detector = _opened(metric_class, 2)
    for _ in play(detector, stream, range(400)):
        pass

    found = list(play(detector, stream, range(400, 410)))

    assert max(one.score[0] for one in found) > max(3.0, *(one.score[1] for one in found))
    assert found[-1].is_upward[0]
    assert found[-1].since_at[0] <= found[-1].at[0]


@each_class
def test_the_same_intervals_give_the_same_findings(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 100, 5)

    pairs = zip(
        play(_opened(metric_class, 5), stream, range(100)),
        play(_opened(metric_class, 5), stream, range(100)),
        strict=True,
    )

    assert all(_same(one, other) for one, other in pairs)


@each_class
def test_what_a_group_does_hardly_touches_another(metric_class: MetricClass) -> None:
    """A ratio's noise may be shrunk towards that of its class; no more than that."""
    stream = normal(metric_class, 150, 3)
    alone = Stream(stream.value[:, 1:2], stream.views[:, 1:2])

    together = [f.score[1] for f in play(_opened(metric_class, 3), stream, range(150))]
    by_itself = [f.score[0] for f in play(_opened(metric_class, 1), alone, range(150))]

    assert together == pytest.approx(by_itself, abs=0.1)


@each_class
def test_a_snapshot_brings_everything_back(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 200, 4)
    first = _opened(metric_class, 4)
    for _ in play(first, stream, range(150)):
        pass
    second = open_detector(metric_class, 60.0)
    second.restore(first.columns())

    pairs = zip(
        play(first, stream, range(150, 200)), play(second, stream, range(150, 200)), strict=True
    )

    assert all(_same(one, other) for one, other in pairs)


@each_class
def test_a_damaged_snapshot_is_refused(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 5, 4)
    first = _opened(metric_class, 4)
    for _ in play(first, stream, range(5)):
        pass
    columns = dict(first.columns())
    name = next(key for key, value in columns.items() if value.dtype == np.float32)
    missing = {key: value for key, value in columns.items() if key != name}
    broken = {**columns, name: np.full_like(columns[name], np.nan)}

    for wrong in (missing, broken, {}):
        with pytest.raises(ValueError, match=r"\w"):
            open_detector(metric_class, 60.0).restore(wrong)


@each_class
def test_a_peek_leaves_no_trace(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 60, 3)
    one, other = _opened(metric_class, 3), _opened(metric_class, 3)
    free = np.zeros(3, np.bool_)
    for row in range(60):
        for _ in range(2):
            one.peek(intervals(stream, row))

        assert _same(
            one.step(intervals(stream, row), free), other.step(intervals(stream, row), free)
        )


@each_class
def test_a_value_that_is_no_number_is_not_judged(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 160, 3)
    for row, bad in ((100, np.nan), (110, np.inf), (120, -np.inf)):
        stream.value[row, 1] = bad

    found = list(play(_opened(metric_class, 3), stream, range(160)))

    assert [found[row].score[1] for row in (100, 110, 120)] == [0.0, 0.0, 0.0]
    assert max(one.score.max() for one in found) < PAGES
    assert all(np.isfinite(one.score).all() for one in found)


@each_class
def test_no_views_are_no_evidence(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 200, 2)
    stream.views[100:, 0] = 0
    if metric_class is MetricClass.RATIO:
        stream.value[100:, 0] = np.nan

    found = list(play(_opened(metric_class, 2), stream, range(200)))

    assert max(one.score.max() for one in found) < PAGES


@each_class
def test_a_constant_series_is_quiet(metric_class: MetricClass) -> None:
    for constant in (0.0, 5.0):
        stream = Stream(np.full((300, 2), constant), np.full((300, 2), 100.0))

        found = list(play(_opened(metric_class, 2), stream, range(300)))

        assert max(one.score.max() for one in found) < PAGES


@each_class
def test_absence_is_never_a_drop(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 300, 3)
    detector, free = _opened(metric_class, 3), np.zeros(3, np.bool_)
    top = 0.0
    for row in range(300):
        present = np.array([0, 2] if 150 <= row < 200 else [0, 1, 2], np.int32)
        found = detector.step(intervals(stream, row, group=present), free[: len(present)])
        top = max(top, float(found.score.max()))

        assert found.group.tolist() == present.tolist()

    assert top < PAGES


@each_class
@pytest.mark.parametrize("days", [1, 3, 30])
def test_a_gap_of_days_does_not_page(metric_class: MetricClass, days: int) -> None:
    stream = normal(metric_class, 400, 5)
    detector = _opened(metric_class, 5)
    for _ in play(detector, stream, range(250)):
        pass
    # Meanwhile the level has moved by half.
    moved = Stream(
        stream.value if metric_class is MetricClass.RATIO else stream.value * 1.5, stream.views
    )

    found = list(play(detector, moved, range(250, 400), later_ms=days * DAY_MS))

    assert max(one.score.max() for one in found) < PAGES


# A percentage has no other unit (more than 100 is refused on arrival), a count none.
@pytest.mark.parametrize("metric_class", [MetricClass.MEDIAN, MetricClass.GAUGE])
@pytest.mark.parametrize("factor", [1000.0, 0.001, 60.0])
def test_another_unit_does_not_page(metric_class: MetricClass, factor: float) -> None:
    stream = normal(metric_class, 500, 5)
    stream.value[300:] *= factor

    found = list(play(_opened(metric_class, 5), stream, range(500)))

    assert max(one.score.max() for one in found) < PAGES
    assert found[-1].expected == pytest.approx(stream.value[-1], rel=0.4)


@each_class
def test_ten_thousand_new_series_do_not_page(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 45, 10_000)
    detector = open_detector(metric_class, 60.0)
    few = np.arange(100, dtype=np.int32)
    detector.resize(100, np.full(100, -1, np.int32))
    for row in range(5):
        detector.step(intervals(stream, row, group=few), np.zeros(100, np.bool_))
    opened_with(detector, 10_000)

    found = list(play(detector, stream, range(5, 45)))

    assert max(one.score.max() for one in found) < PAGES


@each_class
def test_a_forgotten_group_is_as_new(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 120, 2)
    stream.value[:60, 1] *= 0.2
    used = _opened(metric_class, 2)
    for _ in play(used, stream, range(60)):
        pass
    used.forget(np.array([1], np.int32))

    found = next(iter(play(used, stream, range(60, 61))))

    assert found.score[1] == 0
    assert found.evidence[1] in (Evidence.LEARNING, Evidence.FEW_VIEWS, Evidence.NONE)


@each_class
def test_a_row_that_was_forgotten_serves_the_next_group(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 260, 2)
    strange = Stream(stream.value.copy(), stream.views)
    strange.value[:60, 1] = np.minimum(stream.value[:60, 1] * 9, 90)
    used, never = _opened(metric_class, 2), _opened(metric_class, 2)
    free = np.zeros(2, np.bool_)
    for row in range(60):
        used.step(intervals(strange, row), free)
        never.step(intervals(stream, row, group=np.array([0], np.int32)), free[:1])
    used.forget(np.array([1], np.int32))
    used.resize(2, np.full(2, -1, np.int32))

    pairs = list(
        zip(
            play(used, stream, range(60, 260)),
            play(never, stream, range(60, 260)),
            strict=True,
        )
    )

    assert max(one.score[1] for one, _ in pairs) < PAGES
    assert [one.evidence[1] for one, _ in pairs][:20] == [two.evidence[1] for _, two in pairs][:20]
    after, fresh = pairs[-1]
    assert after.expected[1] == pytest.approx(fresh.expected[1], rel=0.05)


@each_class
def test_no_groups_are_no_findings(metric_class: MetricClass) -> None:
    nothing = np.empty(0)
    interval = Intervals(nothing.astype(np.int32), nothing.astype(np.int64), nothing, nothing)

    assert len(_opened(metric_class, 3).step(interval, np.empty(0, np.bool_))) == 0


# Failures are only ever worse upwards.
@pytest.mark.parametrize(
    "metric_class", [one for one in MetricClass if one is not MetricClass.RATIO]
)
def test_only_the_worse_way_scores(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 420, 1)
    stream.value[400:] *= 0.2
    detector = opened_with(open_detector(metric_class, 60.0, worse=Direction.UP), 1)

    found = list(play(detector, stream, range(405)))

    assert max(one.score.max() for one in found[400:]) == 0


@each_class
def test_an_open_incident_teaches_nothing_at_first(metric_class: MetricClass) -> None:
    stream = normal(metric_class, 500, 1)
    stream.value[400:] *= 5
    detector = _opened(metric_class, 1)
    before = [found.expected[0] for found in play(detector, stream, range(400))][-1]

    found = [detector.step(intervals(stream, row), np.ones(1, np.bool_)) for row in range(400, 460)]

    assert found[-1].expected[0] == pytest.approx(before, rel=0.35)


def test_dropped_evidence_is_none_and_what_is_normal_stays() -> None:
    stream = normal(MetricClass.RATIO, 500, 2)
    stream.value[400:410] *= 5
    detector = _opened(MetricClass.RATIO, 2)
    assert isinstance(detector, AddsUp)
    *_, bad = play(detector, stream, range(410))
    assert (bad.score > PAGES).all()

    detector.drop_evidence(np.array([0], np.int32))
    after = detector.peek(intervals(stream, 410))
    assert after.score[0] < 1 < after.score[1]
    assert after.expected[0] == pytest.approx(after.expected[1], rel=0.2)
