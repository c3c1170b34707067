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
    band, expected
        The learned band, low and high, and its middle; None for none.
    """

    times: Sequence[int]
    values: Sequence[float]
    from_at: int
    until_at: int
    bounds: Sequence[tuple[float, Severity]]
    resolve: float | None
    shades: Sequence[Shade]
    band: tuple[float, float] | None = None
    expected: float | None = None


def changing(chart: Chart) -> dict[str, Any]:
    """Return what of a chart changes, for one that is drawn already."""
    values = [value if math.isfinite(value) else None for value in chart.values]
    return {
        "x": list(chart.times),
        "y": values,
        "shades": [(one.start_at, one.end_at) for one in chart.shades],
        "from": chart.from_at,
        "until": max(chart.until_at, chart.from_at + 1000),
    }


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
