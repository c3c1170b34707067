"""What learned rules saw and took for normal, interval by interval."""

from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.core.metrics import Catalogue
from playwatch.runtime import trails as module
from playwatch.runtime.history import HistoryKeeper, is_of_rule
from playwatch.runtime.past import Past
from playwatch.runtime.readings import Readings
from playwatch.runtime.trails import SLOTS, Trail
from playwatch.store.history import History
from tests.fakes import HandClock
from tests.unit.test_learned import Fleet, learned

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.core.pipeline import Pipeline

MINUTE_MS = 60_000
FASTLY = (("cdn", "fastly"),)


class Watched(Fleet):
    """A fleet whose trails are followed, as an engine does each second."""

    def __init__(self) -> None:
        super().__init__(learned())
        self.catalogue = Catalogue()
        self.readings = Readings(lambda: self.pipeline.watches, HandClock())

    def minute(self, bad: dict[str, str] | None = None, value: float = 30.0) -> list[str]:
        words = super().minute(bad, value)
        self.readings.trails.follow(self.pipeline.watches, self.at)
        return words

    def trail(self, group: tuple[tuple[str, str], ...] = FASTLY) -> Trail:
        return self.readings.trails.of_group("failures", group)


@pytest.fixture
def fleet() -> Watched:
    fleet = Watched()
    fleet.warm_up()
    return fleet


def test_a_trail_has_each_closed_interval_with_what_was_normal_then(fleet: Watched) -> None:
    before = len(fleet.trail().times)
    fleet.minute({"cdn": "fastly"})
    fleet.minute()
    trail = fleet.trail()

    assert len(trail.times) == before + 2
    assert {later - at for at, later in zip(trail.times, trail.times[1:], strict=False)} == {
        MINUTE_MS
    }
    assert trail.value[-2:] == pytest.approx([30.0, 1.0])
    assert trail.expected[-2:] == pytest.approx([1.0, 1.0])
    assert trail.low[-2] < 1.0 < trail.high[-2] < 30.0
    assert fleet.readings.trails.of_group("failures", (("cdn", "none"),)) == Trail()
    assert fleet.readings.trails.of_group("unknown", FASTLY) == Trail()


def test_a_trail_forgets_its_oldest_intervals(fleet: Watched) -> None:
    for _ in range(SLOTS + 5):
        fleet.minute()
    trail = fleet.trail()

    assert len(trail.times) == SLOTS
    assert trail.times == sorted(trail.times)
    assert trail.times[-1] - trail.times[0] == (SLOTS - 1) * MINUTE_MS


def test_a_group_with_an_incident_takes_the_place_of_one_without(
    fleet: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 2)
    fleet.readings = Readings(lambda: fleet.pipeline.watches, HandClock())
    fleet.minute()
    fleet.minute()
    groups = ((), FASTLY, (("cdn", "akamai"),), (("country", "DE"),), (("country", "SE"),))
    assert sum(bool(fleet.trail(group).times) for group in groups) == 2

    fleet.minute({"country": "SE", "cdn": "fastly"})
    fleet.minute({"country": "SE", "cdn": "fastly"})
    told = {one.breakdowns for one in fleet.open_ones()}
    assert len(told) >= 2
    assert {group for group in groups if fleet.trail(group).times} <= told


def test_a_rule_that_is_gone_leaves_its_places_to_others(fleet: Watched) -> None:
    fleet.readings.trails.follow([], fleet.at)

    assert fleet.watch().facts.follower is None
    assert fleet.trail() == Trail()
    fleet.minute()
    fleet.minute()
    assert len(fleet.trail().times) == 1


def test_what_is_written_down_is_each_interval_once(fleet: Watched) -> None:
    first = fleet.readings.trails.unwritten(fleet.at)
    again = fleet.readings.trails.unwritten(fleet.at)
    fleet.minute()
    then = fleet.readings.trails.unwritten(fleet.at)

    assert set(first.names) >= {("failures", ()), ("failures", FASTLY)}
    assert len(first.minute) == len(first.names) * len(fleet.trail().times[:-1])
    assert (len(again.minute), again.names) == (0, [])
    assert set(then.minute) == {fleet.trail().times[-1] // MINUTE_MS - 1}
    assert then.columns["expected"] == pytest.approx([1.0] * len(then.names))


def test_intervals_shorter_than_a_minute_leave_the_last_of_each(fleet: Watched) -> None:
    trails = fleet.readings.trails
    trails.unwritten(fleet.at)
    facts = fleet.watch().facts
    row = fleet.watch().groups.find(FASTLY)
    for second in range(0, 120, 5):
        facts.judged_at[row] = 10**12 // MINUTE_MS * MINUTE_MS + 1000 * (second + 5)
        facts.value[row] = second
        assert facts.follower is not None
        facts.follower(np.array([row], np.int32))
    found = trails.unwritten(fleet.at)

    assert found.columns["value"].tolist() == [55.0, 115.0]
    assert found.minute.tolist() == [10**12 // MINUTE_MS, 10**12 // MINUTE_MS + 1]


class Engine:
    """What a history's keeper needs of an engine."""

    def __init__(self, fleet: Watched) -> None:
        self._fleet = fleet
        self.catalogue = fleet.catalogue

    @property
    def pipeline(self) -> Pipeline:
        return self._fleet.pipeline


async def test_a_trail_that_was_written_down_outlives_the_engine(
    fleet: Watched, tmp_path: Path
) -> None:
    fleet.minute({"cdn": "fastly"})
    whole = fleet.trail()
    with closing(History.open(tmp_path / "history.db")) as history:
        await HistoryKeeper(history, Engine(fleet), fleet.readings, HandClock(), 86_400).flush()
        assert {is_of_rule(metric) for _, metric, _, _ in history.series()} == {True}
        fresh = Past(history, Readings(list, HandClock()))
        until_at = whole.times[-1] + MINUTE_MS
        kept, none = await fresh.of_learned("failures", [FASTLY, (("cdn", "x"),)], 0, until_at)
        both = Past(history, fleet.readings)
        (same,) = await both.of_learned("failures", [FASTLY], whole.times[5], until_at)

    assert none == Trail()
    assert kept.times == whole.times
    for name in ("value", "expected", "low", "high"):
        assert getattr(kept, name) == pytest.approx(getattr(whole, name), nan_ok=True)
    assert same == whole.since(whole.times[5], until_at)


def test_gaps_are_broken_and_normal_is_known_near_an_interval_only() -> None:
    ats = [0, 60_000, 600_000]
    trail = Trail(ats, [1.0, 2.0, 3.0], [1.0] * 3, [0.0] * 3, [2.0, 3.0, 4.0])
    broken = trail.broken(180_000)

    assert broken.times == [0, 60_000, 60_001, 600_000]
    assert math.isnan(broken.high[2])
    near, far, late = trail.normal_at([30_000, 100_000, 700_000], 60_000)
    assert near == (0.0, 3.0)
    assert all(math.isnan(edge) for edge in (*far, *late))
