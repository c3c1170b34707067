"""The life of incidents, as the person on call expects it."""

from __future__ import annotations

import re

import pytest

from playwatch.core import phases
from playwatch.core.incidents import Change, Status
from playwatch.core.phases import TABLE, Phase
from playwatch.core.rules import Severity
from tests.stage import START, Stage, a_rule


def test_the_table_is_the_one_that_its_docstring_shows() -> None:
    assert phases.__doc__ is not None
    rows = re.findall(
        r"^(clear|hold|breach|absent|gone)(, \w+)?" + r" +([A-Z]+)" * 5 + "$",
        phases.__doc__,
        re.MULTILINE,
    )
    symbols = {"clear": 0, "hold": 2, "breach": 4, "absent": 6, "gone": 8}

    assert len(rows) == TABLE.shape[1] == 10
    for verdict, held, *after in rows:
        symbol = symbols[verdict] + (held in {", held", ", resolves"})
        assert after == [Phase(TABLE[phase, symbol]).name for phase in Phase]


def test_without_for_the_first_breach_opens() -> None:
    stage = Stage(a_rule("> 5"))

    assert stage.send(6) == ["opened"]
    assert stage.send(6) == []


def test_an_incident_opens_when_the_breach_has_held_for_for() -> None:
    stage = Stage(a_rule("> 5", for_s=120))

    assert stage.report(9, times=11, every_s=10) == []
    assert stage.report(9, times=2, every_s=10) == ["opened"]
    (incident,) = stage.pipeline.open_incidents
    assert incident.started_at == START
    assert incident.opened_at == START + 120_000


def test_a_value_at_the_bound_is_no_breach_of_above_and_one_of_at_least() -> None:
    above, at_least = Stage(a_rule("> 5")), Stage(a_rule(">= 5"))

    assert above.send(5) == []
    assert at_least.send(5) == ["opened"]


def test_a_value_at_the_bound_ends_what_above_has_opened() -> None:
    stage = Stage(a_rule("> 5", window_s=1))
    stage.send(6)
    stage.sleep(5)

    assert stage.send(5) == ["resolved"]


def test_a_value_at_a_bound_that_both_sides_exclude_keeps_the_incident() -> None:
    stage = Stage(a_rule("> 5", resolve="< 5", window_s=1))
    stage.send(6)
    stage.sleep(5)

    assert stage.send(5) == []
    assert stage.is_open


def test_a_resolve_bound_beyond_the_trigger_never_flaps() -> None:
    stage = Stage(a_rule("> 5", resolve="< 10", window_s=1))

    words = []
    for _ in range(5):
        words += stage.send(7)
        stage.sleep(5)

    assert words == ["opened"]


def test_between_the_bounds_nothing_opens_and_nothing_ends() -> None:
    stage = Stage(a_rule("> 5", resolve="< 2", window_s=1))

    assert stage.report(4, times=3, every_s=5) == []
    stage.send(6)
    assert stage.report(4, times=30, every_s=5) == []
    assert stage.is_open


def test_a_middling_value_starts_for_anew() -> None:
    stage = Stage(a_rule("> 5", resolve="< 2", window_s=1, for_s=20))
    for value in (9, 9, 4, 9, 9):
        stage.send(value)
        stage.wait(6)

    assert stage.news == []


def test_a_middling_value_starts_resolve_for_anew() -> None:
    stage = Stage(a_rule("> 5", resolve="< 2", window_s=1, resolve_for_s=20))
    for value in (9, 1, 1, 4, 1, 1):
        stage.send(value)
        stage.sleep(6)

    assert stage.news == ["opened"]


def test_the_end_is_dated_back_to_the_crossing() -> None:
    stage = Stage(a_rule("> 5", window_s=1, resolve_for_s=30))
    stage.send(6)
    stage.sleep(10)
    stage.send(1)
    for _ in range(3):
        stage.sleep(10)
        stage.send(1)
    (incident,) = stage.incidents.values()

    assert incident.status is Status.CLOSED
    assert incident.resolved_at == START + 10_000
    assert incident.ended_at == START + 40_000


def test_downward_rules_look_down() -> None:
    stage = Stage(a_rule("< 80", metric="viewer_experience_score", window_s=1, warning=90))

    assert stage.send(95) == []
    stage.sleep(5)
    assert stage.send(85) == ["opened"]
    stage.sleep(5)
    assert stage.send(70) == ["rose"]
    (incident,) = stage.pipeline.open_incidents
    assert incident.peak_value == 70
    assert incident.severity is Severity.CRITICAL


