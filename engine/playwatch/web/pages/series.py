"""The metrics: what arrives, by dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.web.pages.site import Page
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.runtime.series_index import SeriesIndex
    from playwatch.web.pages.site import Site

ROWS: Final = 100
"""Series that the page of a metric lists."""


class SeriesPages:
    """The list of metrics and the series of each."""

    def __init__(self, index: SeriesIndex) -> None:
        self._index = index

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
                if sought in one.metric.key or len(self._index.find(one.metric.key, text))
            ]
        return Page("metrics.html.j2", "Metrics", {"rows": rows, "text": text})

    async def one(self, request: web.Request) -> Page:
        """Show the series of one metric, the newest first."""
        key, text = request.match_info["metric"], request.query.get("q", "").strip()
        listing = next((one for one in self._index.metrics() if one.metric.key == key), None)
        if listing is None:
            message = "no sample of such a metric has arrived"
            raise ProblemError(404, message, hint="see the list of metrics")
        rows = self._index.find(key, text)
        series = self._index.listing(key, rows[:ROWS])
        return Page(
            "metric.html.j2",
            listing.metric.title,
            {
                "listing": listing,
                "metric": listing.metric,
                "series": series,
                "found": int(np.size(rows)),
                "text": text,
            },
        )
