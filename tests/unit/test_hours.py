"""Active hours, with time zones and their changes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from playwatch.core.hours import ActiveHours
from tests.stage import Stage, a_rule

STOCKHOLM = ZoneInfo("Europe/Stockholm")
WEEKDAYS = frozenset(range(5))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T06:59:59", False),
        ("2026-11-23T07:00:00", True),
        ("2026-11-23T21:59:59", True),
        ("2026-11-23T22:00:00", False),
        ("2026-11-22T12:00:00", False),
        ("2026-07-20T05:59:59", False),
        ("2026-07-20T06:00:00", True),
    ],
)
def test_hours_are_those_of_the_zone(
    moment: str,
    expected: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """08:00 to 23:00 on weekdays, in winter one hour ahead of UTC, in summer two."""
    hours = ActiveHours(STOCKHOLM, WEEKDAYS, 8 * 60, 23 * 60)

    assert hours.covers(at(moment)) is expected


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = ActiveHours(UTC, frozenset({4}), 22 * 60, 6 * 60)

    assert friday_night.covers(at("2026-11-27T23:00:00"))
    assert friday_night.covers(at("2026-11-28T05:59:00"))
    assert not friday_night.covers(at("2026-11-28T06:00:00"))
    assert not friday_night.covers(at("2026-11-27T05:00:00"))
    assert not friday_night.covers(at("2026-11-28T23:00:00"))


def test_a_skipped_hour_does_not_come_and_a_repeated_one_comes_twice() -> None:
    hours = ActiveHours(STOCKHOLM, first=2 * 60, end=3 * 60)
    minute = 60_000
    spring = sum(hours.covers(at("2026-03-29T00:00:00") + n * minute) for n in range(240))
    autumn = sum(hours.covers(at("2026-10-25T00:00:00") + n * minute) for n in range(240))

    assert (spring, autumn) == (0, 120)


def test_many_moments_are_judged_like_one() -> None:
    hours = ActiveHours(STOCKHOLM, WEEKDAYS, 8 * 60, 23 * 60)
    moments = at("2026-03-27T00:00:00") + np.arange(0, 5 * 86_400_000, 1_234_567)

    assert hours.cover(moments).tolist() == [hours.covers(int(one)) for one in moments]


def stage_that_wakes_at(first: int) -> Stage:
    """Return a stage that stands at 08:00 UTC."""
    return Stage(
        a_rule("> 5", warning=3, for_s=60, active=ActiveHours(UTC, first=first, end=20 * 60))
    )


def test_nothing_opens_outside_the_hours_and_what_is_still_bad_opens_with_them() -> None:
    stage = stage_that_wakes_at(8 * 60 + 5)

    assert stage.report(9, times=9, every_s=30) == []
    assert stage.report(9, times=2, every_s=30) == ["opened"]
    (incident,) = stage.pipeline.open_incidents
    assert incident.opened_at - incident.started_at == 300_000


def test_what_was_bad_only_outside_the_hours_never_opens() -> None:
    stage = stage_that_wakes_at(8 * 60 + 5)
    stage.report(9, times=5, every_s=30)

    assert stage.report(1, times=20, every_s=30) == []


def test_an_open_incident_does_not_rise_outside_the_hours_but_resolves() -> None:
    rule = a_rule("> 5", warning=3, window_s=1, active=ActiveHours(UTC, first=0, end=8 * 60 + 2))
    stage = Stage(rule)

    assert stage.report(4, times=3) == ["opened"]
    assert stage.report(9, times=1) == []
    assert stage.report(1, times=1) == ["resolved"]
