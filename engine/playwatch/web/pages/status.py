"""The status: what arrives, how late, what is wrong, and which versions run."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from playwatch import __version__
from playwatch.web.pages.site import Page
from playwatch.web.pages.words import NOTHING, lasted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aiohttp import web

    from playwatch.ports import Clock, Source
    from playwatch.runtime.health import EngineHealth
    from playwatch.runtime.outbox import Outbox
    from playwatch.runtime.series_index import SeriesIndex
    from playwatch.telemetry import Telemetry
    from playwatch.web.pages.site import Site

_GAPS: Final = 10
"""Sources that are named with what they miss."""
_LIBRARIES: Final = ("numpy", "aiohttp", "gmqtt", "aiosqlite", "bokeh")


class StatusPage:
    """How the engine itself is."""

    def __init__(
        self,
        sources: Sequence[Source],
        health: EngineHealth,
        outbox: Outbox,
        telemetry: Telemetry,
        index: SeriesIndex,
        store_path: Path,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._health = health
        self._outbox = outbox
        self._telemetry = telemetry
        self._index = index
        self._store_path = store_path
        self._clock = clock
        self._started_at = clock.wall_ms()

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the page to an application."""
        site.get(app, "/status", self.look)

    async def look(self, request: web.Request) -> Page:
        """Show how the engine is."""
        del request
        now = self._clock.wall_ms()
        told = Counted(self._telemetry.counts())
        metrics = self._index.metrics()
        gaps = told.by_label("playwatch_sequence_gaps_total")
        newest = max((one.newest_at for one in metrics), default=None)
        tiles = [
            ("samples received", f"{told.sum('playwatch_samples_received_total'):,.0f}"),
            ("series", f"{sum(one.series for one in metrics):,}"),
            (
                "newest sample",
                NOTHING if newest is None else f"{max(now - newest, 0) / 1000:,.1f} s old",
            ),
            ("messages waiting", f"{told.sum('playwatch_queue_length'):,.0f}"),
            ("late", f"{told.sum('playwatch_samples_late_total'):,.0f}"),
            ("repeated", f"{told.sum('playwatch_samples_repeated_total'):,.0f}"),
            ("missing", f"{sum(gaps.values()):,.0f}"),
        ]
        return Page(
            "status.html.j2",
            "Status",
            {
                "problems": self._health.complaints(),
                "away": self._outbox.away(),
                "given_up": self._outbox.given_up(),
                "tiles": tiles,
                "sources": self._sources,
                "gaps": {name: count for name, count in list(gaps.items())[:_GAPS] if count},
                "rejected": told.by_label("playwatch_samples_rejected_total"),
                "dropped": told.sum("playwatch_messages_dropped_total"),
                "facts": self._facts(now, told),
            },
        )

    def _facts(self, now: int, told: Counted) -> list[tuple[str, str]]:
        reloaded = told.sum("playwatch_config_last_reload_success_timestamp_seconds")
        is_current = told.sum("playwatch_config_last_reload_successful")
        since = f"{lasted(now - 1000 * reloaded)} ago"
        return [
            ("Playwatch", __version__),
            ("up for", lasted(now - self._started_at)),
            (
                "configuration",
                f"read {since}" if is_current else f"last reload failed; in force since {since}",
            ),
            ("store", f"{self._store_path.name}, {_megabytes(self._store_path)}"),
            ("Python", platform.python_version()),
            *((name, _version(name)) for name in _LIBRARIES),
            ("system", f"{platform.system()} {platform.release()}"),
        ]


class Counted:
    """What the engine counts of itself at one moment."""

    def __init__(self, counts: Mapping[str, Mapping[str, float]]) -> None:
        self._counts = counts

    def by_label(self, name: str) -> dict[str, float]:
        """Return a counter by the values of its labels, the greatest first."""
        return dict(sorted(self._counts.get(name, {}).items(), key=lambda pair: -pair[1]))

    def sum(self, name: str) -> float:
        """Return a counter over all of its labels; 0 where there is none."""
        return sum(self._counts.get(name, {}).values())


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _megabytes(path: Path) -> str:
    sizes = [path, path.with_name(f"{path.name}-wal")]
    return f"{sum(one.stat().st_size for one in sizes if one.exists()) / 1e6:,.1f} MB"
