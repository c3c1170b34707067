"""From samples to deliveries, in scenes."""

from __future__ import annotations

import pytest

from playwatch.core.deliveries import Action
from playwatch.core.routing import Route
from playwatch.core.rules import AlertType, Matcher
from tests.stage import FAILURES, START, VIEWERS, Stage, a_rule, by_channel


def test_one_bad_sample_pages_every_channel_that_takes_thresholds() -> None:
    routes = (
        Route("all", "k1"),
        Route("thresholds", "k2", frozenset({AlertType.THRESHOLD})),
        Route("anomalies", "k3", frozenset({AlertType.ANOMALY})),
    )
    stage = Stage(a_rule("> 5"), routes=routes)
    stage.send(9)

    assert [one.channel for one in stage.deliveries] == ["all", "thresholds"]
    assert {one.action for one in stage.deliveries} == {Action.TRIGGER}


def test_a_resolve_goes_where_the_trigger_went_and_after_it() -> None:
    stage = Stage(a_rule("> 5", window_s=1))
    stage.send(9)
    stage.sleep(5)
    stage.send(1)

    ((_, messages),) = by_channel(stage.deliveries).items()
    assert [one.action.value for one in messages] == ["trigger", "resolve"]
    assert len({one.dedup_key for one in messages}) == 1


def test_a_rise_sends_the_same_key_with_the_new_severity() -> None:
    stage = Stage(a_rule("> 5", warning=3, window_s=1))
    stage.send(4)
    stage.sleep(5)
    stage.send(9)

    warning, critical = stage.deliveries
    assert warning.dedup_key == critical.dedup_key
    assert warning.id != critical.id
    assert critical.incident.severity.word == "critical"


def test_a_second_incident_of_a_group_has_its_own_key() -> None:
    stage = Stage(a_rule("> 5", window_s=1))
    for value in (9, 1, 9, 1):
        stage.send(value)
        stage.sleep(5)

    assert stage.news == ["opened", "resolved"] * 2
    assert len({one.dedup_key for one in stage.pages()}) == 2
    assert len({incident.incident_key for _, incident in stage.log}) == 1


def test_a_correction_within_one_millisecond_cannot_hide_the_second_page() -> None:
    """Bad, corrected to good, corrected to bad again: two incidents, two pages."""
    stage = Stage(a_rule("> 5"))
    for value in (9, 1, 9):
        stage.send(value)

    assert stage.news == ["opened", "resolved", "opened"]
    assert len(stage.pages(Action.TRIGGER)) == 2


def test_groups_open_and_resolve_each_for_itself() -> None:
    stage = Stage(a_rule("> 5", by=("country",), window_s=1))

    assert stage.send(9, country="DE") == ["opened"]
    assert stage.send(9, country="FR") == ["opened"]
    assert stage.send(9) == ["opened"]
    stage.sleep(5)
    assert stage.send(1, country="DE") == ["resolved"]
    assert {one.breakdowns for one in stage.pipeline.open_incidents} == {
        (("country", "FR"),),
        (("country", ""),),
    }


def test_a_rule_sees_only_its_series() -> None:
    stage = Stage(a_rule("> 5", where=(Matcher("country", exclude=("US",)),)))

    assert stage.send(9, country="US") == []
    assert stage.send(9, country="DE") == ["opened"]


def test_a_mean_is_weighted_by_views() -> None:
    stage = Stage(a_rule("> 5"))

    assert stage.send(1, views=900, cdn="a") == []
    assert stage.send(40, views=100, cdn="b") == []
    assert stage.send(99, views=100, cdn="c") == ["opened"]


def test_too_few_views_neither_open_nor_resolve() -> None:
    stage = Stage(a_rule("> 5", min_views=100, window_s=1))

    assert stage.send(9, views=99) == []
    stage.sleep(5)
    assert stage.send(9, views=100) == ["opened"]
    stage.sleep(5)
    assert stage.send(1, views=99) == []
    stage.sleep(5)
    assert stage.send(1, views=100) == ["resolved"]


def test_samples_that_summarise_no_views_say_nothing() -> None:
    stage = Stage(a_rule("> 5"))

    assert stage.send(100, views=0) == []


def test_a_value_sent_again_at_its_time_replaces_the_first() -> None:
    stage = Stage(a_rule("> 5"))

    assert stage.send(6) == ["opened"]
    assert stage.send(2) == ["resolved"]


def test_a_group_five_minutes_behind_is_judged_like_any_other() -> None:
    stage = Stage(a_rule("> 5", by=("cdn",), for_s=120))
    words = []
    for _ in range(13):
        words += stage.send(1, cdn="fast") + stage.send(9, cdn="slow", lag_s=300)
        words += stage.wait(10)

    assert words == ["opened"]
    assert stage.late == 0
    (incident,) = stage.pipeline.open_incidents
    assert incident.started_at == START - 300_000


def test_a_series_behind_the_window_of_its_group_is_counted_as_late() -> None:
    """Lateness is measured against the group: merged with a live series, it is left out."""
    stage = Stage(a_rule("> 5"))
    stage.send(1, cdn="fast")

    assert stage.send(99, cdn="slow", lag_s=300) == []
    assert stage.late == 1


