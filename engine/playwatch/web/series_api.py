"""The API for series: which there are, their newest samples, and their past."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import NEVER, canonical_dimensions
from playwatch.web.contract import answer, asked_of
from playwatch.web.documents import moment
from playwatch.web.engine_documents import (
    HistoryDocument,
    HistoryWanted,
    MetricDocument,
    PointDocument,
    SeriesDocument,
    SeriesPage,
    SeriesWanted,
)
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.ports import Clock
    from playwatch.runtime.history import HistoryKeeper
    from playwatch.runtime.series_index import Knowing, SeriesIndex

_AT_ONCE: Final = 4_096
"""Series that are searched between two turns of everyone else."""
_MINUTE_MS: Final = 60_000
_LONGEST: Final = 31 * 24 * 60
"""Minutes that one answer covers at most."""


class SeriesApi:
    """The handlers under ``/api/v1/metrics`` and ``/api/v1/series``."""

    def __init__(
        self,
        index: SeriesIndex,
        engine: Knowing,
        history: HistoryKeeper | None,
        clock: Clock,
    ) -> None:
        self._index = index
        self._engine = engine
        self._history = history
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("/api/v1/metrics", self.metrics)
        app.router.add_get("/api/v1/series", self.series)
        app.router.add_get("/api/v1/series/history", self.past)

    async def metrics(self, _request: web.Request) -> web.StreamResponse:
        """Answer with the metrics that have series."""
        found = [
            MetricDocument(
                metric=one.metric.key,
                unit=one.metric.unit,
                series=one.series,
                dimensions=one.dimensions,
                newest_at=_moment(one.newest_at),
            )
            for one in self._index.metrics()
        ]
        return answer(found)

    async def series(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page of a metric's series."""
        asked = asked_of(request, SeriesWanted)
        rows = await self._index.search(asked.metric, asked.q)
        page = rows[asked.offset : asked.offset + asked.limit]
        found = SeriesPage(
            series=tuple(
                SeriesDocument(
                    metric=one.metric,
                    dimensions=dict(one.dimensions),
                    at=_moment(one.at),
                    value=one.value,
                    views=one.views,
                )
                for one in self._index.listing(asked.metric, page)
            ),
            total=len(rows),
            limit=asked.limit,
            offset=asked.offset,
        )
        return answer(found)

    async def past(self, request: web.Request) -> web.StreamResponse:
        """Answer with what a series was, minute by minute."""
        asked = asked_of(request, HistoryWanted)
        catalogue = self._engine.catalogue
        metric_id = catalogue.id_of(asked.metric)
        if self._history is None or metric_id is None:
            message = "no history is kept" if self._history is None else "there is no such metric"
            raise ProblemError(404, message)
        now = self._clock.wall_ms()
        end = now if asked.end is None else round(asked.end.timestamp() * 1000)
        begin = end - 3_600_000 if asked.begin is None else round(asked.begin.timestamp() * 1000)
        first, last = begin // _MINUTE_MS, end // _MINUTE_MS
        if not 0 <= first <= last <= first + _LONGEST:
            message = "from must be before to, by 31 days at most"
            raise ProblemError(400, message)
        pairs = [one.partition(":") for one in asked.dimension]
        dimensions = {name: value for name, _, value in pairs}
        name = canonical_dimensions(dimensions)
        merge = catalogue[metric_id].merge
        history = self._history.history

        def read() -> list[PointDocument]:
            known = history.find(asked.metric, [name])
            rows = history.read(list(known.values()), merge, first, last)
            order = np.argsort(rows.minute, kind="stable")
            return [
                PointDocument(
                    at=moment(int(rows.minute[row]) * _MINUTE_MS),
                    value=float(rows.value[row]),
                    views=int(rows.views[row]),
                )
                for row in order
            ]

        points = tuple(await asyncio.to_thread(read))
        return answer(HistoryDocument(metric=asked.metric, dimensions=dimensions, points=points))


def _moment(at: int) -> str | None:
    return None if at == NEVER else moment(at)
