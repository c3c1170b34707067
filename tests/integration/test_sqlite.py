# ruff: noqa: ASYNC240 - a test's loop has nobody else to serve
from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Changes
from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import Severity
from playwatch.errors import StoreError, StoreLockedError, StoreVersionError
from playwatch.store.migrate import prepare, shipped_migrations
from playwatch.store.queries import QUERIES
from playwatch.store.sqlite import SqliteStore
from tests.fakes import HandClock
from tests.kit.stores import T0, a_delivery, an_incident

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]
NOBODY = 65534

# A second process with the store open: says so, then commits numbered incidents
# with two deliveries each for ever, saying which have been committed.
ENGINE = """
import asyncio, sys
from playwatch.core.deliveries import Changes
from playwatch.store.sqlite import SqliteStore
from tests.fakes import HandClock
from tests.kit.stores import a_delivery, an_incident

async def main(path, first, count):
    store = await SqliteStore.open(path, clock=HandClock())
    print("open", flush=True)
    for number in range(first, first + count):
        incident = an_incident(f"i{number}")
        deliveries = [a_delivery(incident), a_delivery(incident, channel="log")]
        await store.commit(Changes([incident], deliveries))
        print(number, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


@contextmanager
def an_engine(path: Path, first: int = 0, count: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Run another process on a store; killed at the end, whatever it does."""
    command = [sys.executable, "-c", ENGINE, str(path), str(first), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


@asynccontextmanager
async def opened(path: Path, *, read_only: bool = False) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, read_only=read_only)
    try:
        yield store
    finally:
        await store.close()


