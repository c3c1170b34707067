"""Who is told of what, and with which key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action
from playwatch.core.routing import Route, Told
from playwatch.core.rules import AlertType, Matcher, Severity
from tests.stage import Stage, a_rule

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident

THRESHOLDS = frozenset({AlertType.THRESHOLD})
ANOMALIES = frozenset({AlertType.ANOMALY})


@pytest.fixture
def incident() -> Incident:
    stage = Stage(a_rule("> 5"))
    stage.send(9)
    return stage.pipeline.open_incidents[0]


def test_channels_filter_by_alert_type(incident: Incident) -> None:
    anomaly = replace(incident, alert_type=AlertType.ANOMALY)
    routes = {"all": Route("a", "k"), "t": Route("b", "k", THRESHOLDS)}
    routes["a"] = Route("c", "k", ANOMALIES)

    assert [name for name, route in routes.items() if route.takes(incident)] == ["all", "t"]
    assert [name for name, route in routes.items() if route.takes(anomaly)] == ["all", "a"]


def test_a_key_changed_since_stays_with_the_incident(incident: Incident) -> None:
    told = Told()
    told.triggers(incident, [Route("oncall", "old")], 1)
    (again,) = told.triggers(
        replace(incident, severity=Severity.ERROR), [Route("oncall", "new")], 2
    )
    (end,) = told.resolves(incident, 3)

    assert (again.key_fingerprint, end.key_fingerprint) == ("old", "old")


def test_a_channel_added_since_is_told_at_the_next_rise(incident: Incident) -> None:
    told = Told()
    told.triggers(incident, [Route("first", "k1")], 1)
    sent = told.triggers(incident, [Route("first", "k1"), Route("second", "k2")], 2)

    assert [one.channel for one in sent] == ["first", "second"]
    assert [one.channel for one in told.resolves(incident, 3)] == ["first", "second"]


def test_a_channel_that_would_not_be_chosen_now_still_hears_of_the_rise(
    incident: Incident,
) -> None:
    told = Told()
    told.triggers(incident, [Route("oncall", "k")], 1)

    assert len(told.triggers(incident, [Route("oncall", "k", ANOMALIES)], 2)) == 1


def test_nobody_told_means_no_resolve(incident: Incident) -> None:
    assert Told().resolves(incident, 1) == []


def test_what_was_told_comes_back_from_the_stored_triggers(incident: Incident) -> None:
    first = Told()
    stored = [
        *first.triggers(incident, [Route("oncall", "old")], 1),
        *first.resolves(incident, 2),
    ]

    (end,) = Told(stored).resolves(incident, 3)
    assert (end.channel, end.key_fingerprint, end.action) == ("oncall", "old", Action.RESOLVE)


def test_the_same_decision_is_the_same_delivery(incident: Incident) -> None:
    route = Route("oncall", "k")
    one, other = (Told().triggers(incident, [route], at)[0].id for at in (1, 2))

    assert one == other


def test_a_rule_that_pages_again_opens_a_key_per_tier_and_resolves_each() -> None:
    stage = Stage(replace(a_rule("> 5", warning=3, window_s=1), repage_on_rise=True))
    stage.send(4)
    stage.sleep(5)
    stage.send(9)
    stage.sleep(5)
    stage.send(1)

    key = stage.log[0][1].dedup_key
    assert [(one.action.value, one.dedup_key) for one in stage.deliveries] == [
        ("trigger", key),
        ("trigger", f"{key}/critical"),
        ("resolve", key),
        ("resolve", f"{key}/critical"),
    ]
    assert len({one.id for one in stage.deliveries}) == 4


def test_keys_per_tier_are_resolved_after_a_restart(incident: Incident) -> None:
    told = Told()
    first = told.triggers(incident, [Route("oncall", "k")], 1)
    worse = replace(incident, severity=Severity.CRITICAL)
    second = told.triggers(worse, [Route("oncall", "k"), Route("new", "n")], 2, pages_again=True)

    ends = Told([*first, *second]).resolves(worse, 3)
    assert [(one.channel, one.dedup_key) for one in ends] == [
        ("oncall", incident.dedup_key),
        ("oncall", f"{incident.dedup_key}/critical"),
        ("new", incident.dedup_key),
    ]


def test_a_channel_filters_by_severity_rule_metric_and_group(incident: Incident) -> None:
    german = replace(incident, breakdowns=(("country", "DE"), ("cdn", "")))
    yes = [
        Route("c", "k", min_severity=Severity.CRITICAL),
        Route("c", "k", rules=Matcher("rule", ("fail*",))),
        Route("c", "k", metrics=Matcher("metric", (), ("views",))),
        Route("c", "k", where=(Matcher("country", ("DE",)), Matcher("cdn", must_be_missing=True))),
    ]
    no = [
        Route("c", "k", rules=Matcher("rule", ("other",))),
        Route("c", "k", metrics=Matcher("metric", ("views",))),
        Route("c", "k", where=(Matcher("country", ("FR",)),)),
    ]

    assert [route.takes(german) for route in yes] == [True] * 4
    assert [route.takes(german) for route in no] == [False] * 3
    assert not yes[0].takes(replace(german, severity=Severity.ERROR))


def test_a_channel_that_wants_no_resolves_gets_none(incident: Incident) -> None:
    told = Told()
    told.triggers(incident, [Route("a", "k"), Route("b", "k")], 1)

    assert [one.channel for one in told.resolves(incident, 2, unwanted={"a"})] == ["b"]
