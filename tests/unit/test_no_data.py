"""Silence: kept, resolved or paged, as the rule says."""

from __future__ import annotations

import math

from playwatch.core.rules import NoData, NoDataPolicy, Rule
from tests.stage import START, Stage, a_rule


def silent(policy: NoDataPolicy, after_s: float = 120.0, **kwargs: float) -> Rule:
    return a_rule(
        "> 5",
        by=("country",),
        no_data=NoData(policy, after_s),
        for_s=kwargs.get("for_s", 0.0),
        resolve_for_s=kwargs.get("resolve_for_s", 0.0),
        flap_within_s=kwargs.get("flap_within_s", 0.0),
        expire_after_s=kwargs.get("expire_after_s", 86_400.0),
        min_views=int(kwargs.get("min_views", 0)),
    )


def test_by_default_silence_neither_opens_nor_resolves() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)

    assert stage.wait(3600) == []
    assert stage.is_open


def test_a_silent_group_opens_an_incident_that_says_so() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN))
    stage.send(1, country="DE")
    stage.send(1, country="FR")

    assert stage.wait(119) == []
    assert stage.wait(1) == ["opened", "opened"]
    incident = stage.pipeline.open_incidents[0]
    assert incident.summary == "Playback failure percentage in country=DE: no data for 2 min"
    assert incident.bound == "no data for 2 min"
    assert incident.is_silence
    assert math.isnan(incident.measured_value)
    assert incident.started_at == START
    assert incident.opened_at == START + 120_000


def test_a_group_that_was_never_heard_is_not_missed() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN))

    assert stage.wait(600) == []


def test_one_silence_is_one_page_however_long_it_lasts() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN, expire_after_s=300))
    stage.send(1, country="DE")

    assert stage.wait(1200) == ["opened", "expired"]
    stage.send(1, country="DE")
    assert stage.wait(130) == ["opened"]


def test_data_that_come_back_good_resolve_a_silence() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN, resolve_for_s=60))
    stage.send(1, country="DE")
    stage.wait(120)

    assert stage.report(1, times=4, every_s=30) == []
    stage.send(1, country="DE")
    stage.wait(30)
    stage.send(1, country="DE")
    assert stage.wait(31) == ["resolved"]
    assert stage.log[-1][1].reason == "data again for 1 min"


def test_data_that_come_back_with_few_views_resolve_a_silence_too() -> None:
    """They say nothing of the metric, but they are not missing."""
    stage = Stage(silent(NoDataPolicy.OPEN, min_views=1000))
    stage.send(1, country="DE")
    stage.wait(120)

    assert stage.send(99, views=1, country="DE") == ["resolved"]


def test_data_that_come_back_bad_keep_the_incident_and_give_it_a_value() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN))
    stage.send(1, country="DE")
    stage.wait(120)

    assert stage.send(50, country="DE") == ["rose"]
    (incident,) = stage.pipeline.open_incidents
    assert not incident.is_silence
    assert incident.measured_value == 50
    assert incident.bound == "> 5"
    assert len({one.dedup_key for one in stage.pages()}) == 1


def test_an_open_incident_ends_with_its_data_where_the_rule_says_so() -> None:
    stage = Stage(silent(NoDataPolicy.RESOLVE))
    stage.send(9, country="DE")

    assert stage.wait(119) == []
    assert stage.wait(1) == ["resolved"]
    (_, incident) = stage.log[-1]
    assert incident.reason == "no data for 2 min"
    assert incident.resolved_at == START
    assert incident.measured_value_on_close is None


def test_silence_while_the_engine_was_away_is_not_the_sources() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN))
    stage.send(1, country="DE")
    stage.wait(60)

    assert stage.restart(away_s=3600) == []
    assert stage.wait(119) == []
    assert stage.wait(2) == ["opened"]


def test_an_open_silence_survives_a_restart_and_is_not_paged_again() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN))
    stage.send(1, country="DE")
    stage.wait(121)

    assert stage.restart(away_s=10) == []
    assert stage.wait(600) == []
    assert stage.send(1, country="DE") == ["resolved"]


def test_a_tick_looks_at_no_group_while_none_can_be_silent_for_long_enough() -> None:
    stage = Stage(silent(NoDataPolicy.OPEN))
    stage.send(1, country="DE")
    stage.wait(60)
    stage.send(1, country="DE")

    assert stage.wait(119) == []
    assert stage.wait(2) == ["opened"]
