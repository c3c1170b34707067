"""What a watch leaves beside incidents: decisions, values, and what an edit keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playwatch.core.casebook import MOVES_LIMIT
from playwatch.core.clerk import CLEARING, CROSSED, OPEN_AGAIN, RECOVERED
from playwatch.core.rules import Aggregate, NoData, NoDataPolicy, Rule, Severity
from tests.stage import START, Stage, a_rule, threshold


def decisions(stage: Stage) -> list[tuple[str, float | None]]:
    return [(one.what, one.value) for one in stage.decisions]


def test_an_opening_comes_with_the_numbers_of_its_crossing() -> None:
    stage = Stage(a_rule("> 5", for_s=60))
    stage.send(6, views=50)
    stage.wait(30)
    stage.send(20, views=50)
    stage.wait(31)

    crossing, opening = stage.decisions
    assert (crossing.what, crossing.value, crossing.views) == (CROSSED, 6, 50)
    assert crossing.bound == "> 5"
    assert crossing.at == START
    assert crossing.reason == "opens when it has held for 1 min"
    assert opening.what == "opened"
    assert {one.incident_id for one in stage.decisions} == set(stage.incidents)


def test_a_crossing_that_never_opened_leaves_nothing() -> None:
    stage = Stage(a_rule("> 5", for_s=60))
    stage.report(6, times=1, every_s=10)
    stage.report(1, times=10, every_s=10)

    assert stage.decisions == []


def test_a_recovery_that_does_not_hold_is_written_down_with_its_reason() -> None:
    stage = Stage(a_rule("> 5", resolve="< 2", window_s=1, resolve_for_s=60, min_views=10))
    for value, views in ((9, 50), (1, 50), (9, 50), (1, 50), (3, 50), (1, 50), (1, 1)):
        stage.send(value, views=views)
        stage.wait(5)

    moves = [(one.what, one.reason) for one in stage.decisions[1:]]
    assert moves == [
        (CLEARING, "ends when it has held for 1 min"),
        (OPEN_AGAIN, "bad again before it had recovered for long enough"),
        (CLEARING, "ends when it has held for 1 min"),
        (OPEN_AGAIN, "neither bad nor recovered"),
        (CLEARING, "ends when it has held for 1 min"),
        (OPEN_AGAIN, "too few views: fewer than 10"),
    ]


def test_a_resolve_that_waits_for_flapping_to_stop_says_so() -> None:
    stage = Stage(a_rule("> 5", window_s=1, flap_within_s=600))
    stage.report(9, times=1, every_s=5)
    stage.report(1, times=1, every_s=5)

    (_, recovered) = stage.decisions
    assert recovered.what == RECOVERED
    assert recovered.reason == "<= 5; ends unless bad again within 10 min"


def test_an_incident_that_swings_for_days_is_not_written_down_without_end() -> None:
    stage = Stage(a_rule("> 5", window_s=1, resolve_for_s=60))
    for _ in range(MOVES_LIMIT):
        stage.report(9, times=1, every_s=2)
        stage.report(1, times=1, every_s=2)

    assert len(stage.decisions) == MOVES_LIMIT + 1


def test_values_are_what_the_rule_would_judge() -> None:
    stage = Stage(a_rule("> 50", by=("country",), min_views=10, aggregate=Aggregate.MAX))
    stage.send(7, views=10, country="DE")
    stage.sleep(1)
    stage.send(3, views=10, country="DE")
    stage.send(9, views=1, country="FR")
    (watch,) = stage.pipeline.thresholds

    values = watch.values(stage.row_numbers(watch), stage.monotonic_ms).tolist()
    assert values[0] == 7
    assert values[1] != values[1]


def edited(rule: Rule, **fields: object) -> Rule:
    return replace(rule, **fields)  # type: ignore[arg-type]  # fields of a rule


def test_other_bounds_keep_the_incident_and_judge_it_from_here_on() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)
    (watch,) = stage.pipeline.thresholds

    watch.edit(edited(watch.rule, condition=threshold("> 20")))
    assert stage.tick() == ["resolved"]


def test_a_tier_that_is_new_is_reached_from_the_next_breach_on() -> None:
    stage = Stage(a_rule("> 5", for_s=60))
    stage.report(9, times=7, every_s=10)
    (watch,) = stage.pipeline.thresholds
    watch.edit(edited(watch.rule, condition=threshold("> 50", warning=5)))

    assert stage.send(9) == []
    assert stage.is_open
    (incident,) = stage.pipeline.open_incidents
    assert incident.severity is Severity.CRITICAL


def test_flap_control_can_be_taken_away_from_an_incident_that_lingers() -> None:
    stage = Stage(a_rule("> 5", window_s=1, flap_within_s=600))
    stage.report(9, times=1, every_s=5)
    stage.send(1)
    (watch,) = stage.pipeline.thresholds
    watch.edit(edited(watch.rule, flap_within_s=0.0))

    assert stage.send(1) == ["resolved"]


def test_silence_stays_silence_through_an_edit() -> None:
    no_data = NoData(NoDataPolicy.OPEN, 60)
    stage = Stage(a_rule("> 5", no_data=no_data))
    stage.send(1)
    stage.wait(61)
    (watch,) = stage.pipeline.thresholds
    watch.edit(edited(watch.rule, for_s=30.0))

    assert stage.wait(300) == []
    assert stage.send(1) == ["resolved"]


def test_an_edit_of_what_is_watched_is_another_watch() -> None:
    stage = Stage(a_rule("> 5"))
    (watch,) = stage.pipeline.thresholds

    with pytest.raises(ValueError, match="watches something else"):
        watch.edit(edited(watch.rule, window_s=30.0))
