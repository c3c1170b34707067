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
from playwatch.core.rules import Anomaly, NoData, NoDataPolicy, Rule
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import NEVER, SeriesTable
from playwatch.core.snapshots import copy_state, pack, restore
from playwatch.runtime.departing import Departing
from playwatch.runtime.model_states import learned_of
from playwatch.runtime.series_index import SeriesIndex
from playwatch.runtime.standings import states_of
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
        self.departing.look(self.pipeline, self.intake, Instant(self.at, self.monotonic_ms))

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


def test_titles_that_find_no_room_are_a_sign_that_the_others_are_gone() -> None:
    site = Site(
        Rule("a", FAILURES, Anomaly(1.0, ((), ("title",)), min_affected_views=1.0)),
        a_rule(by=("title",)),
        limit=2,
    )
    site.days(1, "first", "second")
    for day in range(8):
        assert site.send(f"day-{day}") == ["series_limit"]
        site.days(1, f"day-{day}")
    site.days(1, "new")

    assert site.titles() == ["new"]
    site.days(2, "new", "other")
    assert site.titles() == ["new", "other"]
    (watch,) = learned_of(site.pipeline)
    assert watch.groups.find((("title", "other"),)) >= 0


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


def stances(site: Site, rule: str = "failures") -> dict[str, int]:
    found = states_of(site.pipeline.watches)
    return {state: count for name, state, count in found if name == rule and count}


def test_groups_of_the_past_make_room_too() -> None:
    site = Site(a_rule(by=("title",)), a_rule("> 5", name="viewers", metric=VIEWERS, by=("title",)))
    for day in range(40):
        site.days(1, "always", f"day-{day}")
        site.send(f"day-{day}", metric=VIEWERS)

    for watch in site.pipeline.thresholds:
        assert len(watch.groups) < 16
        assert ("day-39",) in watch.groups.keys
        assert watch.groups.row_of(("day-20",)) is None
    assert stances(site) == {"normal": 10}


def test_a_group_begins_anew_with_its_next_title() -> None:
    site = Site(a_rule(by=("title",)))
    site.send("gone", "always")
    site.days(9, "always")
    (watch,) = site.pipeline.thresholds
    assert stances(site) == {"normal": 1}
    site.read(sample("new", 9.0))

    assert len(watch.groups) == 2
    assert watch.groups.row_of(("new",)) == 0
    (incident,) = site.pipeline.open_incidents
    assert incident.breakdowns == (("title", "new"),)
    assert (incident.measured_value, incident.sample_size) == (9.0, 100)
    assert stances(site) == {"normal": 1, "open": 1}


def test_a_group_with_an_incident_or_an_alarm_to_give_is_kept() -> None:
    silence = NoData(NoDataPolicy.OPEN, 10.0 * 86_400)
    rules = (
        a_rule(by=("title",), expire_after_s=20.0 * 86_400),
        a_rule("> 50", name="silence", by=("title",), no_data=silence),
    )
    site = Site(*rules)
    site.send("quiet")
    site.read(sample("bad", 9.0))
    site.days(9, "always")

    failures, silent = site.pipeline.thresholds
    assert sorted(failures.groups.keys.of(failures.groups.live)) == [("always",), ("bad",)]
    assert len(silent.groups.live) == 3
    site.days(1, "always")
    site.sleep(8 * HOUR)
    opened = {(one.rule, one.breakdowns[0][1]) for one in site.pipeline.open_incidents}
    assert opened == {("failures", "bad"), ("silence", "bad"), ("silence", "quiet")}


def test_a_new_group_has_nothing_of_the_one_whose_row_it_takes() -> None:
    silence = NoData(NoDataPolicy.OPEN, 3600.0)
    rules = (
        a_rule("> 50", by=("title",), no_data=silence, expire_after_s=7200.0),
        a_rule("< 5", name="sums", metric="ad_error_count", by=("title",), window_s=600.0),
    )
    site = Site(*rules)
    site.send("gone")
    site.send("gone", metric="ad_error_count")
    site.days(9, "always")
    failures, sums = site.pipeline.thresholds
    site.send("new", metric="ad_error_count")
    site.sleep(60_000)
    site.send("new", metric="ad_error_count")
    assert sums.groups.row_of(("new",)) == 0
    assert not sums.open  # its window is not whole, as that of the old one was

    site.send("new")
    site.sleep(HOUR + 60_000)

    assert failures.groups.row_of(("new",)) == 0
    assert failures.open[0].is_silence  # the old one had been silent for too long to tell


def test_groups_survive_a_restart_without_those_that_are_gone() -> None:
    rules = (
        a_rule(by=("title", "cdn")),
        a_rule("> 500", name="viewers", metric=VIEWERS, by=("title",), window_s=3.0 * 86_400),
    )
    site = Site(*rules)
    site.send("gone", metric=VIEWERS)
    site.send("gone", "always", "show")
    for _ in range(10):
        site.days(1, "always", "show")
        site.send("always", metric=VIEWERS)
    site.read(sample("show", 9.0))
    before = [watch.groups.keys.of(watch.groups.live) for watch in site.pipeline.thresholds]
    site.restart()

    failures, viewers = site.pipeline.thresholds
    assert [list(one) for one in before] == [list(failures.groups.keys), list(viewers.groups.keys)]
    assert failures.groups.row_of(("gone", "")) is None
    row = failures.groups.row_of(("show", ""))
    assert row is not None
    assert failures.values(np.array([row], np.int32), site.monotonic_ms).tolist() == [9.0]
    rows = np.arange(len(viewers.groups), dtype=np.int32)
    assert viewers.values(rows, site.monotonic_ms).tolist() == [1.0]


def sample(title: str, value: float) -> bytes:
    one = {"metric": FAILURES, "value": value, "views": 100, "dimensions": {"title": title}}
    return json.dumps(one).encode()
