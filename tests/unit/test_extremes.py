"""Aggregates other than the metric's own."""

from __future__ import annotations

from playwatch.core.rules import Aggregate
from tests.stage import VIEWERS, Stage, a_rule

STARTUP = "video_startup_time"


def test_the_greatest_single_sample_opens_what_the_mean_would_hide() -> None:
    mean = Stage(a_rule("> 5000", metric=STARTUP))
    greatest = Stage(a_rule("> 5000", metric=STARTUP, aggregate=Aggregate.MAX))

    for stage, expected in ((mean, []), (greatest, ["opened"])):
        stage.send(800, views=1000)
        assert stage.send(9000, views=1, lag_s=1) == expected


def test_an_extreme_leaves_with_its_bucket() -> None:
    stage = Stage(a_rule("> 5000", metric=STARTUP, aggregate=Aggregate.MAX))
    stage.send(9000)
    stage.sleep(1)

    assert stage.report(800, times=2, every_s=25) == []
    assert stage.report(800, times=1, every_s=25) == ["resolved"]


def test_the_smallest_sample_can_be_too_small_at_once_but_not_too_great() -> None:
    """Samples still missing could take the second back."""
    small = Stage(a_rule("< 10", metric=STARTUP, aggregate=Aggregate.MIN))
    great = Stage(a_rule("> 10", metric=STARTUP, aggregate=Aggregate.MIN))

    assert small.send(5) == ["opened"]
    assert great.send(50) == []
    assert great.report(50, times=3, every_s=30) == ["opened"]


def test_a_sample_that_is_replaced_gives_its_extreme_back() -> None:
    stage = Stage(a_rule("> 5000", metric=STARTUP, aggregate=Aggregate.MAX))
    assert stage.send(9000) == ["opened"]

    assert stage.send(800) == ["resolved"]


def test_a_replaced_extreme_stays_where_its_bucket_held_something_else() -> None:
    stage = Stage(a_rule("> 5000", metric=STARTUP, aggregate=Aggregate.MAX))
    stage.send(100, country="DE")
    stage.send(9000, country="FR")

    assert stage.send(800, country="FR") == []
    assert stage.is_open


def test_samples_of_no_views_measure_no_extreme() -> None:
    stage = Stage(a_rule("> 5000", metric=STARTUP, aggregate=Aggregate.MAX))

    assert stage.send(9000, views=0) == []


def test_the_last_of_each_series_is_weighed_by_views() -> None:
    stage = Stage(a_rule("> 50", aggregate=Aggregate.LAST))
    stage.send(100, views=10, country="DE", lag_s=5)
    assert stage.is_open

    assert stage.send(10, views=10, country="DE") == ["resolved"]
    assert stage.send(100, views=30, country="FR") == ["opened"]
    (incident,) = stage.pipeline.open_incidents
    assert incident.measured_value == (10 * 10 + 100 * 30) / 40


def test_the_mean_of_an_audience_is_that_of_its_samples() -> None:
    stage = Stage(a_rule("> 90", metric=VIEWERS, aggregate=Aggregate.MEAN))
    stage.send(100, views=1, lag_s=2)

    stage.send(60, views=1)
    (_, incident) = stage.log[-1]
    assert incident.measured_value_on_close == 80
