"""The house of pages: builds every page of what the engine has, and adds them to a server."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from playwatch.runtime.past import Past
from playwatch.runtime.series_index import SeriesIndex
from playwatch.web.events import EventStream
from playwatch.web.pages.channels import ChannelPages
from playwatch.web.pages.charting import IncidentCharts
from playwatch.web.pages.drawn import GIVES_WAY_S
from playwatch.web.pages.incidents import IncidentPages
from playwatch.web.pages.model import ModelPage
from playwatch.web.pages.rules import RulePages
from playwatch.web.pages.series import SeriesPages
from playwatch.web.pages.silences import SilencePages
from playwatch.web.pages.site import Site
from playwatch.web.pages.status import StatusPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.ports import Clock, Source, Store
    from playwatch.runtime.channel_desk import ChannelDesk
    from playwatch.runtime.desk import Desk
    from playwatch.runtime.evaluate import Evaluator
    from playwatch.runtime.health import EngineHealth
    from playwatch.runtime.history import HistoryKeeper
    from playwatch.runtime.news import News
    from playwatch.runtime.outbox import Outbox
    from playwatch.runtime.readings import Readings
    from playwatch.runtime.reload import Reloader
    from playwatch.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages are made of; see the fields for who gives it."""

    reloader: Reloader
    store: Store
    desk: Desk
    channels: ChannelDesk
    evaluator: Evaluator
    outbox: Outbox
    health: EngineHealth
    telemetry: Telemetry
    readings: Readings
    news: News
    history: HistoryKeeper | None
    sources: Sequence[Source]
    clock: Clock

    def add_to(self, app: web.Application) -> None:
        """Add every page to an application."""
        index, settings = SeriesIndex(self.evaluator), self.reloader.settings
        site = Site(self, self.clock, self.news)
        site.add_to(app)
        EventStream(self.news).add_to(app)
        site.get(app, "/", _front)
        past = Past(self.history.history if self.history else None, self.readings)
        charts = IncidentCharts(past, self.clock)
        SeriesPages(index, past, self.readings, self.clock).add_to(site, app)
        IncidentPages(self.store, self.desk, self.readings, charts, self.clock).add_to(site, app)
        RulePages(self.readings).add_to(site, app)
        SilencePages(self.desk, self.clock).add_to(site, app)
        ChannelPages(self.channels).add_to(site, app)
        ModelPage(self.store, self.readings, self.clock).add_to(site, app)
        StatusPage(
            self.sources,
            self.health,
            self.outbox,
            self.telemetry,
            index,
            settings.store.path,
            self.clock,
        ).add_to(site, app)

    async def run(self) -> None:
        """Keep what the pages show up to date, until cancelled."""
        sys.setswitchinterval(GIVES_WAY_S)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.readings.run(), name="readings")
            tasks.create_task(self.news.run(), name="news")
            if self.history is not None:
                tasks.create_task(self.history.run(), name="history")

    async def stop(self) -> None:
        """Write down what is left."""
        if self.history is not None:
            await self.history.flush()

    def open_count(self) -> int:
        """Return how many incidents are open."""
        return len(self.evaluator.pipeline.open_incidents)

    def complaints(self) -> list[str]:
        """Return one sentence for each thing that is not as it should be."""
        return self.health.complaints()

    def broker(self) -> str:
        """Return the address of the broker that samples come from; empty without one."""
        return next((source.name for source in self.sources), "")


async def _front(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=303, headers={"Location": "incidents"})
