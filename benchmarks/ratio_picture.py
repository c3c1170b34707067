"""Draw the band and the incident of one ratio series as an SVG.

    python benchmarks/ratio_picture.py [--out ratio.svg] [--seed 4]

Four days are learned; the fifth has a fault from 14:00 to 15:30 that triples
the failure rate of one country, and a premiere from 18:00 that multiplies the
audience and breaks nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.calibration import Budget
from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.decision import Decider
from playwatch_models.detector import Intervals
from playwatch_models.evidence import RatioDetector
from playwatch_models.synthetic import ANY, Audience, Fault, Surge, draw, simulate

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = 1440
START = 1_767_571_200_000
WIDTH, HEIGHT, LEFT, TOP = 1100, 380, 56, 44
TITLE = "Playback failures of one country: value, expected value with its band, and the incident"
COUNTRY = 5
COLUMNS = ("value", "expected", "low", "high", "views", "is_open")


def watched(seed: int) -> dict[str, NDArray[np.float64]]:
    """Play five days of one country; return the last one, minute by minute."""
    audience = Audience(intervals=5 * DAY, mean_views=3000.0)
    one = replace(
        draw(audience, np.random.default_rng(seed)),
        faults=(Fault(4 * DAY + 840, 4 * DAY + 930, (ANY, COUNTRY, ANY), 3.0),),
        surges=(Surge(4 * DAY + 1080, 4 * DAY + 1260, 8.0),),
        restarts=(),
        release=(5 * DAY, 1.0),
    )
    is_here = one.values[:, 1] == COUNTRY
    detector = RatioDetector(Watch(MetricClass.RATIO, 60.0, Direction.UP))
    detector.resize(1, np.array([-1], np.int32))
    decider = Decider(Budget(1.0), 60.0, min_affected=12.0)
    decider.resize(1)
    group = np.zeros(1, np.int32)
    rows = []
    for at, batch in enumerate(simulate(one, np.random.default_rng(seed + 1))):
        if batch is None:
            continue
        views, failures = (float(column[is_here].sum()) for column in batch)
        intervals = Intervals(
            group,
            np.array([START + (at + 1) * 60_000]),
            np.array([100 * failures / max(views, 1)]),
            np.array([views]),
        )
        found = detector.step(intervals, decider.is_open(group))
        excess = (intervals.value - np.nan_to_num(found.expected)) / 100 * views
        decider.decide(found, excess)
        band = (found.expected[0], found.low[0], found.high[0])
        rows.append((intervals.value[0], *band, views, float(decider.is_open(group)[0])))
    day = np.array(rows[-DAY:])
    return dict(zip(COLUMNS, day.T, strict=True))


def picture(day: dict[str, NDArray[np.float64]], title: str = TITLE, unit: str = " %") -> str:
    """Return the SVG: band, expectation, values, the open incident, and the views below."""
    across = LEFT + np.arange(len(day["value"])) / len(day["value"]) * (WIDTH - LEFT - 12)
    top = float(np.nanquantile(day["value"], 0.999)) * 1.1
    floor, below = HEIGHT - 110, HEIGHT - 24

    def line(name: str, *, backwards: bool = False) -> str:
        down = floor - np.clip(np.nan_to_num(day[name]) / top, 0, 1) * (floor - TOP)
        points = [f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True)]
        return " ".join(points[::-1] if backwards else points)

    is_open = day["is_open"] > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_open.astype(int), [0]])))
    spans = [(across[a], across[min(b, len(across) - 1)]) for a, b in edges.reshape(-1, 2)]
    shades = "".join(
        f'<rect x="{a:.1f}" y="{TOP}" width="{max(b - a, 1):.1f}" height="{floor - TOP}" '
        'fill="#d1242f" opacity="0.14"/>'
        for a, b in spans
    )
    most = max(day["views"].max(), 1)
    bars = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{below}" y2="{below - 60 * v / most:.1f}"/>'
        for x, v in zip(across[::3], day["views"][::3], strict=True)
    )
    hours = "".join(
        f'<text x="{across[hour * 60]:.0f}" y="{HEIGHT - 8}">{hour:02}:00</text>'
        for hour in range(0, 24, 3)
    )
    digits = max(0, 2 - len(str(int(top))))
    ticks = "".join(
        f'<text x="8" y="{floor - part * (floor - TOP) + 4:.0f}">'
        f"{part * top:,.{digits}f}{unit}</text>"
        for part in (0, 0.5, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        f'<text x="{LEFT}" y="20" font-size="15">{title}</text>'
        f'{shades}<polygon points="{line("low")} {line("high", backwards=True)}" '
        'fill="#0969da" opacity="0.18"/>'
        f'<polyline points="{line("value")}" fill="none" stroke="#444" stroke-width="0.8"/>'
        f'<polyline points="{line("expected")}" fill="none" stroke="#0969da" stroke-width="1.6"/>'
        f'<g stroke="#8c959f">{bars}</g><text x="8" y="{below - 50}">views</text>'
        f"{hours}{ticks}</svg>"
    )


def main() -> None:
    """Watch, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("ratio.svg"))
    parser.add_argument("--seed", type=int, default=4)
    asked = parser.parse_args()
    day = watched(asked.seed)
    asked.out.write_text(picture(day))
    opened = np.flatnonzero(np.diff(day["is_open"]) > 0) + 1
    closed = np.flatnonzero(np.diff(day["is_open"]) < 0) + 1
    print(f"opened at minutes {opened.tolist()}, closed at {closed.tolist()} (fault: 840 to 930)")


if __name__ == "__main__":
    main()
