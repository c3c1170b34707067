"""Edits keep state: what a reload does to rules and to the incidents they have open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.deliveries import Action
from playwatch.core.edits import EditKind, RuleEdit
from playwatch.core.routing import Route
from playwatch.core.rules import Matcher, OnEdit
from tests.stage import ONCALL, Stage, a_rule

if TYPE_CHECKING:
    from playwatch.core.rules import Rule


def reload(stage: Stage, *rules: Rule, routes: tuple[Route, ...] | None = None) -> list[RuleEdit]:
    """Go on with other rules; what it decided is kept as any step's news."""
    stage.rules = rules
    stage.routes = stage.routes if routes is None else routes
    step, edits = stage.pipeline.reload(stage.catalogue, rules, stage.routes, (), stage.now)
    stage._keep(step)
    return edits


def open_stage(rule: Rule) -> Stage:
    stage = Stage(rule)
    stage.send(9)
    assert stage.news == ["opened"]
    return stage


@pytest.mark.parametrize(
    "after",
    [
        a_rule("> 5", for_s=60),
        a_rule("> 8"),
        a_rule("> 5", resolve="< 2"),
        a_rule("> 5", warning=3),
        a_rule("> 5", resolve_for_s=900, min_views=7),
        replace(a_rule("> 5"), summary="now other words", runbook="https://example.com"),
    ],
)
def test_an_edit_of_bounds_durations_or_text_keeps_the_incident(after: Rule) -> None:
    stage = open_stage(a_rule("> 5"))
    (incident,) = stage.pipeline.open_incidents
    (edit,) = reload(stage, after)

    assert (edit.kind, edit.kept, edit.closed) == (EditKind.EDITED, (incident.id,), ())
    stage.wait(30)
    assert stage.send(9) == []
    assert [one.id for one in stage.pipeline.open_incidents] == [incident.id]
    assert len(stage.pages()) == 1


@pytest.mark.parametrize(
    "after",
    [
        a_rule("> 5", metric="video_startup_failure_percentage"),
        a_rule("> 5", where=(Matcher("country", ("DE",)),)),
        a_rule("> 5", by=("country",)),
        a_rule("> 5", window_s=30),
        a_rule("< 1", resolve="> 2"),
        replace(a_rule("> 7"), on_edit=OnEdit.CLOSE),
    ],
)
def test_another_question_closes_the_incident_and_tells_who_was_told(after: Rule) -> None:
    stage = open_stage(a_rule("> 5"))
    (incident,) = stage.pipeline.open_incidents
    (edit,) = reload(stage, after)

    assert (edit.kind, edit.closed) == (EditKind.REPLACED, (incident.id,))
    assert stage.news == ["opened", "closed"]
    assert stage.log[-1][1].reason == "rule changed"
    (resolve,) = stage.pages(Action.RESOLVE)
    assert resolve.dedup_key == incident.dedup_key


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (a_rule("> 5"), a_rule("< 1", resolve="> 2")),
        *(
            (replace(a_rule("> 5"), on_edit=OnEdit.CLOSE), replace(after, on_edit=OnEdit.CLOSE))
            for after in (a_rule("> 7"), a_rule("> 5", for_s=60), a_rule("> 5", min_views=7))
        ),
    ],
)
def test_an_edit_while_no_engine_runs_closes_what_a_reload_would_have(
    before: Rule, after: Rule
) -> None:
    stage = open_stage(before)

    assert stage.restart(after, away_s=20) == ["closed"]
    assert len(stage.pages(Action.RESOLVE)) == 1


def test_a_rule_that_closes_on_edit_keeps_its_incident_over_a_restart_without_one() -> None:
    stage = open_stage(replace(a_rule("> 5"), on_edit=OnEdit.CLOSE))

    assert stage.restart(away_s=20) == []
    assert stage.is_open


def test_a_rule_that_is_gone_closes_its_incident_with_the_key_it_was_told_with() -> None:
    stage = open_stage(a_rule("> 5"))
    edits = reload(stage, a_rule(name="other"), routes=(Route("oncall", "key-2"),))

    assert [(one.rule, one.kind) for one in edits] == [
        ("other", EditKind.ADDED),
        ("failures", EditKind.REMOVED),
    ]
    (resolve,) = stage.pages(Action.RESOLVE)
    assert resolve.key_fingerprint == "key-1"


def test_the_same_rule_is_left_alone_whatever_it_says_of_edits() -> None:
    rule = replace(a_rule("> 5"), on_edit=OnEdit.CLOSE)
    stage = open_stage(rule)
    (edit,) = reload(stage, replace(rule))

    assert (edit.kind, len(edit.kept)) == (EditKind.SAME, 1)


