"""What every store must keep of the changes that people make, asked of each."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.audit import AuditEntry
from playwatch.core.decisions import Remark, RemarkKind
from playwatch.core.deliveries import Action, Changes, DeliveryStatus
from playwatch.core.rules import Matcher
from playwatch.core.silences import Silence
from playwatch.errors import StoreError
from playwatch.ports import AttemptRecord, AuditQuery, StoredChannel
from playwatch.store.sqlite import SqliteStore
from tests.kit.stores import T0, a_delivery, an_incident

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.core.deliveries import Delivery
    from playwatch.ports import Store

CHANNEL = StoredChannel(
    "night",
    {"name": "night", "where": {"cdn": None}, "rules": ["ä"]},
    "f00d",
    is_enabled=True,
    added_at=T0,
    added_by="ann",
)


def an_entry(what: str = "something done", subject: str = "night") -> AuditEntry:
    return AuditEntry(T0, "änn", what, subject, {"is": [1, None]}, {"is": {"a": True}})


async def test_a_channel_is_read_back_whole_in_the_order_of_adding(store: Store) -> None:
    later = replace(CHANNEL, name="a", is_enabled=False)
    await store.put_channel(CHANNEL, an_entry())
    await store.put_channel(later, an_entry())
    await store.put_channel(replace(CHANNEL, is_enabled=False), an_entry())

    assert await store.channels() == [replace(CHANNEL, is_enabled=False), later]
    await store.drop_channel("night", an_entry())
    await store.drop_channel("unknown", an_entry())
    assert await store.channels() == [later]


async def test_the_audit_lists_the_newest_first_of_all_or_of_one_thing(store: Store) -> None:
    entries = [an_entry("one"), an_entry("two", "other"), an_entry("three")]
    for entry in entries:
        await store.add_audit(entry)

    assert await store.audit(AuditQuery()) == entries[::-1]
    assert await store.audit(AuditQuery(limit=1, offset=1)) == [entries[1]]
    assert await store.audit(AuditQuery("night")) == [entries[2], entries[0]]


async def test_a_change_and_its_audit_are_stored_together_or_not_at_all(store: Store) -> None:
    incident = an_incident()
    dead = a_delivery(incident)
    silence = Silence("s", (Matcher("rule", ("*",)),), T0, T0 + 60_000, "ann")
    await store.commit(Changes([incident], [dead], audit=[an_entry("committed")]))
    gone = replace(dead, status=DeliveryStatus.DEAD, attempts=1)
    await store.record([AttemptRecord(gone, T0, 1.0, "rejected")])
    await store.add_silence(silence, an_entry("silenced"))
    await store.end_silence("s", T0 + 1, an_entry("expired"))
    await store.add_remark(Remark("a", T0, RemarkKind.NOTE, "ann", "x"), an_entry("noted"))
    await store.replay([dead.id], T0, an_entry("replayed"))

    # Nothing of these happens.
    await store.end_silence("s", T0 + 2, an_entry("again"))
    await store.end_silence("unknown", T0, an_entry("unknown"))
    await store.replay([dead.id], T0, an_entry("again"))
    await store.purge([dead.id], an_entry("purged"))
    with pytest.raises(StoreError):
        await store.add_silence(silence, an_entry("again"))
    with pytest.raises(StoreError):
        await store.add_remark(Remark("b", T0, RemarkKind.NOTE, "ann", "x"), an_entry("again"))

    found = [entry.what for entry in await store.audit(AuditQuery())]
    assert found == ["replayed", "noted", "expired", "silenced", "committed"]


async def test_a_key_stays_in_use_until_its_channel_is_gone_and_nothing_is_owed(
    store: Store,
) -> None:
    incident = an_incident()
    trigger = a_delivery(incident, channel="night")
    withdrawal = replace(
        a_delivery(incident, Action.RESOLVE, channel="night"),
        id=f"{incident.id}/night/resolve/withdrawn-{T0}",
    )
    await store.put_channel(replace(CHANNEL, key_fingerprint="new"), an_entry())
    await store.commit(Changes([incident], [trigger]))
    assert await store.keys_in_use() == {"night": {"new", "f00d"}}

    await store.drop_channel("night", an_entry())
    assert await store.keys_in_use() == {"night": {"f00d"}}
    await store.commit(Changes(deliveries=[withdrawal]))
    await store.record([AttemptRecord(sent(trigger), T0, 1.0, "sent")])
    assert await store.keys_in_use() == {"night": {"f00d"}}
    await store.record([AttemptRecord(sent(withdrawal), T0, 1.0, "sent")])
    assert await store.keys_in_use() == {}
    assert [one.id for one in await store.routed(["a"])] == [trigger.id, withdrawal.id]


def sent(delivery: Delivery) -> Delivery:
    return replace(delivery, status=DeliveryStatus.SENT, attempts=1)


async def test_the_file_itself_removes_no_audit_without_an_entry_that_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "playwatch.db"
    store = await SqliteStore.open(path)
    young = 100 * T0
    for at in (1_000, 2_000, young):
        await store.add_audit(replace(an_entry(), at=at))
    await store.close()
    said = (
        "INSERT INTO audit (at, who, what, subject, before, after)"
        " VALUES (0, 'me', 'audit shortened', '', '{}', json_object('before_ms', ?))"
    )

    with closing(sqlite3.connect(path)) as database:
        with pytest.raises(sqlite3.IntegrityError, match="unsaid"):
            database.execute("DELETE FROM audit WHERE at = 1000")
        database.execute(said, (2_000,))
        database.execute("DELETE FROM audit WHERE at = 1000")
        with pytest.raises(sqlite3.IntegrityError, match="unsaid"):
            database.execute("DELETE FROM audit WHERE at = 2000")
        database.execute(said, (young + 1,))
        with pytest.raises(sqlite3.IntegrityError, match="90 days"):
            database.execute("DELETE FROM audit WHERE at = ?", (young,))
        left = database.execute("SELECT at, what FROM audit ORDER BY number").fetchall()
    assert left == [
        (2_000, "something done"),
        (young, "something done"),
        (0, "audit shortened"),
        (0, "audit shortened"),
    ]


async def test_the_file_itself_refuses_to_alter_audit_or_to_remove_what_is_young(
    tmp_path: Path,
) -> None:
    path = tmp_path / "playwatch.db"
    store = await SqliteStore.open(path)
    await store.add_audit(an_entry())
    await store.close()

    with closing(sqlite3.connect(path)) as database:
        for statement in (
            "UPDATE audit SET who = 'nobody'",
            "DELETE FROM audit",
            "REPLACE INTO audit VALUES (1, 0, 'nobody', '', '', '', '')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                database.execute(statement)
        assert database.execute("SELECT who FROM audit").fetchall() == [("änn",)]
