"""The history in a real file: written, read, made smaller, expired, refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.core.metrics import Catalogue, Merge
from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.errors import StoreError, StoreVersionError
from playwatch.runtime.history import HistoryKeeper, rule_metric
from playwatch.runtime.readings import Readings
from playwatch.store.history import History
from playwatch.store.history_blocks import Rows
from playwatch.store.history_check import check_history, is_history
from playwatch.store.migrate import prepare
from tests.fakes import HandClock
from tests.integration.test_engine import ready, sample, send, settings_in
from tests.stage import FAILURES, VIEWERS, a_rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTE_MS = 60_000
NAMES = [canonical_dimensions({"country": f"c{number}"}) for number in range(600)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    with closing(History.open(path)) as history:
        yield history


def test_what_is_written_is_read_again_also_by_another(path: Path, history: History) -> None:
    ids = history.ids(FAILURES, Merge.MEAN, NAMES)
    assert ids == history.ids(FAILURES, Merge.MEAN, NAMES)
    for minute in (100, 101, 102):
        history.write(Rows.of(ids, np.full(600, minute), np.arange(600) + minute, np.full(600, 9)))
    with closing(History.open(path, read_only=True)) as other:
        found = other.read([ids[1], ids[500]], Merge.MEAN, 101, 200)
        known = other.find(FAILURES, [NAMES[7], b"unknown"])

    assert found.series.tolist() == [ids[1], ids[1], ids[500], ids[500]]
    assert found.minute.tolist() == [101, 102, 101, 102]
    assert found.value.tolist() == [102.0, 103.0, 601.0, 602.0]
    assert known == {NAMES[7]: ids[7]}
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_hour_is_made_one_block_and_reads_the_same(path: Path, history: History) -> None:
    means = history.ids(FAILURES, Merge.MEAN, NAMES[:10])
    sums = history.ids("views", Merge.SUM, NAMES[:10])
    for minute in range(120, 190):
        for value in (1.0, 3.0):
            history.write(Rows.of(means, np.full(10, minute), np.full(10, value), np.full(10, 2)))
            history.write(Rows.of(sums, np.full(10, minute), np.full(10, value), np.full(10, 2)))
    before = history.read(means, Merge.MEAN, 0, 10**6), history.read(sums, Merge.SUM, 0, 10**6)

    assert history.compact(180) == 1
    after = history.read(means, Merge.MEAN, 0, 10**6), history.read(sums, Merge.SUM, 0, 10**6)
    for old, new in zip(before, after, strict=True):
        assert old.value.tolist() == new.value.tolist()
        assert old.minute.tolist() == new.minute.tolist()
    assert set(after[1].value.tolist()) == {4.0}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM blocks WHERE is_hour").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM blocks").fetchone() == (1 + 2 * 2 * 10,)
    assert history.compact(180) == 0


def test_what_is_too_old_is_removed(history: History) -> None:
    ids = history.ids(FAILURES, Merge.MEAN, NAMES[:1])
    for minute in (10, 20, 30):
        history.write(Rows.of(ids, [minute], [1.0], [1]))

    assert history.expire(20) == 1
    assert history.span() == (20, 30)


def test_a_damaged_block_costs_its_minutes_only(path: Path, history: History) -> None:
    ids = history.ids(FAILURES, Merge.MEAN, NAMES[:1])
    for minute in (10, 11):
        history.write(Rows.of(ids, [minute], [1.0], [1]))
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE blocks SET body = x'00' WHERE first = 10")
        database.commit()

    assert history.read(ids, Merge.MEAN, 0, 100).minute.tolist() == [11]


def test_a_check_tells_what_is_kept_and_which_blocks_are_damaged(path: Path) -> None:
    with closing(History.open(path)) as history:
        ids = history.ids(FAILURES, Merge.MEAN, NAMES[:2])
        for minute in (10, 11):
            history.write(Rows.of(ids, [minute] * 2, [1.0] * 2, [1] * 2))
    found = check_history(path)
    assert (found.series, found.blocks, found.problems) == (2, 2, ())
    assert (found.first_minute, found.last_minute) == (10, 11)
    assert is_history(path)

    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE blocks SET body = x'00' WHERE first = 10")
        database.commit()
    (problem,) = check_history(path).problems
    assert "block 1 cannot be read" in problem
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    assert check_history(path).problems


def test_what_is_no_history_is_not_taken_for_one(tmp_path: Path) -> None:
    store, text = tmp_path / "store.db", tmp_path / "notes.txt"
    prepare(store)
    text.write_text("short")
    assert not any(is_history(one) for one in (store, text, tmp_path / "missing", tmp_path))
    with pytest.raises(StoreError, match="another program"):
        check_history(store)
    with pytest.raises(StoreError, match="not a history"):
        check_history(text)
    with pytest.raises(StoreError, match="does not exist"):
        check_history(tmp_path / "missing")


def test_other_files_and_newer_ones_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database" * 100)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE things (a)")
    newer = tmp_path / "newer.db"
    History.open(newer).close()
    with closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA user_version = 99")

    for path, error in ((text, StoreError), (other, StoreError), (newer, StoreVersionError)):
        with pytest.raises(error):
            History.open(path)
    with pytest.raises(StoreError, match="does not exist"):
        History.open(tmp_path / "missing.db", read_only=True)


class Site:
    """A pipeline, its keeper, and samples that reach both."""

    def __init__(self, history: History) -> None:
        self.catalogue = Catalogue()
        rules = [a_rule(by=("country",))]
        self.pipeline = Pipeline(self.catalogue, SeriesTable(), rules, [], "here")
        self.clock = HandClock()
        self.readings = Readings(lambda: self.pipeline.thresholds, self.clock)
        self.keeper = HistoryKeeper(history, self, self.readings, self.clock, 7 * 86_400)
        self.history = history

    def send(self, metric: str, country: str, *samples: tuple[int, float, int]) -> None:
        number = self.catalogue.id_of(metric)
        assert number is not None
        row = self.pipeline.series.intern(number, canonical_dimensions({"country": country}))
        at, values, views = zip(*samples, strict=True)
        batch = SampleBatch.of([row] * len(samples), at, values, views)
        self.pipeline.take(batch, Instant(self.clock.wall_ms(), self.clock.monotonic_ms()))
        assert self.pipeline.settled is not None
        self.keeper.count(self.pipeline.settled)

    def read(self, metric: str, country: str, merge: Merge) -> list[tuple[int, float, int]]:
        name = canonical_dimensions({"country": country})
        (one,) = self.history.find(metric, [name]).values()
        rows = self.history.read([one], merge, 0, 10**9)
        return list(
            zip(rows.minute.tolist(), rows.value.tolist(), rows.views.tolist(), strict=True)
        )


async def test_what_comes_in_a_row_that_was_given_up_is_kept_as_its_new_series(
    history: History,
) -> None:
    site = Site(history)
    at, row = site.clock.wall_ms(), np.zeros(1, np.intp)
    site.send(FAILURES, "SE", (at, 2.0, 100))
    await site.keeper.flush()
    site.pipeline.lookout.forget(row)
    site.pipeline.series.give_up(row)
    site.keeper.forget(row)
    site.send(FAILURES, "NO", (at, 3.0, 100))
    await site.keeper.flush()

    minute = at // MINUTE_MS
    assert len(site.pipeline.series) == 1
    assert site.read(FAILURES, "SE", Merge.MEAN) == [(minute, 2.0, 100)]
    assert site.read(FAILURES, "NO", Merge.MEAN) == [(minute, 3.0, 100)]


async def test_samples_become_one_value_a_minute(history: History) -> None:
    site = Site(history)
    at = site.clock.wall_ms()
    minute = at // MINUTE_MS
    site.send(FAILURES, "SE", (at, 2.0, 100), (at + 1, 4.0, 300))
    site.send(FAILURES, "SE", (at + MINUTE_MS, 9.0, 10))
    site.send("views", "SE", (at, 5.0, 1), (at + 1, 6.0, 1))
    site.send(VIEWERS, "SE", (at, 500.0, 500), (at + 1, 400.0, 400))
    await site.keeper.flush()
    # Late, for a minute that is written already, and far older than the rest.
    site.send(FAILURES, "SE", (at + 2, 10.5, 200), (at - 30 * MINUTE_MS, 1.0, 1))
    await site.keeper.flush()

    assert site.read(FAILURES, "SE", Merge.MEAN) == [
        (minute - 30, 1.0, 1),
        (minute, pytest.approx((200 + 1200 + 2100) / 600), 600),
        (minute + 1, 9.0, 10),
    ]
    assert site.read("views", "SE", Merge.SUM) == [(minute, 11.0, 2)]
    assert site.read(VIEWERS, "SE", Merge.LATEST) == [(minute, 400.0, 400)]


async def test_a_replaced_sample_does_not_count_twice(history: History) -> None:
    site = Site(history)
    at = site.clock.wall_ms()
    site.send(FAILURES, "SE", (at, 2.0, 100))
    site.send(FAILURES, "SE", (at, 4.0, 100))
    site.send("views", "SE", (at, 5.0, 1))
    site.send("views", "SE", (at, 7.0, 1))
    await site.keeper.flush()

    assert [value for _, value, _ in site.read(FAILURES, "SE", Merge.MEAN)] == [4.0]
    assert [value for _, value, _ in site.read("views", "SE", Merge.SUM)] == [7.0]


async def test_what_a_rule_saw_of_its_groups_is_kept_too(history: History) -> None:
    site = Site(history)
    at = site.clock.wall_ms()
    site.send(FAILURES, "SE", (at, 2.0, 100))
    site.readings.look()
    await site.keeper.flush()

    ((minute, value, _),) = site.read(rule_metric("failures"), "SE", Merge.LATEST)
    assert (minute, value) == (at // MINUTE_MS - 1, 2.0)


async def test_an_engine_writes_each_minute_and_the_rest_when_it_stops(tmp_path: Path) -> None:
    clock = HandClock()
    path = tmp_path / "playwatch-history.db"
    async with ready(settings_in(tmp_path), clock) as engine:
        await send(engine, sample(2.0, "SE"))
        first = clock.wall_ms() // MINUTE_MS
        for _ in range(70):
            await clock.advance(1)
        await send(engine, sample(3.0, "SE"))
    with closing(History.open(path, read_only=True)) as history:
        (one,) = history.find(FAILURES, [canonical_dimensions({"country": "SE"})]).values()
        rows = history.read([one], Merge.MEAN, 0, 10**9)

    assert rows.minute.tolist() == [first, first + 1]
    assert rows.value.tolist() == [2.0, 3.0]