def test_a_late_sample_corrects_the_window_that_still_holds_its_time() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(4, views=100)
    stage.sleep(30)
    stage.send(4, views=100)

    assert stage.send(99, lag_s=20, views=100) == ["opened"]


def test_one_clock_ahead_blinds_a_group_for_no_longer_than_it_was_ahead() -> None:
    stage = Stage(a_rule("> 5", window_s=60))
    stage.send(1, cdn="ahead", lag_s=-59)
    words = []
    for _ in range(14):
        stage.wait(5)
        words += stage.send(9, cdn="right")

    assert words == ["opened"]


def test_a_clock_that_steps_back_neither_opens_nor_ends_anything() -> None:
    stage = Stage(a_rule("> 5", for_s=60, resolve_for_s=60))
    stage.report(1, times=3, every_s=10)
    stage.wait(50)

    assert stage.send(1, lag_s=45) == []
    assert stage.report(1, times=3, every_s=10) == []


def test_a_burst_after_a_stall_is_judged_at_its_own_times() -> None:
    """Ten minutes of samples at once: bad for two of them, ``for`` five minutes."""
    stage = Stage(a_rule("> 5", for_s=300))
    stage.report(1, times=2)
    stage.wait(600)
    words = []
    for minute in range(10, 0, -1):
        words += stage.send(9 if minute in {5, 6} else 1, lag_s=60 * minute)

    assert words == []


def test_a_huge_jump_of_time_only_empties_the_window() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(1)
    stage.sleep(10 * 365 * 86_400)

    assert stage.send(9) == ["opened"]


def test_a_wall_clock_that_steps_does_not_move_durations() -> None:
    stage = Stage(a_rule("> 5", for_s=30))
    stage.send(9)
    stage.at += 3_600_000

    assert stage.tick() == []
    assert stage.wait(29) == []
    assert stage.wait(1) == ["opened"]


def test_a_monotonic_clock_that_runs_back_does_no_harm() -> None:
    stage = Stage(a_rule("> 5", for_s=30))
    stage.send(9)
    stage.monotonic_ms -= 1_000_000

    assert stage.tick() == []


def test_viewers_are_the_latest_of_each_series_summed() -> None:
    stage = Stage(a_rule("> 1000", metric=VIEWERS))

    assert stage.send(600, cdn="a") == []
    assert stage.send(300, cdn="b") == []
    stage.sleep(10)
    assert stage.send(900, cdn="a") == ["opened"]
    stage.sleep(10)
    assert stage.send(200, cdn="a") == ["resolved"]


def test_viewers_of_a_silent_series_are_forgotten() -> None:
    stage = Stage(a_rule("> 1000", metric=VIEWERS))
    stage.send(600, cdn="a")
    stage.wait(30)
    stage.send(600, cdn="b")

    assert stage.news == ["opened"]
    assert stage.wait(31) == ["resolved"]


def test_a_stream_about_other_metrics_touches_nothing() -> None:
    stage = Stage(a_rule("> 5"))

    assert stage.send(99, metric="rebuffer_percentage") == []


def test_several_metrics_in_one_batch_reach_their_rules() -> None:
    stage = Stage(a_rule("> 5"), a_rule("> 1", name="viewers", metric=VIEWERS))
    at = stage.at

    words = stage.send_batch([(FAILURES, {}, at, 9, 1), (VIEWERS, {}, at, 9, 1)])

    assert words == ["opened", "opened"]


def test_an_empty_batch_does_nothing() -> None:
    assert Stage(a_rule("> 5")).send_batch([]) == []


def test_an_incident_never_ends_before_it_began() -> None:
    """A sample from the future opens it; then the clock steps back."""
    stage = Stage(a_rule("> 5", for_s=30))
    stage.send(9, views=1, cdn="ahead", lag_s=-50)
    assert stage.wait(31) == ["opened"]
    stage.sleep(21)
    assert stage.send(0, cdn="right", views=1000) == ["resolved"]
    (incident,) = stage.incidents.values()

    assert incident.resolved_at is not None
    assert incident.ended_at is not None
    assert incident.started_at <= incident.opened_at <= incident.ended_at
    assert incident.started_at <= incident.resolved_at <= incident.ended_at


def test_viewers_below_a_bound_are_not_judged_by_the_first_series_alone() -> None:
    """After a start most series have not spoken yet: their silence is no loss."""
    stage = Stage(a_rule("< 1000", metric=VIEWERS))
    words = []
    for number in range(10):
        words += stage.send(200, cdn=str(number))
        words += stage.wait(2)

    assert words == []


@pytest.mark.parametrize("metric", ["views", "ad_attempt_count"])
def test_a_count_below_a_bound_is_not_judged_by_the_first_seconds(metric: str) -> None:
    stage = Stage(a_rule("< 1000", metric=metric))
    words = []
    for _ in range(10):
        words += stage.send(200)
        words += stage.wait(5)

    assert words == []


def test_min_views_of_an_audience_is_the_audience_itself() -> None:
    """A title that three people watch must not page when two of them leave."""
    stage = Stage(a_rule("< 100", metric=VIEWERS, min_views=10))
    for _ in range(90):
        stage.send(3, metric=VIEWERS)

    assert stage.send(2, metric=VIEWERS) == []
