"""Series that nobody hears of any more make room for new ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.codecs import CODECS
from playwatch.codecs.packed_writer import encode
from playwatch.core.departures import AT_ONCE
from playwatch.core.intake import Intake
from playwatch.core.key_tables import KeyTables
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import Anomaly, Rule
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import NEVER, SeriesTable
from playwatch.core.snapshots import copy_state, pack, restore
from playwatch.runtime.departing import Departing
from playwatch.runtime.model_states import learned_of
from playwatch.runtime.series_index import SeriesIndex
from playwatch.telemetry import Telemetry
from tests.detectors import MeanDetector
from tests.stage import FAILURES, VIEWERS, a_rule

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken

START = 1_800_000_000_000
HOUR, DAY = 3_600_000, 86_400_000
KEYS = [(FAILURES, {"title": "always"}), (FAILURES, {"title": "show"})]


class Site:
    """An engine's core behind its codecs, and hours that pass."""

    def __init__(self, *rules: Rule, limit: int = 200_000) -> None:
        self.rules, self.limit = rules, limit
        self.telemetry = Telemetry()
        self.departing = Departing(self.telemetry)
        self.gone: list[int] = []
        self.departing.forget = lambda rows: self.gone.extend(rows.tolist())
        self.at, self.monotonic_ms = START, 0
        self.begin()

    def begin(self) -> None:
        self.catalogue, self.series = Catalogue(), SeriesTable(self.limit)
        self.sequences, self.tables = SequenceTracker(), KeyTables()
        self.pipeline = Pipeline(
            self.catalogue, self.series, self.rules, [], "here", opens=MeanDetector
        )
        self.intake = Intake(self.catalogue, self.series, self.sequences, tables=self.tables)

    def read(self, payload: bytes, codec: str = "native") -> Intaken:
        now = Instant(self.at, self.monotonic_ms)
        self.intake.begin(now)
        self.intake.message("topic", codec)
        CODECS[codec](payload, self.intake)
        intaken = self.intake.finish()
        self.pipeline.take(intaken.batch, now)
        return intaken

    def send(self, *titles: str, metric: str = FAILURES) -> list[str]:
        """Report titles; return why some were refused."""
        samples = [
            {"metric": metric, "value": 1.0, "views": 9, "dimensions": {"title": title}}
            for title in titles
        ]
        return [one.reason.value for one in self.read(json.dumps(samples).encode()).rejections]

    def numbers(self, *numbers: int, table: str = "t") -> list[tuple[str, int]]:
        """Report keys of a table; return the titles, and how many were refused."""
        which = np.array(numbers, np.uint32)
        payload = encode(None, np.ones(len(which)), source="edge", table=table, key=which)
        intaken = self.read(payload, "packed")
        rows = intaken.batch.series.tolist()
        titles = [self.series.dimensions(row)[0][1] for row in rows]
        return [(title, sum(intaken.rejected.values())) for title in titles]

    def announce(self, *keys: tuple[str, dict[str, str]], table: str = "t") -> None:
        self.read(encode(list(keys), source="edge", table=table), "packed")

    def sleep(self, ms: int) -> None:
        self.at += ms
        self.monotonic_ms += ms
        self.pipeline.tick(Instant(self.at, self.monotonic_ms))
        self.departing.look(self.pipeline, self.intake, self.monotonic_ms)

    def days(self, count: int, *titles: str) -> None:
        for _ in range(6 * count):
            self.send(*titles)
            self.sleep(4 * HOUR)

    def titles(self, metric: str = FAILURES) -> list[str]:
        index = SeriesIndex(self)
        found = index.listing(metric, index.rows(metric))
        return sorted(one.dimensions[0][1] for one in found)

    def restart(self) -> None:
        state = copy_state(self.pipeline, self.sequences, self.catalogue, self.tables)
        parts, now = pack(state, self.monotonic_ms), Instant(self.at, self.monotonic_ms)
        self.begin()
        core = (self.pipeline, self.sequences, self.catalogue, now, self.tables)
        assert restore(parts, now.at, *core) == []


def test_a_title_of_the_past_makes_room_for_a_new_one() -> None:
    site = Site(a_rule(by=("title",)), limit=2)
    site.send("always", "show")
    site.days(7, "always")
    assert site.send("new") == ["series_limit"]

    site.days(2, "always")

    assert site.titles() == ["always"]
    assert site.gone == [1]
    assert site.telemetry.counts()["playwatch_series_given_up_total"] == {"": 1.0}
    assert site.telemetry.counts()["playwatch_series"] == {"": 1.0}
    assert site.send("new") == []
    assert site.titles() == ["always", "new"]
    assert len(site.series) == 2


def test_ever_changing_titles_take_no_more_rows_than_those_of_nine_days() -> None:
    site = Site(a_rule(by=("title",)))
    for day in range(60):
        site.days(1, "always", f"day-{day}", f"metre-{day}")

    assert len(site.series) <= 1 + 2 * 10
    assert site.titles()[-1] == "metre-59"


