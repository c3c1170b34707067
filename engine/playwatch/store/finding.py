"""Finding incidents: filtered, sorted, a page at a time, and the messages about them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final, TypeVar

from playwatch.core.listings import (
    FoundIncidents,
    IncidentQuery,
    Notice,
    Ranking,
    search_text,
    search_words,
)
from playwatch.store import salvage
from playwatch.store.queries import QUERIES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.ports import AttemptRecord

_T = TypeVar("_T")

_TIME: Final = "incidents.opened_at DESC, incidents.number DESC"
_ORDERS: Final = {
    Ranking.TIME: _TIME,
    Ranking.IMPACT: f"ifnull(viewers_per_hour, -9e999) DESC, {_TIME}",
    Ranking.VALUE: f"ifnull(value, -9e999) DESC, {_TIME}",
    Ranking.VIEWS: f"ifnull(viewers, -9e999) DESC, {_TIME}",
    Ranking.NAME: f"rule DESC, {_TIME}",
}


class SqliteFinding:
    """The part of a store in SQLite that lists are made of."""

    async def _run(self, begin: str, verb: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        raise NotImplementedError

    async def incidents(self, query: IncidentQuery) -> list[Incident]:
        """Return the incidents that a query asks for, in its order."""
        return list((await self.found(query)).incidents)

    async def found(self, query: IncidentQuery) -> FoundIncidents:
        """Return the incidents that a query asks for, and how many there are in all.

        Notes
        -----
        O(stored incidents): 3 ms for 25 of 5,000 from one index, as much again to
        search their texts.
        """
        return await self._run("BEGIN", "read", lambda database: _found(database, query))

    async def notices(self, incident_ids: Sequence[str]) -> list[Notice]:
        """Return the messages about some incidents, in the order they were decided."""
        asked = {"incident_ids": json.dumps(list(incident_ids))}

        def work(database: sqlite3.Connection) -> list[Notice]:
            rows = database.execute(QUERIES["notices"].sql, asked)
            return [Notice(*row) for row in rows]

        return await self._run("BEGIN", "read", work)


def _found(database: sqlite3.Connection, query: IncidentQuery) -> FoundIncidents:
    asked, words = _asked(query), search_words(query.text)
    matching = QUERIES["matching"].sql
    if words:
        # Spelt out, since a list as JSON would be read again for every incident.
        texts = " AND ".join(f"instr(text, :word{number})" for number in range(len(words)))
        matching += f" AND number IN (SELECT number FROM incident_texts WHERE {texts})"  # noqa: S608 - bound below too
        asked |= {f"word{number}": word for number, word in enumerate(words)}
    count = f"SELECT count(*) FROM ({matching})"  # noqa: S608 - a query of ours, bound below
    total: int = database.execute(count, asked).fetchone()[0]
    order = _ORDERS[query.ranking].replace("DESC", "ASC" if query.is_ascending else "DESC")
    page = f"{matching} ORDER BY {order} LIMIT :limit OFFSET :offset"
    numbers = [row[0] for row in database.execute(page, asked)]
    bodies = database.execute(QUERIES["bodies"].sql, {"numbers": json.dumps(numbers)})
    return FoundIncidents(salvage.incidents_of(database, bodies.fetchall()), total)


def _asked(query: IncidentQuery) -> dict[str, object]:
    severities = query.severities
    return {
        "status": None if query.status is None else query.status.value,
        "is_ended": query.is_ended,
        "rule": query.rule,
        "alert_type": None if query.alert_type is None else query.alert_type.value,
        "severities": None if severities is None else json.dumps([*map(int, severities)]),
        "metric": query.metric,
        "dimensions": json.dumps(query.dimensions) if query.dimensions else None,
        "begin_at": query.begin_at,
        "end_at": query.end_at,
        "related_to": query.related_to,
        "limit": max(query.limit, 0),
        "offset": max(query.offset, 0),
    }


class MemoryFinding:
    """The same in memory, slow and obvious."""

    _incidents: dict[str, Incident]
    _deliveries: dict[str, Delivery]
    _attempts: list[AttemptRecord]

    async def incidents(self, query: IncidentQuery) -> list[Incident]:
        """Return the incidents that a query asks for, in its order."""
        return list((await self.found(query)).incidents)

    async def found(self, query: IncidentQuery) -> FoundIncidents:
        """Return the incidents that a query asks for, and how many there are in all."""
        this = self._incidents.get(query.related_to or "")
        every = [
            (number, one)
            for number, one in enumerate(self._incidents.values())
            if _matches(query, one)
            and (query.related_to is None or (this is not None and _are_related(this, one)))
        ]
        every.sort(key=lambda pair: (pair[1].opened_at, pair[0]), reverse=not query.is_ascending)
        every.sort(key=lambda pair: _rank(query, pair[1]), reverse=not query.is_ascending)
        offset = max(query.offset, 0)
        page = every[offset : offset + max(query.limit, 0)]
        return FoundIncidents([one for _, one in page], len(every))

    async def notices(self, incident_ids: Sequence[str]) -> list[Notice]:
        """Return the messages about some incidents, in the order they were decided."""
        tried = {record.delivery.id: record.at for record in self._attempts}
        return [
            Notice(number, one.incident_id, one.channel, one.created_at, tried.get(one.id))
            for number, one in enumerate(self._deliveries.values(), 1)
            if one.incident_id in set(incident_ids)
        ]


def _matches(query: IncidentQuery, incident: Incident) -> bool:
    begins = query.begin_at is None or (incident.ended_at or query.begin_at) >= query.begin_at
    return (
        query.status in {None, incident.status}
        and not (query.is_ended and incident.is_open)
        and all(word in search_text(incident) for word in search_words(query.text))
        and query.rule in {None, incident.rule}
        and query.alert_type in {None, incident.alert_type}
        and (query.severities is None or incident.severity in query.severities)
        and query.metric in {None, incident.measurement}
        and set(query.dimensions) <= set(incident.breakdowns)
        and begins
        and (query.end_at is None or incident.opened_at < query.end_at)
    )


def _are_related(this: Incident, other: Incident) -> bool:
    if other.id == this.id:
        return False
    if other.incident_key == this.incident_key:
        return True
    is_after = this.ended_at is not None and other.opened_at > this.ended_at
    is_before = other.ended_at is not None and other.ended_at < this.opened_at
    shares = set(other.breakdowns) & set(this.breakdowns)
    is_alike = other.measurement == this.measurement or bool(shares)
    return is_alike and not is_after and not is_before


def _rank(query: IncidentQuery, incident: Incident) -> tuple[float, str]:
    ranks = {
        Ranking.IMPACT: incident.affected_viewers_per_hour,
        Ranking.VALUE: incident.measured_value,
        Ranking.VIEWS: float(incident.affected_viewers),
    }
    rank = ranks.get(query.ranking, 0.0)
    name = incident.rule if query.ranking is Ranking.NAME else ""
    return rank if math.isfinite(rank) else -math.inf, name
