"""The picture of a bench: one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch import __version__
from playwatch.web.curves import Curve, Curves
from playwatch.web.paper import with_charts, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwatch.bench.figures import Measured


def write_page(path: Path, measured: Measured) -> None:
    """Write a page with the figures and two charts.

    Raises
    ------
    ReportError
        If the file cannot be written.
    """
    write(path, render_page(measured))


def render_page(measured: Measured) -> str:
    """Return the page; it loads nothing from anywhere."""
    storm = measured.storm
    charts = [
        Curves(
            curves=[
                Curve("triggers", *_shares(measured.trigger.values_ms)),
                Curve("resolves", *_shares(measured.resolve.values_ms)),
            ],
            x_label="milliseconds from publish to page",
            y_label="% of pages arrived",
        ),
        Curves(
            curves=[Curve("triggers", *_counts(storm.arrivals_ms))],
            x_label="milliseconds after the publish",
            y_label="pages arrived",
        ),
    ]
    return with_charts("bench.html.j2", charts, measured=measured, version=__version__)


def _counts(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return values in order, and how many are no larger than each."""
    ordered = sorted(values)
    return ordered, [float(number) for number in range(1, len(ordered) + 1)]


def _shares(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return values in order, and how many percent are no larger than each."""
    ordered, counts = _counts(values)
    return ordered, [100 * count / len(ordered) for count in counts]
