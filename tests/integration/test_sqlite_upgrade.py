"""A store of an older schema opens, and nothing of it is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from playwatch.core.audit import AuditEntry
from playwatch.core.decisions import Remark, RemarkKind
from playwatch.core.deliveries import Changes
from playwatch.core.listings import IncidentQuery, Ranking, search_text
from playwatch.ports import AuditQuery
from playwatch.store import rows
from playwatch.store.ledger import write_audit
from playwatch.store.migrate import prepare, shipped_migrations
from playwatch.store.queries import QUERIES
from playwatch.store.retention import Limits, remove_old
from playwatch.store.sqlite import SqliteStore
from tests.kit.stores import T0, a_delivery, an_incident

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_store_of_schema_1_is_upgraded_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "playwatch.db"
    incident = an_incident()
    prepare(path, {1: shipped_migrations()[1]})
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(
            "INSERT INTO incidents (id, incident_key, rule, status, opened_at, body)"
            " VALUES (:id, :incident_key, :rule, :status, :opened_at, :body)",
            rows.incident_row(incident),
        )
        database.execute(QUERIES["add_delivery"].sql, rows.delivery_row(a_delivery(incident)))
        assert database.execute("PRAGMA user_version").fetchone() == (1,)

    store = await SqliteStore.open(path)
    try:
        assert await store.incidents(IncidentQuery()) == [incident]
        query = IncidentQuery(
            alert_type=incident.alert_type,
            severities=frozenset({incident.severity}),
            metric=incident.measurement,
            dimensions=incident.breakdowns,
            ranking=Ranking.IMPACT,
        )
        assert await store.incidents(query) == [incident]
        await store.commit(Changes([incident]))
        assert await store.incidents(query) == [incident]
        assert await store.due("oncall", T0, 5, set()) == [a_delivery(incident)]
        assert await store.silences(0) == []
        assert await store.withheld([incident.id]) == set()
        remark = Remark(incident.id, T0, RemarkKind.NOTE, "ann", "kept")
        await store.add_remark(remark)
        story = await store.incident(incident.id)
        assert story is not None
        assert (list(story.decisions), list(story.remarks)) == ([], [remark])
    finally:
        await store.close()


async def test_incidents_of_schema_4_are_found_by_their_words_after_the_upgrade(
    tmp_path: Path,
) -> None:
    path = tmp_path / "playwatch.db"
    group = (("city", "MÜNCHEN"), ("cdn", "fastly"))
    whole = an_incident("whole", summary="Ausfälle in München", breakdowns=group)
    bare = an_incident("bare", breakdowns=())
    spoilt = an_incident("spoilt", rule="still-known")
    prepare(path, {version: shipped_migrations()[version] for version in range(1, 5)})
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for one in (whole, bare, spoilt):
            row = rows.incident_row(one)
            columns = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            database.execute(f"INSERT INTO incidents ({columns}) VALUES ({values})", row)  # noqa: S608 - names of ours
        database.execute("UPDATE incidents SET body = '{' WHERE id = 'spoilt'")

    store = await SqliteStore.open(path)
    try:
        with closing(sqlite3.connect(path)) as database:
            texts = dict(
                database.execute(
                    "SELECT id, text FROM incident_texts JOIN incidents USING (number)"
                )
            )
        assert texts["whole"] == search_text(whole)
        assert texts["bare"] == search_text(bare)
        for text, expected in (("münchen AUSFÄLLE", "whole"), ("still-known", "spoilt")):
            found = await store.incidents(IncidentQuery(text=text))
            assert [one.id for one in found] == [expected]
    finally:
        await store.close()


async def test_the_audit_of_schema_4_is_kept_whole_and_then_has_a_retention(
    tmp_path: Path,
) -> None:
    path = tmp_path / "playwatch.db"
    prepare(path, {version: shipped_migrations()[version] for version in range(1, 5)})
    old, young = (
        AuditEntry(1_000, "ann", "channel added"),
        AuditEntry(100 * T0, "bob", "channel added"),
    )
    with closing(sqlite3.connect(path)) as database:
        write_audit(database, [old, young])
        database.commit()
        with pytest.raises(sqlite3.IntegrityError, match="never removed"):
            database.execute("DELETE FROM audit WHERE at = 1000")

    store = await SqliteStore.open(path)
    try:
        assert await store.audit(AuditQuery()) == [young, old]
        assert remove_old(path, Limits(0, 0, 100 * T0), T0).audit == 1
        assert [one.who for one in await store.audit(AuditQuery())] == ["housekeeping", "bob"]
    finally:
        await store.close()