def test_a_row_begins_anew_with_its_next_series() -> None:
    site = Site()
    site.send("always", "show")
    site.days(9, "always")

    assert site.series.newest_at[1] == NEVER
    assert np.isnan(site.series.newest_value[1])
    site.send("show")
    assert site.series.dimensions(1) == (("title", "show"),)
    assert site.series.newest_at[1] == site.at


def test_an_outage_of_everything_makes_nobody_forgotten() -> None:
    site = Site()
    site.days(2, "always", "show")
    site.sleep(30 * DAY)
    site.days(7, "always")
    assert site.titles() == ["always", "show"]
    site.days(2, "always")

    assert site.titles() == ["always"]


def test_what_a_learned_rule_knows_is_kept_until_the_rule_gives_it_up() -> None:
    rule = Rule("a", FAILURES, Anomaly(1.0, ((), ("title",)), min_affected_views=1.0))
    site = Site(rule, limit=3)
    site.days(1, "always", "show")
    (watch,) = learned_of(site.pipeline)
    leaf = watch.groups.leaves.index(1)
    while watch.groups.leaves[leaf] == 1:
        assert "show" in site.titles()
        site.days(1, "always")
    site.days(1, "always")

    assert site.titles() == ["always"]
    site.days(1, "always", "other")
    assert watch.groups.leaves[leaf] == 1
    assert watch.groups.find((("title", "other"),)) >= 0


def test_a_series_whose_latest_value_counts_is_kept() -> None:
    site = Site(a_rule("< 1", metric=VIEWERS, window_s=10.0 * 86_400))
    site.send("quiet", metric=VIEWERS)
    site.days(9, "always")
    assert site.titles(VIEWERS) == ["quiet"]

    site.days(3, "always")

    assert site.titles(VIEWERS) == []


def test_many_are_given_up_a_part_at_a_time() -> None:
    site = Site()
    site.send(*(f"title-{number}" for number in range(AT_ONCE + 7)))
    site.days(8, "always")
    site.sleep(HOUR)
    site.send("always")
    site.sleep(HOUR)
    assert site.series.live == 1 + 7

    site.sleep(61_000)

    assert site.series.live == 1
    site.send(*(f"new-{number}" for number in range(3)))
    assert site.gone[:3] == [0, 1, 2]
    assert site.series.dimensions(2) == (("title", "new-2"),)  # side by side, as they came


def test_a_restart_keeps_what_is_known_and_when_it_was_heard() -> None:
    site = Site(a_rule(by=("title",)), a_rule("< 1", name="viewers", metric=VIEWERS))
    site.send("gone", "always", "show")
    site.days(5, "always", "show")
    site.days(4, "always")
    site.restart()

    assert site.titles() == ["always", "show"]
    assert (site.series.live, len(site.series)) == (2, 2)
    site.days(5, "always")
    assert site.titles() == ["always"]
    assert site.titles("rebuffer_percentage") == []


def test_keys_of_a_table_have_a_row_again_when_they_are_spoken_of() -> None:
    site = Site(a_rule(by=("title",)))
    site.announce(*KEYS)
    assert site.numbers(0, 1) == [("always", 0), ("show", 0)]
    site.days(9, "always")
    assert site.titles() == ["always"]
    site.send("other")  # takes the row

    assert site.numbers(0) == [("always", 0)]
    assert site.titles() == ["always", "other"]
    assert site.numbers(1, 0, 1) == [("show", 0), ("always", 0), ("show", 0)]
    assert site.numbers(1) == [("show", 0)]
    assert site.titles() == ["always", "other", "show"]


def test_an_announcement_that_is_repeated_calls_nobody_back() -> None:
    site = Site()
    keys = (*KEYS, ("no_such_metric", {}))
    site.announce(*keys)
    site.days(9, "always")
    site.announce(*keys)

    assert site.titles() == ["always"]
    assert site.numbers(1) == [("show", 0)]


def test_a_key_without_a_row_finds_none_while_there_is_no_room() -> None:
    site = Site(limit=2)
    site.announce(*KEYS)
    site.numbers(0, 1)
    site.days(9, "always")
    site.send("other")
    assert site.numbers(0, 1) == [("always", 1)]

    site.days(9, "always")

    assert site.numbers(0, 1) == [("always", 0), ("show", 0)]


@pytest.mark.parametrize("table", ["t", "u"])
def test_keys_without_a_row_survive_a_restart(table: str) -> None:
    site = Site()
    site.announce(("views", {"title": "first"}), table="s")
    site.announce(*KEYS, table="t")
    site.announce(*KEYS[::-1], table="u")
    site.days(9, "always")
    site.restart()

    assert sorted(site.numbers(0, 1, table=table)) == [("always", 0), ("show", 0)]
    assert site.numbers(0, table="s") == [("first", 0)]
