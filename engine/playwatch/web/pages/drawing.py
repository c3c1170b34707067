"""Small pictures made on the server: sparklines and a timeline, as SVG without any script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from playwatch.web.pages.words import filled, quantity, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from playwatch.core.rules import Severity
    from playwatch.web.chart import Band, Chart

_ROWS: Final = 12
_ROW: Final = 22
_LEFT: Final = 170
_WIDE: Final = 1000
_STEPS_MS: Final = (120_000, 600_000, 3_600_000, 3 * 3_600_000, 24 * 3_600_000, 10**15)
_PLOT_LEFT: Final = 70
_PLOT_HIGH: Final = 240
_LINE_HIGH: Final = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One incident on a timeline."""

    row: str
    start_at: int
    end_at: int
    severity: Severity
    is_open: bool
    address: str
    label: str


def timeline(bars: Sequence[Bar], from_at: int, until_at: int) -> Markup:
    """Return incidents on a timeline, a row per rule, each a link to its page.

    Notes
    -----
    Rules with the newest incidents come first, `_ROWS` of them. An open
    incident ends in an arrow, so that its colour need not say it.
    """
    rows = list(dict.fromkeys(bar.row for bar in bars))[:_ROWS]
    height = _ROW * len(rows) + 22
    parts = [_hours(from_at, until_at, height)]
    for number, row in enumerate(rows):
        top = number * _ROW
        parts.append(filled('<text class="row" x="0" y="{}">{}</text>', top + 15, shown(row, 24)))
        parts += [_bar(bar, top, from_at, until_at) for bar in bars if bar.row == row]
    return Markup(
        '<svg class="timeline" viewBox="0 0 {} {}" role="img" '
        'aria-label="Incidents of the last day, a row per rule">{}</svg>'
    ).format(_WIDE, height, Markup().join(parts))


def _bar(bar: Bar, top: int, from_at: int, until_at: int) -> Markup:
    left = _place(max(bar.start_at, from_at), from_at, until_at)
    right = max(_place(bar.end_at, from_at, until_at), left + 3)
    shape = filled(
        '<rect x="{:.1f}" y="{}" width="{:.1f}" height="12" rx="2"/>', left, top + 5, right - left
    )
    if bar.is_open:
        shape += filled('<path d="M{0:.1f} {1}l8 8-8 8z"/>', right - 2, top + 3)
    words = f"{bar.severity.word}, {'open' if bar.is_open else 'ended'}: {shown(bar.label, 200)}"
    return filled(
        '<a href="{}" class="bar {}"><title>{}</title>{}</a>',
        bar.address,
        bar.severity.word,
        words,
        shape,
    )


