"""Groups that nobody hears of any more make room for new ones."""

from __future__ import annotations

import numpy as np
import pytest

from playwatch.core.learned import LearnedWatch
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline, Step
from playwatch.core.rules import Anomaly, Rule
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.core.snapshots import copy_state, pack, restore
from playwatch.runtime.backtest_traces import Traces
from playwatch.runtime.model_states import group_states, rule_states
from tests.detectors import MeanDetector
from tests.stage import FAILURES, VIEWERS

HOUR = 3_600_000
START = 1_800_000_000_000 // HOUR * HOUR


class Service:
    """A service that reports every four hours, title by title."""

    def __init__(self, metric: str = FAILURES) -> None:
        self.catalogue, self.series, self.sequences = Catalogue(), SeriesTable(), SequenceTracker()
        rule = Rule("a", metric, Anomaly(1.0, ((), ("title",)), min_affected_views=20.0))
        self.pipeline = Pipeline(
            self.catalogue, self.series, [rule], [], "here", opens=MeanDetector
        )
        self.metric = self.catalogue.id_of(metric) or 0
        self.hour = 0

    @property
    def watch(self) -> LearnedWatch:
        (watch,) = self.pipeline.watches
        assert isinstance(watch, LearnedWatch)
        return watch

    def report(self, **values: float) -> None:
        """Report some titles, and let four hours pass."""
        rows = [
            self.series.intern(self.metric, canonical_dimensions({"title": title}))
            for title in values
        ]
        at, monotonic_ms = START + self.hour * HOUR, self.hour * HOUR
        batch = SampleBatch.of(rows, [at] * len(rows), list(values.values()), [500] * len(rows))
        self.pipeline.take(batch, Instant(at, monotonic_ms))
        self.pipeline.tick(Instant(at + 90_000, monotonic_ms + 90_000))
        self.hour += 4

    def days(self, count: int, **values: float) -> None:
        for _ in range(6 * count):
            self.report(**values)

    def titles(self) -> set[str]:
        watch = self.watch
        groups = [watch.groups.breakdowns(row) for row in watch.groups.live.tolist()]
        return {dict(one)["title"] for one in groups if one}

    def restarted(self) -> Service:
        parts = pack(copy_state(self.pipeline, self.sequences, self.catalogue), self.hour * HOUR)
        fresh = Service()
        fresh.hour = self.hour
        now = Instant(START + self.hour * HOUR, 0)
        assert restore(parts, now.at, fresh.pipeline, fresh.sequences, fresh.catalogue, now) == []
        return fresh


@pytest.mark.parametrize("metric", [FAILURES, VIEWERS])
def test_ever_changing_titles_take_no_more_room_than_those_of_nine_days(metric: str) -> None:
    service = Service(metric)
    for day in range(40):
        service.days(1, always=1.0, **{f"day-{day}": 1.0})

    assert len(service.watch.groups) < 16
    assert len(service.watch.groups.leaves) < 16
    assert sum(map(len, service.watch.groups.codes.values)) < 16
    assert {"always", "day-39", "day-33"} <= service.titles()
    assert "day-20" not in service.titles()


def test_a_row_starts_anew_with_its_next_group() -> None:
    service = Service()
    service.days(9, always=1.0, odd=80.0)
    service.days(9, always=1.0)
    service.report(always=1.0, fresh=2.0)
    service.report(always=1.0, fresh=2.0)

    watch = service.watch
    row = watch.groups.find((("title", "fresh"),))
    assert len(watch.groups) == 3
    assert watch.facts.intervals[row] < 3
    assert watch.groups.parents[row] == watch.groups.find(())
    (state,) = [one for one in group_states(watch) if one.breakdowns == (("title", "fresh"),)]
    assert state.state == "learning"
    assert watch.groups.find((("title", "odd"),)) == -1


def test_a_title_that_comes_back_is_watched_again() -> None:
    service = Service()
    service.days(9, always=1.0, show=1.0)
    service.days(9, always=1.0)
    assert "show" not in service.titles()
    service.days(1, always=1.0, show=1.0)

    assert "show" in service.titles()
    row = service.watch.groups.find((("title", "show"),))
    assert service.watch.facts.intervals[row] >= 5


def test_what_is_on_once_a_week_stays_known() -> None:
    service = Service()
    service.days(9, always=1.0)
    for _ in range(2):
        service.report(always=1.0, monday=1.0)
        service.days(7, always=1.0)

    assert "monday" in service.titles()


def test_an_outage_of_everything_makes_nobody_forgotten() -> None:
    service = Service()
    service.days(9, always=1.0, show=1.0)
    service.hour += 30 * 24
    service.days(2, always=1.0)
    assert "show" in service.titles()
    service.days(7, always=1.0)

    assert "show" not in service.titles()


def test_a_snapshot_keeps_what_is_free_and_what_is_not() -> None:
    service = Service()
    service.days(9, always=1.0, gone=1.0, other=1.0)
    service.days(9, always=1.0, other=1.0)
    again = service.restarted()

    assert again.titles() == {"always", "other"}
    row = again.watch.groups.find((("title", "other"),))
    assert again.watch.facts.intervals[row] == service.watch.facts.intervals[row]
    (state,) = rule_states(again.pipeline, [], START + again.hour * HOUR)
    assert state.groups == 3
    again.report(always=1.0, other=1.0, fresh=1.0)
    assert again.titles() == {"always", "other", "fresh"}
    assert len(again.watch.groups) == 4


def test_a_group_with_an_open_incident_is_kept() -> None:
    service = Service()
    service.days(9, always=1.0, bad=1.0)
    watch = service.watch
    row = watch.groups.find((("title", "bad"),))
    watch.phases.reopen(row, 0, 50.0, START)
    kept = np.zeros(len(watch.groups), np.bool_)
    kept[watch.phases.active()] = True
    given = watch.groups.give_up(np.ones(len(watch.groups.leaves), np.bool_), kept)

    assert row not in given.groups
    assert watch.groups.find((("title", "bad"),)) == row
    assert watch.groups.find(()) != -1


def test_a_trace_is_of_its_group_whoever_has_its_row() -> None:
    service, traces = Service(), Traces()

    def days(count: int, **values: float) -> None:
        for _ in range(6 * count):
            service.report(**values)
            now = Instant(START + service.hour * HOUR, service.hour * HOUR)
            traces.look(service.pipeline, now, Step())

    def seen(title: str) -> tuple[set[float], int]:
        times, values = traces.points("a", (("title", title),))
        known = np.isfinite(values)
        return set(np.array(values)[known].tolist()), int(np.array(times)[known].min())

    days(9, always=1.0, odd=8.0)
    row = service.watch.groups.find((("title", "odd"),))
    days(9, always=1.0)
    taken = service.hour
    days(1, always=1.0, fresh=2.0)
    assert service.watch.groups.find((("title", "fresh"),)) == row

    assert seen("odd")[0] == {8.0}
    assert seen("fresh")[0] == {2.0}
    assert seen("fresh")[1] > START + taken * HOUR
    assert seen("always")[0] == {1.0}
    assert all(at > START + taken * HOUR for at, _ in traces.normal("a", (("title", "fresh"),)))
