"""Fault 23: a disk that is full, a store that is locked, a row that cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action, Changes
from playwatch.demo.stand_in import StandIn
from playwatch.errors import StoreError
from playwatch.store.sqlite import SqliteStore
from tests.delivering import delivering, message, pagerduty, put, turn, until_ended
from tests.faults.truth import assert_true, incidents
from tests.kit.stores import sqlite_store
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.ports import Store
    from tests.fakes import HandClock


async def set_pragma(store: Store, setting: str) -> None:
    assert isinstance(store, SqliteStore)
    assert store._connection is not None
    await store._connection.execute_fetchall(f"PRAGMA {setting}")


async def test_a_full_disk_costs_neither_a_message_nor_a_repeat(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    storm = incidents(80)  # more than the pages there are have room for
    late = incidents(60, name="late")
    async with StandIn(clock=clock) as server, sqlite_store(tmp_path) as store:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, None, *map(message, storm))
            await set_pragma(store, "max_page_count = 1")  # full as it is: no page can be added
            with pytest.raises(StoreError, match="full"):
                await store.commit(Changes(late, [*map(message, late)]))
            outbox.look()
            await soon(lambda: len(server.pages) == 80)
            await soon(lambda: not outbox.can_store)
            await clock.advance(30)
            assert server.requests == 80
            assert "cannot record what was sent" in caplog.text

            await set_pragma(store, "max_page_count = 1000000")
            await turn(clock, lambda: outbox.can_store)
            await put(store, outbox, *(message(one, Action.RESOLVE) for one in storm[:20]))
            await turn(clock, lambda: server.resolves == 20)
        assert server.triggers == 80
        assert_true(server, storm[20:])


async def test_a_locked_store_is_waited_for(tmp_path: Path, clock: HandClock) -> None:
    first, second = incidents(2)
    async with StandIn(clock=clock) as server, sqlite_store(tmp_path) as store:
        await put(store, None, message(first))
        await set_pragma(store, "busy_timeout = 10")
        with closing(sqlite3.connect(tmp_path / "playwatch.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
                await soon(lambda: server.triggers == 1)
                await soon(lambda: not outbox.can_store)
                other.execute("ROLLBACK")
                await put(store, outbox, message(second), message(first, Action.RESOLVE))
                await turn(clock, lambda: server.resolves == 1 and len(server.pages) == 2)
                assert server.triggers == 2
        assert_true(server, [second])


@pytest.mark.parametrize("tables", [("deliveries",), ("deliveries", "incidents")])
async def test_a_row_that_cannot_be_read_is_sent_as_far_as_it_can_and_the_others_flow(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture, tables: tuple[str, ...]
) -> None:
    bad, good = incidents(2)
    columns = {"deliveries": ("incident", "incident_id"), "incidents": ("body", "id")}
    async with StandIn(clock=clock) as server, sqlite_store(tmp_path) as store:
        await put(store, None, message(bad), message(good))
        with closing(sqlite3.connect(tmp_path / "playwatch.db")) as other, other:
            for table in tables:
                body, key = columns[table]
                change = f"UPDATE {table} SET {body} = '{{broken' WHERE {key} = ?"  # noqa: S608 - ours
                other.execute(change, (bad.id,))
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await until_ended(store, message(bad), message(good))
            assert {page.severity for page in server.pages} == {"critical"}
            resolves = [message(one, Action.RESOLVE) for one in (bad, good)]
            await put(store, outbox, *resolves)
            await until_ended(store, *resolves)
        assert "cannot be read" in caplog.text
        assert_true(server)
