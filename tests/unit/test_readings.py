"""What every rule last saw, for pages."""

from __future__ import annotations

import math

import numpy as np
import pytest

from playwatch.core.metrics import Catalogue
from playwatch.core.phases import Phase
from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.runtime import readings as module
from playwatch.runtime.readings import Readings
from tests.fakes import HandClock
from tests.stage import FAILURES, START, a_rule


class Bench:
    """A pipeline with readings, and samples that reach it at once."""

    def __init__(self, *triggers: str) -> None:
        rules = [
            a_rule(trigger, name=f"rule-{number}", by=("country",))
            for number, trigger in enumerate(triggers)
        ]
        self.catalogue = Catalogue()
        self.pipeline = Pipeline(self.catalogue, SeriesTable(), rules, [], "here")
        self.clock = HandClock(START)
        self.readings = Readings(lambda: self.pipeline.thresholds, self.clock)

    def send(self, **values: float) -> None:
        number = self.catalogue.id_of(FAILURES)
        assert number is not None
        rows = [
            self.pipeline.series.intern(number, canonical_dimensions({"country": country}))
            for country in values
        ]
        at = self.clock.wall_ms()
        batch = SampleBatch.of(
            rows, np.full(len(rows), at), list(values.values()), np.full(len(rows), 100)
        )
        self.pipeline.take(batch, Instant(at, self.clock.monotonic_ms()))


def test_a_rule_tells_its_groups_phases_and_the_one_nearest_to_its_bound() -> None:
    bench = Bench("> 5")
    bench.send(SE=1.0, DE=9.0, FR=4.0)
    bench.readings.look()
    (rule,) = bench.readings.of_rules()

    assert (rule.groups, rule.phases[Phase.OPEN], rule.phases[Phase.NORMAL]) == (3, 1, 2)
    assert rule.nearest is not None
    assert rule.nearest.group == (("country", "DE"),)
    assert rule.nearest.margin == pytest.approx(-4.0)
    assert rule.nearest.incident is not None


async def test_groups_come_by_how_near_they_are_and_by_their_text() -> None:
    bench = Bench("> 5", "< 3")
    bench.send(SE=1.0, DE=9.0, FR=4.0)
    bench.readings.look()

    above = await bench.readings.of_groups("rule-0", 10)
    below = await bench.readings.of_groups("rule-1", 10)
    assert above is not None
    assert below is not None
    assert [one.group[0][1] for one in above] == ["DE", "FR", "SE"]
    assert [one.group[0][1] for one in below] == ["SE", "FR", "DE"]
    found = await bench.readings.of_groups("rule-0", 10, "f")
    assert found is not None
    assert [one.group[0][1] for one in found] == ["FR"]
    assert await bench.readings.of_groups("unknown", 10) is None


def test_the_recent_past_of_a_group_is_a_value_a_second() -> None:
    bench = Bench("> 5")
    for value in (1.0, 2.0, 3.0):
        bench.send(SE=value)
        bench.readings.look()
        bench.clock.step_wall(1)
    times, values = bench.readings.trace("rule-0", (("country", "SE"),))

    assert times == [START, START + 1000, START + 2000]
    assert values == pytest.approx([1.0, 1.5, 2.0])
    assert bench.readings.trace("rule-0", (("country", "XX"),)) == ([], [])


def test_the_past_of_many_groups_is_that_of_each_and_may_be_cut_short() -> None:
    bench = Bench("> 5")
    for number in range(6):
        bench.send(**{name: float(number) for name in ("SE", "DE", "FR")[: 1 + number // 2]})
        bench.readings.look()
        bench.clock.step_wall(1)
    groups = [(("country", name),) for name in ("FR", "XX", "SE", "DE")]

    together = bench.readings.traces("rule-0", groups)
    assert together == [bench.readings.trace("rule-0", group) for group in groups]
    assert [len(times) for times, _ in together] == [2, 0, 6, 4]
    newest = bench.readings.traces("rule-0", groups, 3)
    assert newest == [(times[-3:], values[-3:]) for times, values in together]
    assert bench.readings.traces("unknown", groups) == [([], [])] * 4
    assert bench.readings.traces("rule-0", []) == []


def test_a_rule_without_samples_has_no_value() -> None:
    bench = Bench("> 5")
    bench.readings.look()
    (rule,) = bench.readings.of_rules()

    assert (rule.groups, rule.nearest) == (0, None)


async def test_many_groups_are_read_in_turn_and_open_ones_each_time() -> None:
    bench = Bench("> 5")
    count = 2 * module.AT_ONCE + 10
    bench.send(**{f"c{number}": 1.0 for number in range(count - 1)}, last=9.0)
    bench.readings.look()
    first = await bench.readings.of_groups("rule-0", count)
    assert first is not None
    known = sum(not math.isnan(one.value) for one in first)
    assert module.AT_ONCE <= known <= module.AT_ONCE + 1
    assert first[0].group == (("country", "last"),)

    bench.readings.look()
    bench.readings.look()
    third = await bench.readings.of_groups("rule-0", count)
    assert third is not None
    assert all(not math.isnan(one.value) for one in third)


def test_a_rule_that_watches_something_else_forgets_what_was_read() -> None:
    bench = Bench("> 5")
    bench.send(SE=1.0)
    bench.readings.look()
    bench.pipeline.reload(
        bench.catalogue, [a_rule(name="rule-0", by=("cdn",))], [], [], Instant(START, 0)
    )
    bench.readings.look()

    assert bench.readings.of_rules()[0].nearest is None
    assert bench.readings.trace("rule-0", (("country", "SE"),)) != ([], [])


@pytest.mark.parametrize("limit", [0, 1, 4, 5, 6, 20])
async def test_the_nearest_are_chosen_as_if_all_were_sorted(limit: int) -> None:
    bench = Bench("> 50")
    bench.send(**{f"c{number}": float(number * 7 % 5) for number in range(12)})
    bench.readings.look()
    every = await bench.readings.of_groups("rule-0", 12)
    some = await bench.readings.of_groups("rule-0", limit)

    assert every is not None
    assert some == sorted(every, key=lambda one: one.margin)[:limit]
