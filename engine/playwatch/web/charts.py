"""Charts: values over time with bounds and incidents, curves; the only owner of bokeh."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from bokeh.embed import components, json_item
from bokeh.models import (
    ColumnDataSource,
    DatetimeTicker,
    DatetimeTickFormatter,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.annotations import BoxAnnotation, Span
from bokeh.plotting import figure
from bokeh.resources import Resources

from playwatch.web.chart import lane, middle
from playwatch.web.curves import Curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.web.chart import Band, Chart

_COLOURS = {"info": "#5b8def", "warning": "#e8a33d", "error": "#e06c3b", "critical": "#cf3a3a"}
_LINE = "#2b5c8a"
_GREY = "#6a737d"
_HUES = ("#2b5c8a", "#1d7044")
_BAND = "#1d7044"
_TICKS = 5  # so that times do not touch on a phone
_NIGHT = "#192028"
_MOON = "#7db8ee"
_LEAF = "#74d39c"


def item(chart: Chart, *, is_dark: bool) -> dict[str, Any]:
    """Return a chart as JSON, which the shipped script draws in a page that runs no other.

    Notes
    -----
    Its sources have names, so that a page can bring them up to date.
    """
    plot = _drawn(chart, _MOON if is_dark else _LINE, _LEAF if is_dark else _BAND)
    if is_dark:
        _darken(plot)
    return dict(json_item(plot))


def inline_script() -> str:
    """Return the script that draws charts, whole, with nothing to load from elsewhere."""
    resources = Resources(mode="inline", components=["bokeh"])
    return "\n".join(resources.js_raw)


def embedded(charts: Sequence[Chart | Curves]) -> tuple[str, list[str]]:
    """Return one script for some charts, and the place of each in the page.

    Notes
    -----
    Charts hold numbers and labels of ours, no names that others gave: those
    stand in the page around them, where they are escaped.
    """
    if not charts:
        return "", []
    drawn = [_curved(one) if isinstance(one, Curves) else _drawn(one) for one in charts]
    script, places = components(drawn)
    return script, list(places)


def _drawn(chart: Chart, colour: str = _LINE, hue_of_band: str = _BAND) -> figure:
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
    for number, shade in enumerate(chart.shades):
        hue = _COLOURS[shade.severity.word]
        plot.add_layout(
            BoxAnnotation(
                name=f"shade-{number}",
                left=shade.start_at,
                right=shade.end_at,
                fill_color=hue,
                fill_alpha=0.18,
                line_color=hue,
                line_alpha=0.5,
            )
        )
    if chart.band is not None:
        _draw_band(plot, chart.band, hue_of_band)
    values = ColumnDataSource({"x": list(chart.times), "y": list(chart.values)}, name="values")
    line = plot.line("x", "y", source=values, line_color=colour, line_width=1.6)
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
    plot.xaxis.ticker = DatetimeTicker(desired_num_ticks=_TICKS)
    plot.xaxis.formatter = DatetimeTickFormatter(
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%d %b",
        months="%b %Y",
    )
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    _dress(plot)
    return plot


def _draw_band(plot: figure, band: Band, hue: str) -> None:
    """Draw what was normal as an area, and what was expected as a line."""
    plot.patches(
        "xs",
        "ys",
        source=ColumnDataSource(lane(band), name="lane"),
        fill_color=hue,
        fill_alpha=0.16,
        line_alpha=0.0,
    )
    line = plot.line(
        "x",
        "expected",
        source=ColumnDataSource(middle(band), name="expected"),
        line_color=hue,
        line_dash="dashed",
        line_width=1.2,
    )
    if not band.is_constant:
        tips = [
            ("expected", "@expected{0,0.[00]}"),
            ("normal", "@low{0,0.[00]} to @high{0,0.[00]}"),
        ]
        plot.add_tools(HoverTool(renderers=[line], mode="vline", tooltips=tips))


def _curved(chart: Curves) -> figure:
    """Draw curves, each in a colour of its own."""
    furthest = max((x for curve in chart.curves for x in curve.xs), default=1.0)
    highest = max((y for curve in chart.curves for y in curve.ys), default=1.0)
    plot = figure(
        height=260,
        sizing_mode="stretch_width",
        x_range=Range1d(start=0, end=furthest * 1.04 or 1.0),
        y_range=Range1d(start=0, end=highest * 1.04 or 1.0),
        tools="xpan,xwheel_zoom,xbox_zoom,reset,save",
        active_drag="xbox_zoom",
        background_fill_color="#ffffff",
    )
    for curve, colour in zip(chart.curves, cycle(_HUES)):
        plot.step(
            [0.0, *curve.xs],
            [0.0, *curve.ys],
            mode="after",
            line_color=colour,
            line_width=2,
            legend_label=curve.label,
        )
    plot.add_tools(HoverTool(tooltips=[(chart.x_label, "@x{0.0}"), (chart.y_label, "@y{0.[0]}")]))
    plot.xaxis.axis_label, plot.yaxis.axis_label = chart.x_label, chart.y_label
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_color = _GREY
    plot.legend.location = "bottom_right"
    plot.legend.border_line_color = None
    plot.legend.background_fill_alpha = 0.8
    _dress(plot)
    return plot


def _dress(plot: figure) -> None:
    """Make a plot look like the others."""
    plot.border_fill_color = None  # what lies around it shows through, by day and by night
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.yaxis.minor_tick_line_color = plot.xaxis.minor_tick_line_color = None
    plot.grid.grid_line_color = "#e7ebef"
    plot.outline_line_color = "#d5dbe1"
    plot.xaxis.axis_line_color = plot.yaxis.axis_line_color = None
    plot.xaxis.major_label_text_color = plot.yaxis.major_label_text_color = _GREY


def _darken(plot: figure) -> None:
    plot.background_fill_color = _NIGHT
    plot.grid.grid_line_color = plot.outline_line_color = "#2c3641"
    for axis in (*plot.xaxis, *plot.yaxis):
        axis.major_label_text_color = "#98a6b4"
        axis.major_tick_line_color = "#2c3641"


def _limit(limit: float, colour: str, dash: str) -> Span:
    return Span(
        location=limit, dimension="width", line_color=colour, line_dash=dash, line_width=1.2
    )


def _range(chart: Chart) -> Range1d:
    low, high = chart.levels()
    return Range1d(start=low, end=high)
