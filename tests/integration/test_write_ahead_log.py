"""The log ahead of a store: emptied beside commits, bounded, and safe at any death."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Changes
from playwatch.runtime.housekeeping import tend
from playwatch.store.backup import back_up, check_store
from playwatch.store.sqlite import SqliteStore
from playwatch.store.write_ahead_log import Limits, WriteAheadLog, length_of
from playwatch.telemetry import Telemetry
from tests.fakes import HandClock
from tests.kit.stores import T0, an_incident

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

ROOT = Path(__file__).parents[2]
SMALL = Limits(enough=50, long=100, most=400)
PAGE = 4096

# A process that commits incidents for ever, saying which are durable, and empties its log
# over and over, beside them and between them.
COMMITTING = """
import asyncio, sys
from playwatch.core.deliveries import Changes
from playwatch.store.sqlite import SqliteStore
from playwatch.store.write_ahead_log import Limits
from tests.kit.stores import a_delivery, an_incident

async def tend(log):
    while True:
        await log.tend()
        await asyncio.sleep(0)

async def main(path, first):
    store = await SqliteStore.open(path)
    store.log.limits = Limits(10, 20, 60)
    tending = asyncio.create_task(tend(store.log))
    for number in range(first, 100_000):
        incident = an_incident(f"i{number}")
        await store.commit(Changes([incident], [a_delivery(incident)]))
        print(number, *(int(count) for _, count in store.log.attempts()), flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "playwatch.db"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[SqliteStore, WriteAheadLog]]:
    """Open a store whose limits are small."""
    store = await SqliteStore.open(path)
    try:
        assert store.log is not None
        store.log.limits = SMALL
        yield store, store.log
    finally:
        await store.close()


async def fill(store: SqliteStore, pages: int) -> None:
    """Write at least so many pages, in one commit."""
    silence = "INSERT INTO silences VALUES (NULL, ?, '[]', 0, 0, '', ?, 0)"
    row = (os.urandom(8).hex(), "x" * (pages * PAGE))
    await store._commits.write(lambda database: database.execute(silence, row).rowcount)


def pages_of(path: Path) -> int:
    return length_of(path.with_name(f"{path.name}-wal")).pages


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Look at the store from outside, in one long transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as outside:
        outside.execute("BEGIN")
        outside.execute("SELECT count(*) FROM incidents").fetchone()
        yield


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond what the store is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_the_log_is_begun_before_the_first_commit(path: Path) -> None:
    async with opened(path):
        assert pages_of(path) == 1


