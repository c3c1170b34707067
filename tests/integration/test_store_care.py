"""Backups and retention of a real store, in use and not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playwatch.core.audit import AuditEntry
from playwatch.core.decisions import Remark, RemarkKind
from playwatch.core.deliveries import Changes, DeliveryStatus
from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery
from playwatch.errors import StoreError
from playwatch.ports import AttemptRecord, AuditQuery
from playwatch.store.backup import back_up, check_store
from playwatch.store.keyring import ring_path
from playwatch.store.retention import Limits, remove_old
from playwatch.store.sqlite import SqliteStore
from tests.kit.stores import T0, a_delivery, an_incident

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.core.incidents import Incident

DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "playwatch.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    yield store
    await store.close()


def draft_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.draft")


def ended(number: int, at: int) -> Incident:
    incident = an_incident(id=f"{number:012x}", incident_key=f"{number:064x}", opened_at=at)
    return incident.ended(
        Status.CLOSED, reason="over", resolved_at=at + 1, ended_at=at + 2, value=1.0
    )


async def test_a_backup_may_be_named_as_seen_from_the_working_folder(
    store: SqliteStore, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(Changes([an_incident()]))
    monkeypatch.chdir(tmp_path)

    assert back_up(path, Path("copy.db")).problems == ()
    assert check_store(Path("copy.db")).incidents == 1


async def test_a_store_in_use_is_copied_with_its_keys_and_the_copy_is_a_store(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await store.commit(Changes([an_incident()], [a_delivery(an_incident())]))
    ring_path(path).write_text("secrets")
    target = tmp_path / "copies" / "backup.db"
    target.parent.mkdir()
    back_up(path, target)
    found = back_up(path, target)  # over the one that is there, too

    assert (found.incidents, found.open_incidents, found.pending, found.problems) == (1, 1, 1, ())
    assert sorted(one.name for one in target.parent.iterdir()) == ["backup.db", "backup.db.keys"]
    assert ring_path(target).read_text() == "secrets"
    assert {one.stat().st_mode & 0o777 for one in target.parent.iterdir()} == {0o600}
    copy = await SqliteStore.open(target)
    assert [one.id for one in await copy.open_incidents()] == [an_incident().id]
    assert await copy.installation() == await store.installation()
    await copy.close()


async def test_a_backup_over_the_store_or_into_nowhere_is_refused(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    del store
    with pytest.raises(StoreError, match="is the store itself"):
        back_up(path, path)
    with pytest.raises(StoreError, match="cannot be written"):
        back_up(path, tmp_path / "missing" / "backup.db")
    with pytest.raises(StoreError, match="does not exist"):
        back_up(tmp_path / "other.db", tmp_path / "backup.db")


async def test_a_spoilt_store_is_found_and_no_backup_replaces_a_good_one(
    path: Path, tmp_path: Path
) -> None:
    store = await SqliteStore.open(path)
    await store.commit(Changes([ended(number, T0) for number in range(300)]))
    await store.close()
    target = tmp_path / "backup.db"
    back_up(path, target)
    good = target.read_bytes()
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 8 * 4096)

    assert check_store(path).problems
    with pytest.raises(StoreError):
        back_up(path, target)
    assert target.read_bytes() == good
    assert not draft_of(target).exists()


async def test_what_ended_long_ago_goes_and_what_is_open_or_unsent_stays(
    store: SqliteStore, path: Path
) -> None:
    old, new = ended(1, T0 - 10 * DAY_MS), ended(2, T0)
    unsent = ended(3, T0 - 10 * DAY_MS)
    still_open = an_incident(
        id="4" * 12, incident_key="4" * 64, opened_at=T0 - 10 * DAY_MS, started_at=T0 - 10 * DAY_MS
    )
    sent = replace(a_delivery(old), status=DeliveryStatus.SENT)
    await store.commit(Changes([old, new, unsent, still_open], [sent, a_delivery(unsent)]))
    await store.record([AttemptRecord(sent, T0 - 10 * DAY_MS, 1.0, "sent")])
    await store.add_remark(Remark(old.id, T0, RemarkKind.NOTE, "ann", "gone with it"))

    removed = remove_old(path, Limits(T0 - DAY_MS, T0 - DAY_MS, 0), T0)

    assert (removed.incidents, removed.attempts) == (1, 0)
    left = {one.id for one in await store.incidents(IncidentQuery())}
    assert left == {new.id, unsent.id, still_open.id}
    assert not remove_old(path, Limits(T0 - DAY_MS, T0 - DAY_MS, 0), T0)
    assert check_store(path).problems == ()


async def test_attempts_go_before_their_incident_does(store: SqliteStore, path: Path) -> None:
    incident = ended(1, T0 - 10 * DAY_MS)
    sent = replace(a_delivery(incident), status=DeliveryStatus.SENT)
    await store.commit(Changes([incident], [sent]))
    await store.record([AttemptRecord(sent, T0 - 10 * DAY_MS, 1.0, "sent")])

    assert remove_old(path, Limits(T0 - 20 * DAY_MS, T0 - DAY_MS, 0), T0).attempts == 1
    story = await store.incident(incident.id)
    assert story is not None
    assert (len(story.deliveries), len(story.attempts)) == (1, 0)


async def test_the_audit_goes_a_month_at_a_time_and_says_so(store: SqliteStore, path: Path) -> None:
    # Long ago by any clock, and not yet.
    month, begin, young = 30 * DAY_MS, 40 * 30 * DAY_MS, 100 * 366 * DAY_MS + T0
    moments = [begin - 1, begin, begin + month - 1, begin + month, young]
    for at in moments:
        await store.add_audit(AuditEntry(at, "ann", "channel added", "night"))

    def shortened(keep_from: int) -> int:
        return remove_old(path, Limits(0, 0, keep_from), T0).audit

    assert shortened(begin + month - 1) == 1
    assert shortened(begin + month - 1) == 0
    assert shortened(begin + month) == 2
    assert shortened(young + month) == 1  # the store keeps what is young, whatever is asked

    entries = (await store.audit(AuditQuery()))[::-1]
    assert [one.at for one in entries] == [young, T0, T0, T0]
    assert {(one.who, one.what) for one in entries[1:]} == {("housekeeping", "audit shortened")}
    assert [one.after["entries"] for one in entries[1:]] == [1, 2, 1]
    assert entries[1].after["before"] == "1973-04-15T00:00:00Z"
    assert check_store(path).problems == ()


def test_a_newer_store_is_neither_copied_nor_changed(tmp_path: Path) -> None:
    path = tmp_path / "playwatch.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id = 1349286263")
        database.execute("PRAGMA user_version = 999")
        database.execute("CREATE TABLE things (a)")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="restore the backup made before the upgrade"):
        back_up(path, tmp_path / "backup.db")
    assert path.read_bytes() == before
