"""The metrics: what arrives, by dimension."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from playwatch.runtime.trails import MINUTE_MS
from playwatch.web.pages.drawing import sparkline
from playwatch.web.pages.site import Page
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web
    from numpy.typing import NDArray

    from playwatch.ports import Clock
    from playwatch.runtime.past import Past, Trace
    from playwatch.runtime.readings import Readings
    from playwatch.runtime.series_index import MetricListing, SeriesIndex
    from playwatch.runtime.standings import Group
    from playwatch.web.pages.site import Site

ROWS: Final = 100
"""Series that the page of a metric lists."""
DRAWN: Final = 600
"""Series that are read from the history for one page."""
MULTIPLES: Final = 24
_HOURS: Final = 3
_HOUR_MS: Final = 3_600_000


class SeriesPages:
    """The list of metrics and the series of each."""

    def __init__(self, index: SeriesIndex, past: Past, readings: Readings, clock: Clock) -> None:
        self._index = index
        self._past = past
        self._readings = readings
        self._clock = clock

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the pages to an application."""
        site.get(app, "/series", self.all)
        site.get(app, "/series/{metric}", self.one)

    async def all(self, request: web.Request) -> Page:
        """Show the metrics that have series, those that a search finds."""
        text = request.query.get("q", "").strip()
        rows = self._index.metrics()
        if text:
            sought = text.casefold().replace(" ", "_")
            rows = [
                one
                for one in rows
                if sought in one.metric.key or len(await self._index.search(one.metric.key, text))
            ]
        return Page("metrics.html.j2", "Metrics", {"rows": rows, "text": text})

    async def one(self, request: web.Request) -> Page:
        """Show the series of one metric, the newest first."""
        key, text = request.match_info["metric"], request.query.get("q", "").strip()
        listing = next((one for one in self._index.metrics() if one.metric.key == key), None)
        if listing is None:
            message = "no sample of such a metric has arrived"
            raise ProblemError(404, message, hint="see the list of metrics")
        rows = await self._index.search(key, text)
        series = self._index.listing(key, rows[:ROWS])
        by = request.query.get("by") or next(iter(listing.dimensions), "")
        multiples = await self._multiples(listing, rows, by)
        return Page(
            "metric.html.j2",
            listing.metric.title,
            {
                "listing": listing,
                "metric": listing.metric,
                "series": series,
                "found": int(np.size(rows)),
                "text": text,
                "by": by,
                "multiples": multiples,
                "since": min((one["since"] for one in multiples if one["since"]), default=None),
                "drawn_at_most": DRAWN,
            },
        )

    async def _multiples(
        self, listing: MetricListing, rows: NDArray[np.intp], by: str
    ) -> list[dict[str, Any]]:
        """Return a small chart for each value of a dimension, the most series first."""
        if not by or not 0 < len(rows) <= DRAWN:
            return []
        sets: dict[str, list[bytes]] = {}
        for row, value in zip(rows, self._index.values_of(rows, by), strict=True):
            sets.setdefault(value, []).append(self._index.canonical(int(row)))
        values = sorted(sets, key=lambda value: (-len(sets[value]), value))[:MULTIPLES]
        until_at = self._clock.wall_ms()
        from_at = until_at - _HOURS * _HOUR_MS
        traces = await self._past.of_merged(
            listing.metric, [sets[one] for one in values], from_at, until_at
        )
        groups = [((by, value),) for value in values]
        bands = await self._bands(listing.metric.key, groups, traces)
        return [
            _multiple(value, len(sets[value]), trace, band)
            for value, trace, band in zip(values, traces, bands, strict=True)
        ]

    async def _bands(
        self, metric: str, groups: Sequence[Group], traces: Sequence[Trace]
    ) -> list[list[tuple[float, float]]]:
        """Return what was normal for each group at the times of its trace."""
        rule = next(
            (one for group in groups if (one := self._readings.learns(metric, group))), None
        )
        times = [at for trace in traces for at in trace.times]
        if rule is None or not times:
            return [[] for _ in groups]
        reach_ms = round(1000 * rule.window_s) + MINUTE_MS
        trails = await self._past.of_learned(rule.name, groups, min(times), max(times) + reach_ms)
        return [
            trail.normal_at(trace.times, reach_ms)
            for trail, trace in zip(trails, traces, strict=True)
        ]


def _multiple(
    value: str, series: int, trace: Trace, band: list[tuple[float, float]]
) -> dict[str, Any]:
    """Return one of the small charts, and what stands around it."""
    known = [one for one in trace.values if math.isfinite(one)]
    return {
        "value": value,
        "series": series,
        "newest": trace.values[-1] if trace.values else None,
        "lowest": min(known, default=None),
        "highest": max(known, default=None),
        "since": trace.times[0] if trace.times else None,
        "drawn": sparkline(trace.values, band=band, width=260, height=64),
    }
