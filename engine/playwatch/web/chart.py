"""What a chart shows, apart from how it is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.rules import Severity


@dataclass(frozen=True, slots=True)
class Shade:
    """The time of one incident, milliseconds since the epoch."""

    start_at: int
    end_at: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class Band:
    """What was normal, and what was expected, over time; columns of one length.

    Attributes
    ----------
    times
        Milliseconds since the epoch.
    low, high, expected
        NaN where nothing is known.
    is_constant
        True where it is only known of one moment, and drawn as if it held throughout.
    """

    times: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]
    expected: Sequence[float]
    is_constant: bool = False

    @classmethod
    def constant(cls, times: tuple[int, int], low: float, high: float, expected: float) -> Band:
        """Return the band of one moment from the begin of a chart to its end."""
        return cls(times, (low, low), (high, high), (expected, expected), is_constant=True)

    def stretches(self) -> list[tuple[list[int], list[float], list[float]]]:
        """Return times, low and high of each stretch in which both are known."""
        found: list[tuple[list[int], list[float], list[float]]] = []
        is_inside = False
        for at, low, high in zip(self.times, self.low, self.high, strict=True):
            is_known = math.isfinite(low) and math.isfinite(high)
            if is_known and not is_inside:
                found.append(([], [], []))
            if is_known:
                times, lows, highs = found[-1]
                times.append(at)
                lows.append(low)
                highs.append(high)
            is_inside = is_known
        return found

    def levels(self) -> list[float]:
        """Return every value that an axis has to hold."""
        columns = (self.low, self.high, self.expected)
        return [value for column in columns for value in column if math.isfinite(value)]


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
    band
        What was learned; None for none.
    """

    times: Sequence[int]
    values: Sequence[float]
    from_at: int
    until_at: int
    bounds: Sequence[tuple[float, Severity]]
    resolve: float | None
    shades: Sequence[Shade]
    band: Band | None = None

    def levels(self) -> tuple[float, float]:
        """Return the least and the greatest value that its axis shows, with some air."""
        shown = [value for value in self.values if math.isfinite(value)]
        shown += [limit for limit, _ in self.bounds]
        shown += [] if self.band is None else self.band.levels()
        low, high = min(shown, default=0.0), max(shown, default=1.0)
        low = 0.0 if 0 <= low < (high / 2) else low
        air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
        return (low if low == 0 else low - air), high + air


def lane(band: Band | None) -> dict[str, list[list[float]]]:
    """Return the outlines of a band's stretches, a polygon each."""
    found: dict[str, list[list[float]]] = {"xs": [], "ys": []}
    for times, low, high in [] if band is None else band.stretches():
        found["xs"].append([*times, *reversed(times)])
        found["ys"].append([*high, *reversed(low)])
    return found


def middle(band: Band | None) -> dict[str, list[float]]:
    """Return what was expected, with the edges beside it."""
    if band is None:
        return {"x": [], "expected": [], "low": [], "high": []}
    return {
        "x": list(band.times),
        "expected": list(band.expected),
        "low": list(band.low),
        "high": list(band.high),
    }


def changing(chart: Chart) -> dict[str, Any]:
    """Return what of a chart changes, for one that is drawn already."""
    low, high = chart.levels()
    return {
        "values": {"x": list(chart.times), "y": _nulled(chart.values)},
        "lane": lane(chart.band),
        "expected": {name: _nulled(column) for name, column in middle(chart.band).items()},
        "low": low,
        "high": high,
        "shades": [(one.start_at, one.end_at) for one in chart.shades],
        "from": chart.from_at,
        "until": max(chart.until_at, chart.from_at + 1000),
    }


def _nulled(values: Sequence[float]) -> list[float | None]:
    """Return values as JSON can say them."""
    return [value if math.isfinite(value) else None for value in values]


def shipped_script() -> Path:
    """Return the file with the script that draws charts, as bokeh ships it.

    Notes
    -----
    Found without importing bokeh, which takes half a second and 60 MB.
    """
    found = find_spec("bokeh")
    if found is None or found.origin is None:
        raise FileNotFoundError
    return Path(found.origin).parent / "server" / "static" / "js" / "bokeh.min.js"