async def test_a_short_log_is_left_alone(path: Path) -> None:
    async with opened(path) as (store, log):
        await fill(store, SMALL.enough // 2)
        for _ in range(3):
            await log.tend()

        assert pages_of(path) > SMALL.enough // 2
        assert [count for _, count in log.attempts()] == [0, 0, 0, 0]


async def test_a_calm_moment_empties_it_and_begins_it_anew(path: Path) -> None:
    async with opened(path) as (store, log):
        await fill(store, SMALL.enough)
        await log.tend()
        assert pages_of(path) > SMALL.enough

        await log.tend()

        assert pages_of(path) == 1
        assert dict(log.attempts())["beside"] == 1
        size = path.with_name("playwatch.db-wal").stat().st_size
        await store.commit(Changes([an_incident()]))
        assert (
            path.with_name("playwatch.db-wal").stat().st_size == size
        )  # its blocks are used again
        assert [one.id for one in await store.open_incidents()] == ["a"]
    assert check_store(path).problems == ()


async def test_who_writes_without_pause_is_not_disturbed_before_the_log_is_long(
    path: Path,
) -> None:
    async with opened(path) as (store, log):
        while pages_of(path) < SMALL.long - 20:
            await fill(store, 10)
            await log.tend()
        assert dict(log.attempts())["beside"] == 0

        await fill(store, 20)
        await log.tend()
        assert dict(log.attempts())["beside"] == 1
        await fill(store, 1)

        assert pages_of(path) < 20  # all was copied, so the next commit began the log anew


async def test_a_log_is_not_copied_twice_before_something_was_written(path: Path) -> None:
    async with opened(path) as (store, log):
        await fill(store, SMALL.long)
        await log.tend()
        assert dict(log.attempts())["beside"] == 1

        await log.tend()

        assert dict(log.attempts())["beside"] == 1
        assert pages_of(path) == 1


async def test_a_very_long_log_is_emptied_between_two_commits(path: Path) -> None:
    async with opened(path) as (store, log):
        await fill(store, SMALL.most)

        await asyncio.gather(
            log.tend(), *(store.commit(Changes([an_incident(f"i{n}")])) for n in range(5))
        )
        await store.commit(Changes([an_incident("last")]))

        assert dict(log.attempts()) == {"beside": 0, "waited_for": 1, "held_up": 0, "failed": 0}
        assert pages_of(path) < SMALL.enough
        assert len(await store.open_incidents()) == 6


async def test_a_reader_holds_it_up_and_nobody_else(path: Path) -> None:
    async with opened(path) as (store, log):
        with reading(path):
            await fill(store, SMALL.enough * 2)
            for _ in range(2):
                await log.tend()
            await store.commit(Changes([an_incident()]))

            assert dict(log.attempts())["held_up"] == 1
            assert pages_of(path) > SMALL.enough
        for _ in range(10):
            await log.tend()

        assert pages_of(path) == 1
        assert [one.id for one in await store.open_incidents()] == ["a"]


async def test_a_full_disk_is_counted_and_tried_again(path: Path) -> None:
    async with opened(path) as (store, log):
        await fill(store, SMALL.enough)
        await log.tend()
        with full_disk(path):
            await log.tend()
        assert dict(log.attempts())["failed"] == 1
        assert log.state.trouble

        await store.commit(Changes([an_incident()]))
        for _ in range(40):
            await log.tend()

        assert (pages_of(path), log.state.trouble) == (1, "")
        assert [one.id for one in await store.open_incidents()] == ["a"]
    assert check_store(path).problems == ()


async def test_a_snapshot_waits_for_room_in_the_log(path: Path) -> None:
    parts = {"windows": os.urandom(SMALL.most * 3 * PAGE)}
    async with opened(path) as (store, log):
        await store.save_snapshot(parts, T0)

        size = path.with_name("playwatch.db-wal").stat().st_size
        assert size < SMALL.most * PAGE
        assert dict(log.attempts())["waited_for"] == 0
        assert await store.load_snapshot() == (parts, T0)


async def test_its_length_is_what_sqlite_says(path: Path) -> None:
    async with opened(path) as (store, _):
        for pages in (1, 70, 3, 200, 1):
            await fill(store, pages)
            with closing(sqlite3.connect(path)) as outside:
                said = outside.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
            assert pages_of(path) == said


def test_a_log_that_is_missing_or_cut_is_empty(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(b"7\x7f\x06\x82")
    assert length_of(tmp_path / "missing").pages == length_of(cut).pages == 0


async def test_a_backup_beside_it_is_whole(path: Path, tmp_path: Path) -> None:
    async with opened(path) as (store, log):
        copying = asyncio.create_task(asyncio.to_thread(back_up, path, tmp_path / "copy.db"))
        while not copying.done():
            await fill(store, SMALL.enough)
            await store.commit(Changes([an_incident(os.urandom(4).hex())]))
            await log.tend()

        assert (await copying).problems == ()


async def test_a_closed_store_is_tended_in_vain(path: Path) -> None:
    async with opened(path) as (store, log):
        await fill(store, SMALL.most)
    await log.tend()
    await log.make_room()

    assert log.size() == 0


async def test_the_engine_tends_it_and_tells(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, telemetry = HandClock(), Telemetry()
    async with opened(path) as (store, log):
        telemetry.tell_log(log.size, log.attempts)
        tending = asyncio.create_task(tend(log, clock))
        await fill(store, SMALL.long)
        with full_disk(path):
            await soon_tended(clock, lambda: log.state.failed == 1)
        await soon_tended(clock, lambda: log.state.beside == 1)
        tending.cancel()

        exposition = telemetry.exposition().decode()
    assert 'playwatch_store_log_copies_total{how="failed"} 1.0' in exposition
    assert 'playwatch_store_log_copies_total{how="beside"} 1.0' in exposition
    assert "playwatch_store_log_bytes " in exposition
    assert [line.levelname for line in caplog.records] == ["ERROR"]


async def soon_tended(clock: HandClock, is_done: Callable[[], bool]) -> None:
    """Let seconds pass until something is so."""
    while not is_done():
        await clock.advance(1.0)
        await asyncio.sleep(0.001)


def test_what_was_committed_survives_a_kill_while_the_log_is_emptied(path: Path) -> None:
    durable = -1
    for _ in range(3):
        command = [sys.executable, "-c", COMMITTING, str(path), str(durable + 1)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            number = durable
            for line in process.stdout:
                number, beside, waited_for, *_ = map(int, line.split())
                if beside + waited_for >= 20:
                    break
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                number = int(line.split()[0])
            durable = number
        found = check_store(path)
        assert found.problems == ()
        assert found.open_incidents >= durable + 1