def _hours(from_at: int, until_at: int, height: int) -> Markup:
    """Return some six lines and their labels, at round times."""
    step = next(one for one in _STEPS_MS if (until_at - from_at) <= 8 * one)
    marks = range(-(-from_at // step) * step, until_at, step)
    return Markup().join(
        Markup(
            '<line x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/><text x="{0:.1f}" y="{2}">{3}</text>'
        ).format(
            _place(at, from_at, until_at),
            height - 18,
            height - 4,
            datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M"),
        )
        for at in marks
    )


def _place(at: int, from_at: int, until_at: int) -> float:
    share = (at - from_at) / max(until_at - from_at, 1)
    return _LEFT + (_WIDE - _LEFT - 14) * min(max(share, 0.0), 1.0)


def sparkline(
    values: Sequence[float],
    bounds: Iterable[float] = (),
    *,
    band: Sequence[tuple[float, float]] = (),
    width: int = 120,
    height: int = 28,
) -> Markup:
    """Return values as a small line, with dashed bounds and a band; NaN breaks the line.

    Parameters
    ----------
    band
        What was normal with each value, low and high; NaN where nobody knew.

    Notes
    -----
    Nothing where there are fewer than two values. The words around it say what
    it shows, so it is hidden from screen readers.
    """
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:  # noqa: PLR2004 - a line has two ends
        return Markup("")
    limits = [bound for bound in bounds if math.isfinite(bound)]
    edges = [edge for pair in band for edge in pair if math.isfinite(edge)]
    low, high = min([*known, *edges]), max([*known, *limits, *edges])
    low = min(low, 0.0) if low >= 0 and low < high / 2 else min([low, *limits])
    span = (high - low) or 1.0
    across = (width - 4) / max(len(values) - 1, 1)

    def place(value: float) -> float:
        return height - 3 - (value - low) / span * (height - 6)

    lines = [
        filled(
            '<line class="bound" x1="0" x2="{0}" y1="{1:.1f}" y2="{1:.1f}"/>', width, place(bound)
        )
        for bound in limits
    ]
    if edges:
        lines.insert(0, filled('<path class="band" d="{}"/>', _area(band, place, across)))
    return Markup(
        '<svg class="spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        '{2}<path d="{3}"/></svg>'
    ).format(width, height, Markup().join(lines), _path(values, place, across))


def _area(
    band: Sequence[tuple[float, float]], place: Callable[[float], float], across: float
) -> str:
    """Return a band as SVG draws it, an outline for each stretch that is known."""
    path: list[str] = []
    stretch: list[tuple[float, float, float]] = []
    for number, (low, high) in enumerate([*band, (math.nan, math.nan)]):
        if math.isfinite(low) and math.isfinite(high):
            stretch.append((2 + number * across, place(low), place(high)))
        elif stretch:
            edge = [f"{x:.1f} {top:.1f}" for x, _, top in stretch]
            edge += [f"{x:.1f} {bottom:.1f}" for x, bottom, _ in reversed(stretch)]
            path.append(f"M{'L'.join(edge)}Z")
            stretch = []
    return "".join(path)


def _path(values: Sequence[float], place: Callable[[float], float], across: float) -> str:
    """Return the line as SVG draws it, lifting the pen over what is not known."""
    path, pen = [], "M"
    for number, value in enumerate(values):
        if not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{2 + number * across:.1f} {place(value):.1f}")
        pen = "L"
    return "".join(path)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a plot's times and values are on the paper."""

    from_at: int
    until_at: int
    low: float
    high: float

    def x(self, at: float) -> float:
        """Return how far to the right a time is."""
        share = (at - self.from_at) / max(self.until_at - self.from_at, 1)
        return _PLOT_LEFT + (_WIDE - _PLOT_LEFT - 6) * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        """Return how far down a value is."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return 8 + (_PLOT_HIGH - 32) * (1 - min(max(share, 0.0), 1.0))


def plot(chart: Chart, unit: str = "") -> Markup:
    """Return a chart that needs no script: the line, its bounds, its band, its incidents."""
    bounds = [limit for limit, _ in chart.bounds]
    low, high = chart.levels()
    frame = Frame(chart.from_at, chart.until_at, low, high)
    parts = [
        filled(
            '<rect class="shade" x="{:.1f}" y="8" width="{:.1f}" height="{}"/>',
            frame.x(one.start_at),
            max(frame.x(one.end_at) - frame.x(one.start_at), 2),
            _PLOT_HIGH - 32,
        )
        for one in chart.shades
    ]
    if chart.band is not None:
        parts += _normal(frame, chart.band)
    parts += [_level(frame, value, unit, "grid", near=bounds) for value in (low, high)]
    parts += [_level(frame, value, unit, "bound") for value in bounds]
    parts += [_moment(frame, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    pairs = zip(chart.times, chart.values, strict=True)
    parts.append(filled('<path class="line" d="{}"/>', _line(frame, pairs)))
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDE, _PLOT_HIGH, "The value over time, with its bound", Markup().join(parts))


def _normal(frame: Frame, band: Band) -> list[Markup]:
    """Return what was normal as an area, and what was expected as a line."""
    parts = []
    for times, low, high in band.stretches():
        edge = [*zip(times, high, strict=True), *reversed([*zip(times, low, strict=True)])]
        outline = f"{_line(frame, edge)}Z"
        parts.append(filled('<path class="band" d="{}"/>', outline))
    pairs = zip(band.times, band.expected, strict=True)
    parts.append(filled('<path class="expected" d="{}"/>', _line(frame, pairs)))
    return parts


def _level(frame: Frame, value: float, unit: str, kind: str, near: Iterable[float] = ()) -> Markup:
    """Return a level with its value, left out where it would touch that of a nearby level."""
    y = frame.y(value)
    is_hidden = any(abs(y - frame.y(one)) < _LINE_HIGH for one in near)
    return Markup(
        '<line class="{kind}" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text class="value" x="{edge}" y="{base:.1f}">{said}</text>'
    ).format(
        kind=kind,
        left=_PLOT_LEFT,
        right=_WIDE - 6,
        y=y,
        edge=_PLOT_LEFT - 6,
        base=y + 4,
        said="" if is_hidden else quantity(value, unit if unit == "%" else ""),
    )


def _moment(frame: Frame, share: float) -> Markup:
    at = frame.from_at + share * (frame.until_at - frame.from_at)
    said = datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S")
    x = min(max(frame.x(at), _PLOT_LEFT + 24), _WIDE - 34)
    return filled('<text x="{:.1f}" y="{}">{}</text>', x, _PLOT_HIGH - 6, said)


def _line(frame: Frame, pairs: Iterable[tuple[int, float]]) -> str:
    path, pen = [], "M"
    for at, value in pairs:
        if not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{frame.x(at):.1f} {frame.y(value):.1f}")
        pen = "L"
    return "".join(path)
