"""What waits to be delivered and what was given up: looked at, replayed, purged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from playwatch.core.confirmations import AMBIGUOUS
from playwatch.core.deliveries import Action, DeliveryStatus, is_withdrawal
from playwatch.store import rows, salvage
from playwatch.store.ledger import write_audit
from playwatch.store.queries import QUERIES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Sequence

    from playwatch.core.audit import AuditEntry
    from playwatch.core.decisions import Decision
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.ports import AttemptRecord, StoredChannel

_T = TypeVar("_T")


class SqliteLetters:
    """The part of a store in SQLite that is about its queue."""

    async def _run(self, begin: str, verb: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        raise NotImplementedError

    async def pending(self, channel: str) -> dict[str, int]:
        """Return the ids of what a channel has yet to send, and when each was decided."""
        found = await self._rows("pending_of_channel", {"channel": channel})
        return {row["id"]: row["created_at"] for row in found}

    async def attempted(self, channel: str, since: int) -> list[tuple[str, int]]:
        """Return the newest attempts of a channel that ended after a moment: key and end."""
        found = await self._rows("attempted", {"channel": channel, "since": since})
        return [(row["key_fingerprint"], row["at"]) for row in found]

    async def in_doubt(self, channel: str) -> set[str]:
        """Return the keys of triggers without an answer, where the end is yet to be told."""
        return {row["dedup_key"] for row in await self._rows("in_doubt", {"channel": channel})}

    async def decided(self, what: str) -> list[Decision]:
        """Return the decisions of one word about open incidents, in the order they were made."""
        return [rows.decision_of(row) for row in await self._rows("decided", {"what": what})]

    async def letters(
        self, statuses: Collection[DeliveryStatus], limit: int, offset: int = 0
    ) -> list[Delivery]:
        """Return deliveries that stand so, in the order they were decided."""
        words = json.dumps([status.value for status in statuses])
        asked = {"statuses": words, "limit": max(limit, 0), "offset": max(offset, 0)}

        def work(database: sqlite3.Connection) -> list[Delivery]:
            found = database.execute(QUERIES["letters"].sql, asked).fetchall()
            return salvage.deliveries_of(database, found)

        return await self._run("BEGIN", "read", work)

    async def replay(self, ids: Sequence[str], at: int, audit: AuditEntry | None = None) -> int:
        """Queue dead deliveries again, with what came after each; return how many were dead.

        Notes
        -----
        A resolve that went out meanwhile goes out once more, behind its
        trigger, so that no trigger is left without its end.
        """
        asked = {"ids": json.dumps(list(ids)), "at": at}

        def work(database: sqlite3.Connection) -> int:
            database.execute(QUERIES["replay_followers"].sql, asked)
            count = database.execute(QUERIES["replay"].sql, asked).rowcount
            write_audit(database, [audit] if audit and count else [])
            return count

        return await self._run("BEGIN IMMEDIATE", "written", work)

    async def purge(self, ids: Sequence[str], audit: AuditEntry | None = None) -> int:
        """Remove dead deliveries with their attempts; return how many.

        Notes
        -----
        A dead trigger stays while its incident is open: it tells who is to
        hear of the end.
        """
        asked = {"ids": json.dumps(list(ids))}

        def work(database: sqlite3.Connection) -> int:
            database.execute(QUERIES["purge_attempts"].sql, asked)
            count = database.execute(QUERIES["purge"].sql, asked).rowcount
            write_audit(database, [audit] if audit and count else [])
            return count

        return await self._run("BEGIN IMMEDIATE", "written", work)

    async def keys_in_use(self) -> dict[str, set[str]]:
        """Return, by channel, the fingerprints of keys that something still has to go out with."""
        found: dict[str, set[str]] = {}
        for row in await self._rows("keys_in_use", {}):
            found.setdefault(row["channel"], set()).add(row["key_fingerprint"])
        return found

    async def _rows(self, query: str, asked: dict[str, object]) -> list[sqlite3.Row]:
        return await self._run(
            "BEGIN", "read", lambda database: database.execute(QUERIES[query].sql, asked).fetchall()
        )


class MemoryLetters:
    """The same in memory."""

    _incidents: dict[str, Incident]
    _deliveries: dict[str, Delivery]
    _attempts: list[AttemptRecord]
    _channels: dict[str, StoredChannel]
    _audit: list[AuditEntry]
    _decisions: dict[tuple[str, int, str], Decision]

    async def pending(self, channel: str) -> dict[str, int]:
        """Return the ids of what a channel has yet to send, and when each was decided."""
        return {
            each.id: each.created_at
            for each in self._deliveries.values()
            if each.channel == channel and each.status is DeliveryStatus.PENDING
        }

    async def attempted(self, channel: str, since: int) -> list[tuple[str, int]]:
        """Return the newest attempts of a channel that ended after a moment: key and end."""
        return [
            (each.delivery.key_fingerprint, each.at)
            for each in self._attempts
            if each.delivery.channel == channel and each.at > since
        ]

    async def in_doubt(self, channel: str) -> set[str]:
        """Return the keys of triggers without an answer, where the end is yet to be told."""
        waiting = {self._deliveries[each].incident_id for each in await self.pending(channel)}
        return {
            each.delivery.dedup_key
            for each in self._attempts
            if (each.delivery.channel, each.outcome) == (channel, AMBIGUOUS)
            and each.delivery.action is Action.TRIGGER
            and (
                each.delivery.incident_id in waiting
                or self._incidents[each.delivery.incident_id].is_open
            )
        }

    async def decided(self, what: str) -> list[Decision]:
        """Return the decisions of one word about open incidents, in the order they were made."""
        return [
            each
            for each in self._decisions.values()
            if each.what == what and self._incidents[each.incident_id].is_open
        ]

    async def letters(
        self, statuses: Collection[DeliveryStatus], limit: int, offset: int = 0
    ) -> list[Delivery]:
        """Return deliveries that stand so, in the order they were decided."""
        found = [each for each in self._deliveries.values() if each.status in set(statuses)]
        return found[max(offset, 0) :][: max(limit, 0)]

    async def replay(self, ids: Sequence[str], at: int, audit: AuditEntry | None = None) -> int:
        """Queue dead deliveries again, with what came after each; return how many were dead."""
        dead = self._dead(ids)
        behind: set[tuple[str, str]] = set()
        for each in list(self._deliveries.values()):
            queue = (each.incident_id, each.channel)
            is_follower = queue in behind and each.action is Action.RESOLVE
            if each.id in dead or (is_follower and each.status is not DeliveryStatus.PENDING):
                behind.add(queue)
                self._deliveries[each.id] = replace(
                    each,
                    status=DeliveryStatus.PENDING,
                    created_at=at,
                    not_before_at=0,
                    reason="",
                    is_shortened=False,
                )
        self._audit += [audit] if audit and dead else []
        return len(dead)

    async def purge(self, ids: Sequence[str], audit: AuditEntry | None = None) -> int:
        """Remove dead deliveries; a trigger stays while its incident is open."""
        gone = {
            each
            for each in self._dead(ids)
            if self._deliveries[each].action is Action.RESOLVE
            or not self._incidents[self._deliveries[each].incident_id].is_open
        }
        for each in gone:
            del self._deliveries[each]
        self._audit += [audit] if audit and gone else []
        return len(gone)

    async def keys_in_use(self) -> dict[str, set[str]]:
        """Return, by channel, the fingerprints of keys that something still has to go out with."""
        found = {one.name: {one.key_fingerprint} for one in self._channels.values()}
        withdrawn: set[tuple[str, str]] = set()
        for each in reversed(self._deliveries.values()):
            queue = (each.incident_id, each.channel)
            if is_withdrawal(each):
                withdrawn.add(queue)
            is_open = self._incidents[each.incident_id].is_open and queue not in withdrawn
            if each.status is DeliveryStatus.PENDING or (each.action is Action.TRIGGER and is_open):
                found.setdefault(each.channel, set()).add(each.key_fingerprint)
        return found

    def _dead(self, ids: Sequence[str]) -> set[str]:
        wanted = set(ids)
        return {
            each.id
            for each in self._deliveries.values()
            if each.id in wanted and each.status is DeliveryStatus.DEAD
        }
