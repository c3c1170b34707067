"""A learned rule, from samples to pages, with a model that anyone can follow."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action
from playwatch.core.learned import LearnedWatch
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import AlertType, Anomaly, Rule, Severity
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch_models.decision import CALM_INTERVALS
from tests.detectors import LEARNING, MeanDetector
from tests.stage import FAILURES, ONCALL, START, VIEWERS, Sample, Stage

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident


def learned(name: str = "failures", metric: str = FAILURES, **fields: object) -> Rule:
    condition = Anomaly(1.0, None, Severity.CRITICAL, 20.0)
    made = {"condition": condition, "resolve_for_s": 60.0, **fields}
    return Rule(name, metric, **made)  # type: ignore[arg-type] # the fields are a rule's


class Fleet(Stage):
    """Two countries on two CDNs, each reporting once a minute."""

    def _fresh(self) -> None:
        self.series = SeriesTable()
        self.sequences = SequenceTracker()
        self.pipeline = Pipeline(
            self.catalogue, self.series, self.rules, self.routes, "here", opens=MeanDetector
        )

    def minute(self, bad: dict[str, str] | None = None, value: float = 30.0) -> list[str]:
        """Report 1 % everywhere, but for what is bad; wait for the interval to close."""
        samples: list[Sample] = []
        for country in ("DE", "SE"):
            for cdn in ("akamai", "fastly"):
                dimensions = {"country": country, "cdn": cdn}
                is_bad = bad is not None and bad.items() <= dimensions.items()
                samples.append((FAILURES, dimensions, self.at, value if is_bad else 1.0, 500))
        words = self.send_batch(samples)
        return words + self.wait(60)

    def warm_up(self, minutes: int = LEARNING + 2) -> None:
        self.at = START // 60_000 * 60_000 + 40_000
        for _ in range(minutes):
            assert self.minute() == []

    def watch(self) -> LearnedWatch:
        (watch,) = self.pipeline.watches
        assert isinstance(watch, LearnedWatch)
        return watch

    def open_ones(self) -> list[Incident]:
        return [one for one in self.incidents.values() if one.is_open]


def a_fleet(*rules: Rule) -> Fleet:
    fleet = Fleet(*(rules or (learned(),)))
    fleet.warm_up()
    return fleet


def test_a_fault_pages_once_and_the_incident_explains_itself() -> None:
    fleet = a_fleet()
    fleet.minute({"cdn": "fastly", "country": "DE"})

    (page,) = fleet.pages()
    incident = page.incident
    assert incident.alert_type is AlertType.ANOMALY
    assert incident.breakdowns == ()
    assert incident.expected == pytest.approx(1.0)
    assert (incident.expected_low, incident.expected_high) == pytest.approx((0.4, 1.6))
    assert incident.evidence == "burst"
    assert incident.once_in_weeks is not None
    assert incident.once_in_weeks > 1
    assert incident.affected_viewers == 145
    (cause,) = incident.causes
    assert set(cause.breakdowns) == {("country", "DE"), ("cdn", "fastly")}
    assert cause.share > 0.95
    assert incident.summary == (
        "Playback failure percentage 8.25 % (normal is 0.4 to 1.6 %): 145 views affected,"
        " 100 % of it in cdn=fastly, country=DE"
    )


def test_the_widest_group_tells_and_the_others_belong_to_it() -> None:
    fleet = a_fleet()
    fleet.minute({"cdn": "fastly"})

    told = {one.breakdowns: one.related_to for one in fleet.open_ones()}
    (head,) = [one for one in fleet.open_ones() if not one.related_to]
    assert head.breakdowns == ()
    assert set(told) == {(), (("cdn", "fastly"),), (("country", "DE"),), (("country", "SE"),)}
    assert set(told.values()) == {"", head.id}
    assert len(fleet.pages()) == 1
    assert [one.what for one in fleet.decisions if one.what == "withheld"] == ["withheld"] * 3


def test_all_of_it_ends_with_one_resolve() -> None:
    fleet = a_fleet()
    fleet.minute({"cdn": "fastly"})
    for _ in range(CALM_INTERVALS + 2):
        fleet.minute()

    assert fleet.open_ones() == []
    assert len(fleet.pages(Action.RESOLVE)) == 1
    (end,) = fleet.pages(Action.RESOLVE)
    assert end.incident.reason == "normal again for 1 min"


def test_what_goes_on_without_its_head_is_told_after_all() -> None:
    fleet = a_fleet()
    watch = fleet.watch()
    fleet.minute({"cdn": "fastly"})
    (head,) = [one for one in fleet.open_ones() if not one.related_to]
    fleet._keep(fleet.pipeline.resolve(head.id, "by hand", fleet.now))
    fleet.minute({"cdn": "fastly"})
    assert len(fleet.pages()) == 1

    for _ in range(10):
        fleet.minute({"cdn": "fastly"})

    assert len(watch.open) > 0
    late = fleet.pages()[0].incident
    assert len(fleet.pages()) > 1
    assert late.related_to == head.id


def test_two_faults_at_once_are_two_pages() -> None:
    fleet = a_fleet(learned(condition=Anomaly(1.0, (("country",),), Severity.CRITICAL, 20.0)))
    fleet.minute({})

    told = {one.breakdowns: one.related_to for one in fleet.open_ones()}
    assert told == {(("country", "DE"),): "", (("country", "SE"),): ""}
    assert len(fleet.pages()) == 2


def test_absence_is_neither_a_drop_nor_a_recovery() -> None:
    fleet = a_fleet(learned(metric="views", condition=Anomaly(1.0, ((),))))
    for _ in range(6):
        fleet.send_batch([("views", {}, fleet.at, 1000.0, 1)])
        fleet.wait(60)
    assert fleet.wait(1800) == []
    assert fleet.news == []


def test_an_incident_without_data_expires() -> None:
    fleet = a_fleet(learned(expire_after_s=600.0))
    fleet.minute({"cdn": "fastly"})
    fleet.wait(900)

    assert {one.status.value for one in fleet.incidents.values()} == {"expired"}
    assert len(fleet.pages(Action.RESOLVE)) == 1


def test_a_trifle_opens_nothing() -> None:
    condition = Anomaly(1.0, None, Severity.CRITICAL, 1_000.0)
    fleet = a_fleet(learned(condition=condition))

    assert fleet.minute({"cdn": "fastly", "country": "DE"}) == []
    # What adds up over the minutes is no trifle.
    for _ in range(8):
        fleet.minute({"cdn": "fastly", "country": "DE"})
    assert len(fleet.pages()) == 1


def test_a_budget_that_more_groups_share_asks_for_more() -> None:
    shared = learned(condition=Anomaly(1.0, None, Severity.CRITICAL, 20.0, "fleet"))
    other = replace(shared, name="waits", metric="rebuffer_percentage")
    fleet = Fleet(shared, other)
    for country in range(20):
        fleet.send_batch([("rebuffer_percentage", {"country": f"C{country}"}, fleet.at, 1.0, 100)])
    fleet.warm_up()
    (alone,) = [watch for watch in a_fleet().pipeline.watches if isinstance(watch, LearnedWatch)]
    (among,) = [watch for watch in fleet.pipeline.watches if watch.rule is shared]
    assert isinstance(among, LearnedWatch)

    assert among.level == pytest.approx(alone.level + math.log10((5 + 21) / 5))


def test_two_metrics_of_one_scope_are_one_page() -> None:
    waits = learned(name="waits", metric="rebuffer_percentage")
    fleet = Fleet(learned(), waits)
    fleet.at = START // 60_000 * 60_000 + 40_000
    for number in range(LEARNING + 4):
        value = 30.0 if number > LEARNING + 1 else 1.0
        for metric in (FAILURES, "rebuffer_percentage"):
            fleet.send_batch([(metric, {"country": "DE"}, fleet.at, value, 500)])
        fleet.wait(60)

    assert len(fleet.pages()) == 1
    assert {one.rule for one in fleet.open_ones()} == {"failures", "waits"}


def test_a_restart_forgets_nothing_and_pages_nobody_again() -> None:
    fleet = a_fleet()
    fleet.minute({"cdn": "fastly"})
    before = {one.id for one in fleet.open_ones()}
    mean = fleet.watch().detector.columns()["mean"]

    fleet.restart(away_s=30)
    assert fleet.refused == []
    assert fleet.watch().detector.columns()["mean"].tolist() == mean.tolist()
    fleet.at = fleet.at // 60_000 * 60_000 + 100_000
    fleet.minute({"cdn": "fastly"})
    assert {one.id for one in fleet.open_ones()} == before
    assert len(fleet.pages()) == 1

    for _ in range(CALM_INTERVALS + 2):
        fleet.minute()
    assert fleet.open_ones() == []


def test_a_kill_after_the_opening_pages_nobody_again() -> None:
    fleet = a_fleet()
    snapshot = fleet.snapshot()
    fleet.minute({"cdn": "fastly"})
    before = {one.id for one in fleet.open_ones()}

    fleet.restart(snapshot=snapshot)
    fleet.minute({"cdn": "fastly"})
    assert {one.id for one in fleet.open_ones()} == before
    assert len(fleet.pages()) == 1


def test_a_kill_after_the_end_pages_nobody_again() -> None:
    fleet = a_fleet()
    fleet.minute({"cdn": "fastly"})
    snapshot = fleet.snapshot()
    for _ in range(CALM_INTERVALS + 2):
        fleet.minute()
    assert fleet.open_ones() == []

    fleet.restart(snapshot=snapshot)
    fleet.minute({"cdn": "fastly"})
    assert fleet.open_ones() == []
    for _ in range(CALM_INTERVALS + 2):
        fleet.minute()
    fleet.minute({"cdn": "fastly"})
    assert len([one for one in fleet.open_ones() if not one.related_to]) == 1


def test_damaged_columns_are_refused_in_words_and_the_rule_learns_anew() -> None:
    fleet = a_fleet()
    fleet.watch().detector.mean[:] = float("nan")  # type: ignore[attr-defined] # the stand-in's

    fleet.restart()

    assert fleet.refused == ["rule/failures: the model's columns are damaged"]
    assert len(fleet.watch().groups) == 0
    fleet.warm_up()


def test_another_scope_starts_anew() -> None:
    fleet = a_fleet()
    fleet.restart(learned(condition=Anomaly(1.0, (("cdn",),))))

    assert fleet.refused == []
    assert len(fleet.watch().groups) == 0


def test_a_new_budget_keeps_what_was_learned() -> None:
    fleet = a_fleet()
    watch = fleet.watch()
    before = watch.level
    rule = learned(condition=Anomaly(0.1, None, Severity.WARNING, 20.0))
    fleet.pipeline.reload(fleet.catalogue, [rule], fleet.routes, (), fleet.now)

    assert fleet.watch() is watch
    assert watch.level == pytest.approx(before + 1)
    fleet.minute({"cdn": "fastly"})
    (page,) = fleet.pages()
    assert page.incident.severity is Severity.WARNING


def test_a_burst_within_the_open_interval_pages_at_the_next_tick() -> None:
    fleet = a_fleet()
    fleet.send_batch([(FAILURES, {"country": "DE", "cdn": "fastly"}, fleet.at, 60.0, 500)])

    assert fleet.wait(1)[:1] == ["opened"]
    seen = fleet.watch().detector.steps  # type: ignore[attr-defined] # the stand-in's
    assert len(seen) == LEARNING + 2


def test_ten_thousand_new_series_in_a_minute_page_nobody() -> None:
    fleet = a_fleet()
    samples: list[Sample] = [
        (FAILURES, {"country": f"C{number}", "cdn": "new"}, fleet.at, number % 3, 50)
        for number in range(10_000)
    ]
    fleet.send_batch(samples)
    fleet.wait(60)
    fleet.minute()

    assert len(fleet.watch().groups) > 10_000
    assert fleet.news == []


def test_an_audience_is_judged_both_ways() -> None:
    fleet = Fleet(learned(metric=VIEWERS, condition=Anomaly(1.0, ((),))), routes=(ONCALL,))
    fleet.at = START // 60_000 * 60_000 + 40_000
    for value in [1000.0] * (LEARNING + 4) + [10.0] * 2:
        fleet.send_batch([(VIEWERS, {"country": "DE"}, fleet.at, value, 1)])
        fleet.wait(60)

    (page,) = fleet.pages()
    assert page.incident.measured_value == 10


def test_an_audience_is_the_sum_of_its_series_however_often_they_speak() -> None:
    fleet = Fleet(learned(metric=VIEWERS, condition=Anomaly(1.0, ((),))))
    fleet.at = START // 60_000 * 60_000 + 1_000
    for _ in range(3):
        for _ in range(5):
            fleet.send_batch([(VIEWERS, {"country": "DE"}, fleet.at, 800.0, 1)])
            fleet.wait(10)
        fleet.send_batch([(VIEWERS, {"country": "SE"}, fleet.at, 200.0, 1)])
        fleet.wait(10)

    (everything,) = fleet.watch().facts.value[:1]
    assert everything == 1000


def test_a_series_that_misses_a_turn_has_not_lost_its_viewers() -> None:
    fleet = Fleet(learned(metric=VIEWERS, condition=Anomaly(1.0, ((),))))
    fleet.at = START // 60_000 * 60_000 + 40_000
    for minute in range(LEARNING + 12):
        for country in ("DE", "SE") if minute % 3 else ("DE",):
            fleet.send_batch([(VIEWERS, {"country": country}, fleet.at, 500.0, 1)])
        fleet.wait(60)

    assert fleet.news == []
    assert fleet.watch().facts.value[0] == 1000
    fleet.restart()
    fleet.at = fleet.at // 60_000 * 60_000 + 100_000
    for _ in range(3):
        fleet.send_batch([(VIEWERS, {"country": "DE"}, fleet.at, 500.0, 1)])
        fleet.wait(60)
    assert fleet.refused == []
    assert fleet.watch().facts.value[0] == 1000
