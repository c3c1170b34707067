from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.rules import Aggregate
from tests.stage import VIEWERS, Stage, a_rule

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident


def corrections(stage: Stage) -> list[str]:
    return [incident.correction for word, incident in stage.log if word == "corrected"]


def last(stage: Stage) -> Incident:
    return stage.log[-1][1]


def late(stage: Stage, value: float, views: int, by_s: float) -> list[str]:
    """Send a sample of another series that is older than what was heard."""
    return stage.send(value, views=views, lag_s=by_s, cdn="slow")


def test_late_data_mark_an_open_incident_that_they_would_have_prevented() -> None:
    stage = Stage(a_rule("> 5", resolve="< 1"))
    stage.send(9, views=100)
    stage.sleep(10)

    assert late(stage, 3, 200, by_s=12) == ["corrected"]

    assert last(stage).is_open
    assert last(stage).correction == (
        "with late data it was 5 % over 300 views when it opened, not > 5"
    )


def test_late_data_that_agree_mark_nothing() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9, views=100)

    late(stage, 40, 100, by_s=5)

    assert corrections(stage) == []


def test_the_mark_goes_when_later_data_agree_again() -> None:
    stage = Stage(a_rule("> 5", resolve="< 0.1"))
    stage.send(9, views=100)
    late(stage, 0, 900, by_s=5)
    late(stage, 90, 900, by_s=4)

    assert [bool(text) for text in corrections(stage)] == [True, False]
    assert stage.decisions[-1].what == "corrected"
    assert "agree" in stage.decisions[-1].reason


def test_a_resolved_incident_is_marked_and_stays_resolved() -> None:
    stage = Stage(a_rule("> 5", resolve="< 2"))
    stage.send(9, views=100)
    stage.sleep(70)
    stage.send(1, views=100)
    assert not stage.is_open

    late(stage, 4, 300, by_s=5)

    assert len(corrections(stage)) == 1
    assert not last(stage).is_open
    assert "when it ended, not < 2" in last(stage).correction
    assert not stage.is_open


def test_nobody_is_told_of_a_correction() -> None:
    stage = Stage(a_rule("> 5", resolve="< 0.1"))
    stage.send(9, views=100)
    late(stage, 0, 2000, by_s=5)

    assert corrections(stage)
    assert len(stage.deliveries) == 1


def test_data_of_the_same_moment_in_another_message_are_not_late() -> None:
    stage = Stage(a_rule("> 5", resolve="< 0.1"))
    stage.send(9, views=100, cdn="a")
    stage.send(0, views=900, cdn="b")

    assert corrections(stage) == []


def test_a_window_that_has_moved_on_is_corrected_no_more() -> None:
    stage = Stage(a_rule("> 5", resolve="< 0.1"))
    stage.send(9, views=100)
    stage.sleep(130)
    stage.tick()
    stage.send(9, views=100)

    late(stage, 0, 100_000, by_s=131)

    assert corrections(stage) == []


def test_an_extreme_has_hindsight_too() -> None:
    stage = Stage(a_rule("> 5", resolve="< 0.1", aggregate=Aggregate.MIN))
    stage.send(9, lag_s=90)
    stage.send(9)
    assert stage.is_open

    late(stage, 3, 100, by_s=5)

    assert "it was 3 %" in corrections(stage)[0]


def test_an_incident_closed_by_hand_keeps_its_record() -> None:
    stage = Stage(a_rule("> 5", resolve="< 0.1"))
    stage.send(9, views=100)
    (incident,) = stage.pipeline.open_incidents
    stage.pipeline.resolve(incident.id, "by hand", stage.now)

    late(stage, 0, 10_000, by_s=5)

    assert corrections(stage) == []


def test_latest_values_have_no_past_to_correct() -> None:
    stage = Stage(a_rule("> 5", metric=VIEWERS))
    stage.send(9, metric=VIEWERS, cdn="a")
    stage.send(-8, metric=VIEWERS, lag_s=5, cdn="b")

    assert corrections(stage) == []


def test_each_of_many_groups_is_corrected_by_its_own_late_samples_alone() -> None:
    stage = Stage(a_rule("> 5", resolve="< 1", by=("country",)))
    countries = ("DE", "FR", "SE", "US")
    for country in countries:
        stage.send(9, views=100, country=country)
    stage.sleep(10)

    for country in countries[1:3]:
        stage.send(3, views=200, lag_s=12, country=country, cdn="slow")

    marked = {dict(one.breakdowns)["country"] for word, one in stage.log if word == "corrected"}
    assert marked == {"FR", "SE"}