def test_a_new_rule_starts_with_an_empty_window_and_takes_nothing_back() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)
    reload(stage, a_rule("> 5"), a_rule("> 5", name="new"))
    stage.wait(1)
    assert stage.news == ["opened"]

    assert stage.send(9) == ["opened"]
    assert stage.log[-1][1].rule == "new"
    assert stage.log[-1][1].sample_size == 100


def test_time_that_has_passed_counts_for_a_shorter_wait() -> None:
    stage = Stage(a_rule("> 5", for_s=600))
    stage.report(9, times=3, every_s=30)
    assert stage.news == []
    reload(stage, a_rule("> 5", for_s=60))

    assert stage.news == ["opened"]


def test_a_pending_group_below_the_new_bound_starts_anew() -> None:
    stage = Stage(a_rule("> 5", for_s=100))
    stage.report(7, times=3, every_s=30)
    reload(stage, a_rule("> 10", for_s=100))
    stage.sleep(61)
    stage.send(12)
    stage.wait(50)

    assert stage.news == []


def test_a_tier_added_above_is_a_rise_and_one_taken_away_sends_nothing() -> None:
    stage = open_stage(a_rule("> 5", warning=3))
    reload(stage, a_rule("> 3"))
    reload(stage, a_rule("> 5", warning=3))
    stage.wait(5)
    assert stage.news == ["opened"]

    stage = Stage(a_rule("> 50", warning=3))
    stage.send(9)
    reload(stage, a_rule("> 5", warning=3))
    assert stage.news == ["opened", "rose"]
    assert stage.pipeline.open_incidents[0].severity.word == "critical"


def test_a_looser_bound_lets_the_incident_end() -> None:
    stage = open_stage(a_rule("> 5"))
    reload(stage, a_rule("> 20"))

    assert stage.news == ["opened", "resolved"]
    assert len(stage.pages(Action.RESOLVE)) == 1


def test_a_channel_added_at_noon_is_not_told_of_what_is_open_and_hears_of_the_rise() -> None:
    stage = Stage(a_rule("> 5", warning=3, window_s=1))
    stage.send(4)
    reload(stage, *stage.rules, routes=(ONCALL, Route("second", "k2")))
    stage.wait(1)
    assert [one.channel for one in stage.deliveries] == ["oncall"]

    stage.sleep(2)
    stage.send(9)
    assert [one.channel for one in stage.deliveries] == ["oncall", "oncall", "second"]


def test_a_rule_on_an_unknown_metric_changes_nothing() -> None:
    stage = open_stage(a_rule("> 5"))
    with pytest.raises(ValueError, match="no metric"):
        stage.pipeline.reload(
            stage.catalogue, [a_rule(name="x", metric="nonsense")], (), (), stage.now
        )

    assert stage.is_open
    assert stage.send(9) == []


def test_an_incident_closed_by_hand_needs_new_bad_samples_to_open_again() -> None:
    stage = open_stage(a_rule("> 5", by=("country",)))
    (incident,) = stage.pipeline.open_incidents
    stage._keep(stage.pipeline.resolve(incident.id, "resolved by hand by ann", stage.now))

    assert stage.news == ["opened", "closed"]
    assert len(stage.pages(Action.RESOLVE)) == 1
    assert not stage.is_open
    stage.wait(3)
    assert stage.send(1) == []
    stage.sleep(70)
    assert stage.send(9) == ["opened"]


def test_an_unknown_incident_is_not_closed() -> None:
    stage = open_stage(a_rule("> 5"))

    assert not stage.pipeline.resolve("nonsense", "x", stage.now).changes
    assert stage.is_open


edits = st.lists(
    st.builds(
        a_rule,
        st.sampled_from(["> 4", "> 5", "> 7"]),
        warning=st.sampled_from([None, 2.0, 3.0]),
        for_s=st.sampled_from([0, 5, 60]),
        resolve_for_s=st.sampled_from([60, 300]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(edits)
def test_edits_over_an_open_incident_never_page_a_second_time(rules: list[Rule]) -> None:
    stage = Stage(a_rule("> 5", resolve_for_s=60))
    stage.send(20)
    for rule in rules:
        stage.wait(7)
        stage.send(20)
        reload(stage, rule)

    assert "closed" not in stage.news
    assert stage.news.count("opened") == 1
    assert len(stage.pages()) == 1
