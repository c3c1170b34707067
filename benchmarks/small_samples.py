"""How often a share of views pages by chance: ``python benchmarks/small_samples.py``.

A thousand series whose true rate is just below the bound, for a day, judged on
every arrival. Every incident is a false one. The same samples go through five
rules: plain, with ``for``, with a confidence of 0.95 and of 0.999, and with both.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

import machine
import numpy as np

from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import Bound, Comparison, Rule, Severity, Threshold, Tier
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions

START = 1_800_000_000_000
METRIC = "playback_failure_percentage"
LIMIT = 5.0
RATE = 4.9
WINDOW_S = 60.0
CONDITION = Threshold(
    Comparison.ABOVE, (Tier(Severity.CRITICAL, LIMIT),), Bound(Comparison.AT_MOST, LIMIT)
)


def rules() -> list[Rule]:
    """Return the five rules, one incident per series."""
    ways: dict[str, dict[str, Any]] = {
        "plain": {},
        "for 2m": {"for_s": 120.0, "resolve_for_s": 120.0},
        "confidence 0.95": {"confidence": 0.95},
        "confidence 0.999": {"confidence": 0.999},
        "confidence 0.95, for 2m": {"confidence": 0.95, "for_s": 120.0, "resolve_for_s": 120.0},
    }
    return [
        Rule(name, METRIC, CONDITION, by=("title",), window_s=WINDOW_S, **fields)
        for name, fields in ways.items()
    ]


def simulate(series: int, hours: float, views: int, every_s: int, rate: float) -> dict[str, float]:
    """Return openings per series and day, by rule.

    Parameters
    ----------
    views
        Views that one sample summarises.
    every_s
        Seconds between two samples of a series.
    rate
        The true share of failures, per cent.
    """
    dice = np.random.default_rng(20261123)
    catalogue, table = Catalogue(), SeriesTable()
    metric = catalogue.id_of(METRIC)
    if metric is None:
        raise LookupError(METRIC)
    rows = [
        table.intern(metric, canonical_dimensions({"title": f"title-{number}"}))
        for number in range(series)
    ]
    row = np.array(rows, np.int32)
    pipeline = Pipeline(catalogue, table, rules(), [], "benchmark")
    opened: Counter[str] = Counter()
    of = np.full(series, views, np.int64)
    for step in range(round(hours * 3600 / every_s)):
        now_ms = step * every_s * 1000
        failures = dice.binomial(views, rate / 100, series)
        at = np.full(series, START + now_ms, np.int64)
        batch = SampleBatch(row, at, 100.0 * failures / views, of)
        now = Instant(START + now_ms, now_ms)
        turns = [*pipeline.take(batch, now).turns, *pipeline.tick(now).turns]
        opened.update(incident.rule for change, incident in turns if change.value == "opened")
    days = series * hours / 24
    return {rule.name: round(opened[rule.name] / days, 4) for rule in rules()}


def main() -> int:
    """Measure, print the table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--every", type=int, default=10, help="seconds between samples")
    parser.add_argument("--views", type=int, nargs="+", default=[5, 50], help="views a sample")
    arguments = parser.parse_args()
    results = []
    for views in arguments.views:
        begun = time.perf_counter()
        found = simulate(arguments.series, arguments.hours, views, arguments.every, RATE)
        per_window = round(views * WINDOW_S / arguments.every)
        results.append({"rate": RATE, "views_per_window": per_window, "openings": found})
        words = ", ".join(f"{name} {count:g}" for name, count in found.items())
        print(f"true rate {RATE} %, {per_window} views a window: {words}")
        print(f"  ({time.perf_counter() - begun:.0f} s)", file=sys.stderr)
    facts = {
        "question": "false openings per series and day at a bound of 5 %, judged on every arrival",
        "series": arguments.series,
        "hours": arguments.hours,
        "sample_every_s": arguments.every,
        "window_s": WINDOW_S,
        "results": results,
        "machine": machine.described(),
    }
    print(machine.keep("small_samples", facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
