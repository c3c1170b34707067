"""Quiet for a while: triggers wait, resolves do not, and nothing stops to watch."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from playwatch.core.decisions import TOLD, WITHHELD
from playwatch.core.deliveries import Action
from playwatch.core.hours import ActiveHours
from playwatch.core.rules import Matcher
from playwatch.core.silences import MuteWindow, Silence
from tests.stage import START, Stage, a_rule


def a_silence(*matchers: Matcher, starts_s: float = 0, ends_s: float = 600) -> Silence:
    return Silence(
        "s1",
        matchers or (Matcher("rule", ("*",)),),
        START + round(starts_s * 1000),
        START + round(ends_s * 1000),
        "ann",
        "upgrade",
    )


def a_stage(*matchers: Matcher, **times: float) -> Stage:
    stage = Stage(a_rule("> 5", by=("country",), warning=3, window_s=1))
    stage.pipeline.quiet = (a_silence(*matchers, **times),)
    return stage


def test_a_silence_keeps_the_trigger_back_and_tells_it_when_it_ends() -> None:
    stage = a_stage(ends_s=3)

    assert stage.send(9, country="DE") == ["opened"]
    stage.wait(2)
    assert stage.deliveries == []
    stage.wait(1)

    (told,) = stage.deliveries
    assert (told.action, told.created_at) == (Action.TRIGGER, START + 3_000)
    stage.wait(5)
    assert len(stage.deliveries) == 1


def test_an_incident_that_ends_while_silenced_is_never_told() -> None:
    stage = a_stage(ends_s=10)
    stage.send(9, country="DE")
    stage.sleep(2)

    assert stage.send(1, country="DE") == ["resolved"]
    stage.wait(20)
    assert stage.deliveries == []


def test_a_resolve_goes_out_through_a_silence() -> None:
    stage = a_stage(starts_s=2)
    stage.send(9, country="DE")
    stage.sleep(3)
    stage.send(1, country="DE")

    assert [one.action for one in stage.deliveries] == [Action.TRIGGER, Action.RESOLVE]


def test_a_rise_is_withheld_too_and_then_told() -> None:
    stage = a_stage(starts_s=1, ends_s=4)
    stage.send(4, country="DE")
    stage.sleep(2)
    assert stage.send(9, country="DE") == ["rose"]
    assert [one.incident.severity.word for one in stage.deliveries] == ["warning"]
    stage.wait(3)

    assert [one.incident.severity.word for one in stage.deliveries] == ["warning", "critical"]
    assert len({one.dedup_key for one in stage.deliveries}) == 1


def test_a_silence_of_warnings_lets_the_rise_to_critical_through() -> None:
    stage = a_stage(Matcher("severity", ("warning",)))
    stage.send(4, country="DE")
    assert stage.deliveries == []
    stage.sleep(2)
    stage.send(9, country="DE")

    (told,) = stage.deliveries
    assert told.incident.severity.word == "critical"
    assert stage.pipeline.withheld == set()


@pytest.mark.parametrize(
    ("matchers", "told"),
    [
        ([Matcher("country", ("DE",))], ["FR", ""]),
        ([Matcher("country", ("D*", "FR"))], [""]),
        ([Matcher("country", (), ("DE",))], ["DE"]),
        ([Matcher("country", must_be_missing=True)], ["DE", "FR"]),
        ([Matcher("rule", ("failures",)), Matcher("country", ("DE",))], ["FR", ""]),
        ([Matcher("rule", ("other",))], ["DE", "FR", ""]),
        ([Matcher("metric", ("playback_*",))], []),
        ([Matcher("alert_type", ("anomaly",))], ["DE", "FR", ""]),
        ([Matcher("cdn", ("akamai",))], ["DE", "FR", ""]),
    ],
)
def test_matchers_choose_by_facts_and_dimensions(matchers: list[Matcher], told: list[str]) -> None:
    stage = a_stage(*matchers)
    stage.send(9, country="DE")
    stage.send(9, country="FR")
    stage.send(9)

    assert [dict(one.incident.breakdowns)["country"] for one in stage.deliveries] == told


def test_withheld_outlives_a_restart() -> None:
    stage = a_stage(ends_s=100)
    stage.send(9, country="DE")
    quiet, withheld = stage.pipeline.quiet, stage.pipeline.withheld
    stage.restart(away_s=5, snapshot=None)
    (incident,) = stage.pipeline.open_incidents
    stage._fresh()
    stage.pipeline.quiet = quiet
    stage._keep(stage.pipeline.adopt([incident], [], stage.now, withheld))
    stage.wait(90)
    assert stage.deliveries == []
    stage.wait(10)

    assert len(stage.deliveries) == 1


def test_a_channel_that_took_nothing_at_the_opening_is_not_told_after_a_restart() -> None:
    stage = Stage(a_rule("> 5"), routes=())
    stage.send(9)
    stage.restart(away_s=5)
    stage.wait(5)

    assert stage.deliveries == []


def test_the_record_says_who_kept_it_back_and_when_it_was_told() -> None:
    stage = a_stage(ends_s=3)
    step = stage.pipeline.take(
        stage.batch_of([("playback_failure_percentage", {"country": "DE"}, START, 9.0, 100)]),
        stage.now,
    )
    kept = [one.what for one in step.changes.decisions]
    assert kept[-2:] == ["opened", WITHHELD]
    assert step.changes.decisions[-1].reason == "silence s1 by ann: upgrade"

    stage.sleep(3)
    step = stage.pipeline.tick(stage.now)
    assert [one.what for one in step.changes.decisions][-1] == TOLD


def test_a_mute_window_comes_back_by_the_wall_clock_of_its_zone() -> None:
    nights = MuteWindow("nights", ActiveHours(ZoneInfo("Europe/Berlin"), first=1320, end=360))
    # 2027-01-15 08:00 UTC is 09:00 in Berlin.
    at_22 = START + 13 * 3_600_000

    assert not nights.covers(at_22 - 1)
    assert nights.covers(at_22)
    assert nights.covers(at_22 + 8 * 3_600_000 - 1)
    assert not nights.covers(at_22 + 8 * 3_600_000)
    assert nights.words == "mute window nights"
