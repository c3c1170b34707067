"""Charts: values over time with bounds and incidents; the only owner of bokeh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bokeh.embed import components
from bokeh.models import DatetimeTickFormatter, HoverTool, NumeralTickFormatter, Range1d
from bokeh.models.annotations import BoxAnnotation, Span
from bokeh.plotting import figure
from bokeh.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.rules import Severity

_COLOURS = {"info": "#5b8def", "warning": "#e8a33d", "error": "#e06c3b", "critical": "#cf3a3a"}
_LINE = "#2b5c8a"
_GREY = "#6a737d"


@dataclass(frozen=True, slots=True)
class Shade:
    """The time of one incident, milliseconds since the epoch."""

    start_at: int
    end_at: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class Chart:
    """One line over time.

    Attributes
    ----------
    times, values
        Milliseconds since the epoch, and the value; NaN breaks the line.
    from_at, until_at
        What the time axis shows.
    bounds
        Limits with their severity.
    resolve
        The limit below which it is over; None for none.
    """

    times: Sequence[int]
    values: Sequence[float]
    from_at: int
    until_at: int
    bounds: Sequence[tuple[float, Severity]]
    resolve: float | None
    shades: Sequence[Shade]


def inline_script() -> str:
    """Return the script that draws charts, whole, with nothing to load from elsewhere."""
    resources = Resources(mode="inline", components=["bokeh"])
    return "\n".join(resources.js_raw)


def embedded(charts: Sequence[Chart]) -> tuple[str, list[str]]:
    """Return one script for some charts, and the place of each in the page.

    Notes
    -----
    Charts hold numbers only, no names: those stand in the page around them,
    where they are escaped.
    """
    if not charts:
        return "", []
    script, places = components([_drawn(chart) for chart in charts])
    return script, list(places)


def _drawn(chart: Chart) -> figure:
    plot = figure(
        height=230,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        x_range=Range1d(start=chart.from_at, end=max(chart.until_at, chart.from_at + 1000)),
        y_range=_range(chart),
        tools="xpan,xwheel_zoom,xbox_zoom,reset,save",
        active_drag="xbox_zoom",
        background_fill_color="#ffffff",
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    for shade in chart.shades:
        colour = _COLOURS[shade.severity.word]
        plot.add_layout(
            BoxAnnotation(
                left=shade.start_at,
                right=shade.end_at,
                fill_color=colour,
                fill_alpha=0.18,
                line_color=colour,
                line_alpha=0.5,
            )
        )
    line = plot.line(list(chart.times), list(chart.values), line_color=_LINE, line_width=1.4)
    for limit, severity in chart.bounds:
        plot.add_layout(_limit(limit, _COLOURS[severity.word], "solid"))
    if chart.resolve is not None and chart.resolve not in [limit for limit, _ in chart.bounds]:
        plot.add_layout(_limit(chart.resolve, _GREY, "dotted"))
    plot.add_tools(
        HoverTool(
            renderers=[line],
            mode="vline",
            tooltips=[("at", "@x{%F %T} UTC"), ("value", "@y{0,0.[00]}")],
            formatters={"@x": "datetime"},
        )
    )
    plot.xaxis.formatter = DatetimeTickFormatter(
        minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%d %b", months="%b %Y"
    )
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    plot.yaxis.minor_tick_line_color = plot.xaxis.minor_tick_line_color = None
    plot.grid.grid_line_color = "#e7ebef"
    plot.outline_line_color = "#d5dbe1"
    plot.xaxis.axis_line_color = plot.yaxis.axis_line_color = None
    plot.xaxis.major_label_text_color = plot.yaxis.major_label_text_color = _GREY
    return plot


def _limit(limit: float, colour: str, dash: str) -> Span:
    return Span(
        location=limit, dimension="width", line_color=colour, line_dash=dash, line_width=1.2
    )


def _range(chart: Chart) -> Range1d:
    """Return an axis that holds every value and every bound, with some air."""
    shown = [value for value in chart.values if math.isfinite(value)]
    shown += [limit for limit, _ in chart.bounds]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    low = 0.0 if 0 <= low < (high / 2) else low
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return Range1d(start=low if low == 0 else low - air, end=high + air)
