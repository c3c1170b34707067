"""A store of the first schema opens, and nothing of it is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from playwatch.core.decisions import Remark, RemarkKind
from playwatch.core.deliveries import Changes
from playwatch.core.listings import IncidentQuery, Ranking
from playwatch.store import rows
from playwatch.store.migrate import prepare, shipped_migrations
from playwatch.store.queries import QUERIES
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