def test_severity_rises_and_never_falls() -> None:
    stage = Stage(a_rule("> 5", warning=3, window_s=1))
    words = []
    for value in (4, 6, 4, 6, 4, 1):
        words += stage.send(value)
        stage.sleep(5)

    assert words == ["opened", "rose", "resolved"]
    assert [incident.severity.word for _, incident in stage.log] == [
        "warning",
        "critical",
        "critical",
    ]


def test_a_tier_must_hold_for_for_as_well() -> None:
    stage = Stage(a_rule("> 5", warning=3, window_s=1, for_s=10))
    words = []
    for value in (4, 4, 4, 6, 6, 6):
        words.append(stage.send(value))
        stage.sleep(5)

    assert words == [[], [], ["opened"], [], [], ["rose"]]


def test_silence_does_not_raise_the_severity() -> None:
    """A tier that was crossed for less than ``for`` is not reached by waiting."""
    stage = Stage(a_rule("> 5", warning=3, for_s=120))
    stage.report(4, times=13, every_s=10)
    stage.report(9, times=5, every_s=10)

    assert stage.news == ["opened"]
    assert stage.wait(150) == []


def test_a_peak_needs_enough_views_too() -> None:
    stage = Stage(a_rule("> 5", window_s=10, min_views=100))
    stage.send(6, views=100)
    stage.sleep(30)
    stage.send(100, views=1)
    stage.sleep(30)
    stage.send(1, views=100)
    (incident,) = stage.incidents.values()

    assert incident.status is Status.CLOSED
    assert incident.peak_value == 6


def test_no_data_is_not_recovery() -> None:
    stage = Stage(a_rule("> 5", resolve_for_s=60))
    stage.send(9)

    for _ in range(60):
        stage.sleep(60)

        assert stage.tick() == []
    assert stage.is_open


def test_silence_in_the_middle_of_a_recovery_is_no_recovery() -> None:
    stage = Stage(a_rule("> 5", window_s=10, resolve_for_s=60))
    stage.send(9)
    stage.sleep(30)
    stage.send(1)

    assert stage.wait(100) == []
    assert stage.send(1) == []
    assert stage.is_open


def test_a_group_that_vanishes_expires_and_sends_its_resolve() -> None:
    stage = Stage(a_rule("> 5", expire_after_s=100))
    stage.send(9)

    words = stage.wait(170)

    assert words == ["expired"]
    assert [one.action.value for one in stage.deliveries] == ["trigger", "resolve"]


def test_too_few_views_for_ever_expire_and_send_the_resolve() -> None:
    stage = Stage(a_rule("> 5", min_views=50, expire_after_s=100))
    stage.send(9)

    words = stage.report(9, times=20, every_s=10, views=1)

    assert words == ["expired"]
    assert not stage.is_open


def test_a_collector_that_reports_once_a_minute_can_fill_for_of_five_minutes() -> None:
    stage = Stage(a_rule("> 5", for_s=300, window_s=60))

    words = stage.report(9, times=7, every_s=60)

    assert words == ["opened"]


def test_a_collector_late_by_some_seconds_each_minute_still_opens() -> None:
    stage = Stage(a_rule("> 5", for_s=300, window_s=60))
    words = []
    for jitter in (0, 7, 2, 9, 1, 8, 0, 5):
        words += stage.wait(jitter)
        words += stage.send(9)
        words += stage.wait(60 - jitter)

    assert words == ["opened"]


def test_a_collector_that_stamps_and_corrects_the_running_minute_still_opens() -> None:
    """Each report repeats the minute's start as its time; time passes all the same."""
    stage = Stage(a_rule("> 5", for_s=30))

    words = []
    for second in range(0, 60, 10):
        words += stage.send(9, lag_s=second)
        words += stage.wait(10)

    assert words == ["opened"]


def test_pending_does_not_outlive_a_long_silence() -> None:
    stage = Stage(a_rule("> 5", for_s=300))
    stage.send(9)
    stage.wait(200)

    assert stage.send(9) == []
    assert stage.wait(150) == []


def test_every_second_in_pending_counts_without_any_new_sample() -> None:
    """A window that is still bad lets ``for`` pass on ticks alone."""
    stage = Stage(a_rule("> 5", for_s=20))
    stage.send(9)

    assert stage.wait(20) == ["opened"]


@pytest.mark.parametrize("change", [Change.OPENED, Change.ROSE, Change.RESOLVED, Change.EXPIRED])
def test_every_change_has_a_word(change: Change) -> None:
    assert change.value == change.name.lower()