async def try_to_open(
    path: Path, *, clock: HandClock | None = None, read_only: bool = False
) -> None:
    """Open a store that should refuse; closed when it does not, so that its thread ends."""
    store = await SqliteStore.open(path, clock=clock, read_only=read_only)
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "playwatch.db"


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """Give a folder of an ordinary user, and be that user while a test runs."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    shipped_migrations()  # read while the source is in reach: it may lie in root's own folder
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def test_every_file_is_for_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(path) as store:
            await store.commit(Changes([an_incident()]))

            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)

    everything = ["playwatch.db", "playwatch.db-shm", "playwatch.db-wal", "playwatch.db.lock"]
    assert modes == dict.fromkeys(everything, 0o600)


async def test_what_was_committed_survives_a_restart(path: Path) -> None:
    async with opened(path) as store:
        name = await store.installation()
        incident = an_incident()
        await store.commit(Changes([incident], [a_delivery(incident)]))
        await store.save_snapshot({"windows": b"1"}, T0)

    async with opened(path) as store:
        assert await store.installation() == name
        assert [incident] == await store.open_incidents()
        assert [a_delivery(incident)] == await store.due("oncall", T0, 10, set())
        assert await store.load_snapshot() == ({"windows": b"1"}, T0)


async def test_closing_leaves_one_whole_file_and_its_lock_file(path: Path) -> None:
    async with opened(path) as store:
        await store.commit(Changes([an_incident()]))
        await store.close()

    assert names(path.parent) == {"playwatch.db", "playwatch.db.lock"}


async def test_a_closed_store_says_so(path: Path) -> None:
    async with opened(path) as store:
        await store.close()

        with pytest.raises(StoreError, match="is closed"):
            await store.open_incidents()


async def test_a_second_engine_is_told_who_holds_the_store(path: Path) -> None:
    with an_engine(path) as process:
        with pytest.raises(StoreLockedError) as caught:
            await try_to_open(path)

        holder = f"process {process.pid} on {socket.gethostname()} since 2027-01-15T08:00:00Z"
        assert caught.value.holder == holder
        assert caught.value.path == str(path)


async def test_a_second_name_of_the_file_is_locked_too(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    async with opened(path):
        with pytest.raises(StoreLockedError, match=f"process {os.getpid()} on"):
            await try_to_open(link)


async def test_the_lock_of_a_killed_engine_is_free(path: Path) -> None:
    with an_engine(path, count=1) as process:
        process.kill()
        process.wait()

    assert path.with_name("playwatch.db.lock").read_text()
    async with opened(path) as store:
        assert await store.incidents(IncidentQuery()) is not None


@pytest.mark.parametrize("content", ["", "garbage", '{"pid": "x"}'])
async def test_the_lock_file_of_another_time_is_no_obstacle(path: Path, content: str) -> None:
    path.with_name("playwatch.db.lock").write_text(content)

    async with opened(path):
        with pytest.raises(StoreLockedError, match=f"process {os.getpid()} on"):
            await try_to_open(path)


async def test_a_killed_engine_leaves_no_incident_without_its_deliveries(path: Path) -> None:
    first = 0
    for wait_for in (1, 17, 60):
        with an_engine(path, first, 100_000) as process:
            assert process.stdout is not None
            last = -1
            for _ in range(wait_for):
                last = int(process.stdout.readline())
            process.kill()
            process.wait()

        async with opened(path) as store:
            incidents = await store.incidents(IncidentQuery(limit=100_000))
            routed = await store.routed([incident.id for incident in incidents])
            assert len(routed) == 2 * len(incidents)
            assert {f"i{number}" for number in range(last + 1)} <= {
                incident.id for incident in incidents
            }
        first = len(incidents)


async def test_a_cancelled_commit_is_done_whole_or_not_at_all(path: Path) -> None:
    async with opened(path) as store:
        for number in range(40):
            incident = an_incident(f"i{number}")
            commit = asyncio.create_task(store.commit(Changes([incident], [a_delivery(incident)])))
            for _ in range(number % 4):
                await asyncio.sleep(0)
            commit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await commit

        incidents = await store.incidents(IncidentQuery())
        assert len(await store.routed([incident.id for incident in incidents])) == len(incidents)
        await store.commit(Changes([an_incident("after")]))


async def test_commits_at_once_are_all_kept(path: Path) -> None:
    async with opened(path) as store, asyncio.TaskGroup() as group:
        for number in range(50):
            incident = an_incident(f"i{number}")
            group.create_task(store.commit(Changes([incident], [a_delivery(incident)])))
        for _ in range(10):
            group.create_task(store.due("oncall", T0, 10, set()))
    async with opened(path) as store:
        assert len(await store.due("oncall", T0, 100, set())) == 50


async def test_a_failed_commit_leaves_the_store_usable(path: Path) -> None:
    async with opened(path) as store:
        for wrong in (an_incident("big", opened_at=2**70), an_incident("odd", rule="\ud800")):
            with pytest.raises(StoreError, match="cannot be written"):
                await store.commit(Changes([an_incident("with"), wrong]))

        await store.commit(Changes([an_incident()]))
        assert [an_incident()] == await store.open_incidents()


async def test_a_row_that_is_no_incident_is_told_once_and_mended_from_what_is_left(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    incident = an_incident(severity=Severity.ERROR)
    async with opened(path) as store:
        await store.commit(Changes([incident], [a_delivery(incident)]))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE incidents SET body = '{}'")
        assert await store.open_incidents() == [incident]

        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE incidents SET body = '{}'")
            other.execute("UPDATE deliveries SET incident = '{broken'")
        (delivery,) = await store.due("oncall", T0, 10, set())
        (again,) = await store.due("oncall", T0, 10, set())
        assert repr(again) == repr(delivery)

    assert delivery.dedup_key == incident.dedup_key
    assert delivery.incident.severity is Severity.ERROR
    assert delivery.incident.summary == (
        "playback-failures: what was measured is lost, the record was damaged"
    )
    assert caplog.text.count("cannot be read") == 2


async def test_a_snapshot_cut_short_does_not_count(path: Path) -> None:
    async with opened(path) as store:
        await store.save_snapshot({"windows": b"whole"}, T0)
        saving = asyncio.create_task(store.save_snapshot({"windows": bytes(9 << 20)}, T0 + 1))
        with closing(sqlite3.connect(path)) as other:
            for number in range(8):  # other work gets its turn between the pieces
                await store.commit(Changes([an_incident(f"i{number}")]))
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving
            (begun,) = other.execute("SELECT count(*) FROM snapshot_pieces").fetchone()
            assert 1 < begun < 36

            assert await store.load_snapshot() == ({"windows": b"whole"}, T0)
            await store.save_snapshot({"windows": b"next"}, T0 + 2)
            assert await store.load_snapshot() == ({"windows": b"next"}, T0 + 2)
            (left,) = other.execute("SELECT count(*) FROM snapshot_pieces").fetchone()
            assert left == 2


async def test_a_reader_sees_what_a_running_engine_commits(path: Path) -> None:
    async with opened(path) as engine, opened(path, read_only=True) as reader:
        for number in range(20):
            incident = an_incident(f"i{number}")
            commit = engine.commit(Changes([incident], [a_delivery(incident)]))
            _, seen = await asyncio.gather(commit, reader.open_incidents())
            assert len(seen) in {number, number + 1}
            assert len(await reader.open_incidents()) == number + 1
        assert await reader.installation() == await engine.installation()


async def test_a_reader_cannot_write(path: Path) -> None:
    async with opened(path), opened(path, read_only=True) as reader:
        with pytest.raises(StoreError, match="cannot be written"):
            await reader.commit(Changes([an_incident()]))


async def test_a_reader_leaves_no_file_beside_a_store_at_rest(path: Path) -> None:
    async with opened(path) as store:
        await store.commit(Changes([an_incident()]))
    before = names(path.parent)

    async with opened(path, read_only=True) as reader:
        assert [an_incident()] == await reader.open_incidents()
        assert names(path.parent) == before
    assert names(path.parent) == before


async def test_a_reader_sees_what_a_killed_engine_committed(path: Path) -> None:
    with an_engine(path, count=3) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "2\n":
            pass
        process.kill()
        process.wait()

    async with opened(path, read_only=True) as reader:
        assert len(await reader.open_incidents()) == 3


async def test_a_copy_with_its_log_alone_is_readable(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with opened(path) as store:
        await store.commit(Changes([an_incident()]))
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")

    async with opened(copy, read_only=True) as reader:
        assert [an_incident()] == await reader.open_incidents()


async def test_a_store_is_readable_in_a_folder_that_is_not_writable(plain_folder: Path) -> None:
    path = plain_folder / "odd name?#%41.db"
    async with opened(path) as store:
        await store.commit(Changes([an_incident()]))
    plain_folder.chmod(0o500)

    async with opened(path, read_only=True) as reader:
        assert [an_incident()] == await reader.open_incidents()


async def test_a_missing_store_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        await try_to_open(path, read_only=True)

    assert names(path.parent) == set()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"hello, I am no database\n" * 400, b"SQLite format 3\0" * 99])
async def test_a_file_that_is_no_database_is_refused(
    path: Path, content: bytes, *, read_only: bool
) -> None:
    path.write_bytes(content)

    with pytest.raises(StoreError, match="is not a store"):
        await try_to_open(path, read_only=read_only)

    assert path.read_bytes() == content


@pytest.mark.parametrize("read_only", [False, True])
async def test_the_database_of_another_program_is_left_alone(
    path: Path, *, read_only: bool
) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="another program"):
        await try_to_open(path, read_only=read_only)

    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
async def test_the_store_of_a_newer_version_is_refused(path: Path, *, read_only: bool) -> None:
    steps = shipped_migrations()
    newest = max(steps)
    prepare(path, {**steps, newest + 1: "CREATE TABLE later (a);"})

    with pytest.raises(StoreVersionError) as caught:
        await try_to_open(path, read_only=read_only)

    assert (caught.value.found, caught.value.known) == (newest + 1, newest)


async def test_a_migration_keeps_what_is_stored(path: Path) -> None:
    async with opened(path) as store:
        await store.commit(Changes([an_incident()]))

    steps = shipped_migrations()
    later = "ALTER TABLE incidents ADD COLUMN note TEXT;"
    prepare(path, {**steps, max(steps) + 1: later})

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id, note FROM incidents").fetchall() == [("a", None)]


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    steps = shipped_migrations()
    prepare(path)

    with pytest.raises(StoreError, match="no such table"):
        prepare(path, {**steps, max(steps) + 1: "CREATE TABLE later (a); DROP TABLE never;"})

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (max(steps),)
        assert not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'later'").fetchall()
    prepare(path)


async def test_a_store_of_an_older_version_must_be_updated_before_it_is_read(path: Path) -> None:
    path.touch()

    with pytest.raises(StoreError, match="start the engine once"):
        await try_to_open(path, read_only=True)


async def test_a_failed_open_frees_the_lock(path: Path) -> None:
    path.write_bytes(b"hello, I am no database\n" * 400)
    for _ in range(2):
        with pytest.raises(StoreError, match="is not a store"):
            await try_to_open(path)
    path.unlink()

    async with opened(path):
        pass


async def test_places_that_cannot_hold_a_store_are_named(path: Path) -> None:
    path.touch()
    for place in (path / "below.db", path.parent / "missing" / "a.db", path.parent):
        with pytest.raises(StoreError, match=str(place)):
            await try_to_open(place)
    with pytest.raises(StoreError, match="cannot be read"):
        await try_to_open(path.parent, read_only=True)


async def test_a_folder_or_file_that_is_not_writable_is_refused_at_the_start(
    plain_folder: Path,
) -> None:
    path = plain_folder / "playwatch.db"
    plain_folder.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        await try_to_open(path)

    plain_folder.chmod(0o700)
    async with opened(path):
        pass
    path.chmod(0o400)
    with pytest.raises(StoreError, match="readonly"):
        await try_to_open(path)


async def test_since_when_is_left_out_without_a_clock(path: Path) -> None:
    async with opened(path):
        with pytest.raises(StoreLockedError) as caught:
            await try_to_open(path, clock=HandClock())

        assert caught.value.holder == f"process {os.getpid()} on {socket.gethostname()}"


def test_no_query_reads_a_whole_table_or_sorts_the_outbox(path: Path) -> None:
    prepare(path)
    with closing(sqlite3.connect(path)) as database:
        for query in QUERIES.values():
            asked = dict.fromkeys(re.findall(r":(\w+)", query.sql), "[]")
            plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query.sql}", asked)]
            for step in plan:
                for table in ("incidents", "deliveries", "attempts", "head", "older"):
                    assert step != f"SCAN {table}", query.name
            if query.name in {"due", "next_due_at"}:
                assert not any("TEMP B-TREE" in step for step in plan), plan
