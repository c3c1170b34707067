"""The API for the engine itself: what arrives, how late, what is wrong, which versions run."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from playwatch import __version__
from playwatch.web.contract import answer
from playwatch.web.documents import moment
from playwatch.web.engine_documents import SamplesDocument, SourceDocument, StatusDocument

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.web.pages.house import Pages

_LIBRARIES: Final = ("numpy", "aiohttp", "gmqtt", "aiosqlite", "bokeh")


class StatusApi:
    """The handler of ``/api/v1/status``."""

    def __init__(self, house: Pages) -> None:
        self._house = house
        self._started_at = house.clock.wall_ms()
        self._libraries = {name: version(name) for name in _LIBRARIES}

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_get("/api/v1/status", self.status)

    async def status(self, _request: web.Request) -> web.StreamResponse:
        """Answer with how the engine is."""
        house = self._house
        complaints = house.health.complaints()
        read_at = self._count("playwatch_config_last_reload_success_timestamp_seconds")
        document = StatusDocument(
            version=__version__,
            python=platform.python_version(),
            libraries=self._libraries,
            started_at=moment(self._started_at),
            ready=not complaints,
            complaints=tuple(complaints),
            sources=tuple(
                SourceDocument(name=one.name, subscribed=one.is_subscribed, trouble=one.trouble)
                for one in house.sources
            ),
            samples=self._samples(),
            series=house.evaluator.pipeline.series.live,
            incidents_open=house.open_count(),
            channels_away=house.outbox.away(),
            deliveries_given_up=house.outbox.given_up(),
            config_read_at=moment(round(read_at * 1000)) if read_at else None,
            config_is_current=bool(self._count("playwatch_config_last_reload_successful")),
        )
        return answer(document)

    def _samples(self) -> SamplesDocument:
        newest = self._count("playwatch_newest_sample_timestamp_seconds")
        return SamplesDocument(
            received=round(sum(self._counts("playwatch_samples_received_total").values())),
            rejected={
                reason: round(count)
                for reason, count in self._counts("playwatch_samples_rejected_total").items()
            },
            repeated=round(self._count("playwatch_samples_repeated_total")),
            late=round(self._count("playwatch_samples_late_total")),
            gaps=round(sum(self._counts("playwatch_sequence_gaps_total").values())),
            newest_at=moment(round(newest * 1000)) if newest else None,
            lag_s=self._count("playwatch_ingest_lag_seconds") if newest else None,
        )

    def _count(self, name: str) -> float:
        return self._house.telemetry.registry.get_sample_value(name) or 0.0

    def _counts(self, name: str) -> dict[str, float]:
        """Return a counter by the value of its one label."""
        return {
            next(iter(sample.labels.values()), ""): sample.value
            for family in self._house.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == name
        }
