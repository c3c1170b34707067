"""The charts of the pages: drawn on the server, and again by a script where there is one.

A page holds the picture as SVG, so that nothing is missing without a script.
With one, the same numbers come as JSON, and bokeh's own file, which is served
from where it is installed, draws them: with a pointer, a zoom, and new values
as they come.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from playwatch.core.rules import AlertType, Threshold
from playwatch.runtime.trails import Trail
from playwatch.web.chart import Band, Chart, Shade, changing, shipped_script

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident
    from playwatch.core.rules import Rule, Severity
    from playwatch.ports import Clock
    from playwatch.runtime.past import Past, Trace

SCRIPT_PATH: Final = "/static/charts.js"
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_GAP_INTERVALS: Final = 3


async def script(request: web.Request) -> web.StreamResponse:
    """Answer with bokeh's script; a browser keeps it for a day."""
    body = await asyncio.to_thread(_script)
    etag = f'"{len(body)}"'
    headers = {"Cache-Control": "private, max-age=86400", "ETag": etag}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    response = web.Response(body=body, content_type="text/javascript", headers=headers)
    response.enable_compression()
    return response


@cache
def _script() -> bytes:
    return shipped_script().read_bytes()


async def answer(request: web.Request, chart: Chart) -> web.Response:
    """Answer with a chart as JSON: whole, or with ``?data`` what of it changes."""
    if "data" in request.query:
        return web.json_response(changing(chart))
    is_dark = request.query.get("theme") == "dark"
    return web.json_response(await asyncio.to_thread(_item, chart, is_dark=is_dark))


def _item(chart: Chart, *, is_dark: bool) -> dict[str, Any]:
    from playwatch.web.charts import item  # noqa: PLC0415 - bokeh takes half a second

    return item(chart, is_dark=is_dark)


class IncidentCharts:
    """Makes the chart around an incident."""

    def __init__(self, past: Past, clock: Clock) -> None:
        self._past = past
        self._clock = clock

    async def chart(self, incident: Incident, rule: Rule | None) -> Chart:
        """Return the chart: some time before, the incident, some time after."""
        now = self._clock.wall_ms()
        end_at = incident.resolved_at or now
        length = max(end_at - incident.started_at, 0)
        from_at = incident.started_at - min(max(2 * length, 2 * _MINUTE_MS), 2 * _HOUR_MS)
        until_at = max(min(end_at + min(max(length, _MINUTE_MS), _HOUR_MS), now), from_at)
        group = incident.breakdowns
        trace = await self._past.of_group(incident.rule, group, from_at, until_at)
        trail = Trail()
        if incident.alert_type is AlertType.ANOMALY:
            (trail,) = await self._past.of_learned(incident.rule, [group], from_at, until_at)
        chart = _incident_chart(incident, rule, trace, (from_at, until_at, end_at))
        return _with_trail(chart, trail, 1000 * rule.window_s if rule else _MINUTE_MS)


def _incident_chart(
    incident: Incident, rule: Rule | None, trace: Trace, times: tuple[int, int, int]
) -> Chart:
    from_at, until_at, end_at = times
    condition = None if rule is None else rule.condition
    known = condition if isinstance(condition, Threshold) else None
    band, low, high = None, incident.expected_low, incident.expected_high
    if low is not None and high is not None:
        expected = math.nan if incident.expected is None else incident.expected
        band = Band.constant((from_at, until_at), low, high, expected)
    bounds: list[tuple[float, Severity]] = []
    if known is not None:
        bounds = [(tier.limit, tier.severity) for tier in known.tiers]
    elif band is None:
        bounds = [(incident.threshold, incident.severity)]
    return Chart(
        times=trace.times,
        values=trace.values,
        from_at=from_at,
        until_at=until_at,
        bounds=bounds,
        resolve=known.resolve.limit if known else None,
        shades=[Shade(incident.started_at, end_at, incident.severity)],
        band=band,
    )


def _with_trail(chart: Chart, trail: Trail, interval_ms: float) -> Chart:
    """Return a chart with what was seen and expected of each interval, where that is kept.

    Notes
    -----
    A look shows an interval's value for as long as no newer one has closed; so
    where intervals are kept themselves, looks add only what came before them,
    and after the last one what already differs from it.
    """
    if not any(math.isfinite(value) for value in trail.high):
        return chart
    broken = trail.broken(round(max(_GAP_INTERVALS * interval_ms, _GAP_INTERVALS * _MINUTE_MS)))
    first, last, newest = trail.times[0], trail.times[-1], trail.value[-1]
    looks = list(zip(chart.times, chart.values, strict=True))
    before = [(at, value) for at, value in looks if at < first]
    after = [(at, value) for at, value in looks if at > last and value != newest]
    pairs = [*before, *zip(broken.times, broken.value, strict=True), *after]
    return replace(
        chart,
        times=[at for at, _ in pairs],
        values=[value for _, value in pairs],
        band=Band(broken.times, broken.low, broken.high, broken.expected),
    )
