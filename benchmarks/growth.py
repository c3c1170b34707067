"""How cost grows with series and with rules: ``python benchmarks/growth.py``.

Each size runs in a process of its own: series are interned, every one of them is
sampled once a round in packed columns, and the state is packed and restored as
over a restart. The exponent of a column is the slope of its logarithm: 1 is
linear, 0 is constant.

`results/growth.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import described, keep
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from playwatch.codecs import CODECS
from playwatch.codecs.packed_writer import encode
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import Bound, Comparison, Matcher, Rule, Severity, Threshold, Tier
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.core.snapshots import copy_state, pack, restore
from playwatch.runtime.heap import give_back_large_blocks

START = 1_800_000_000_000
METRIC = "playback_failure_percentage"
CONDITION = Threshold(
    Comparison.ABOVE, (Tier(Severity.CRITICAL, 5.0),), Bound(Comparison.AT_MOST, 5.0)
)
BATCH = 10_000
SERIES = (1_000, 10_000, 100_000, 1_000_000)
RULES = (1, 10, 100, 1_000)
FIGURES = ("intern_us", "sample_us", "tick_ms", "memory_bytes", "start_s")


def main() -> None:
    """Measure every size, print a table with exponents, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, type=int, help="measure one size here: series, rules")
    parser.add_argument("--largest", type=int, default=SERIES[-1])
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(*asked.one)))
        return
    sizes = [(series, 1) for series in SERIES if series <= asked.largest]
    sizes += [(100_000, rules) for rules in RULES[1:]]
    rows = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for series, rules in progress.track(sizes, description="sizes"):
            rows.append(_apart(series, rules))
    by_series = [row for row in rows if row["rules"] == 1]
    by_rules = [row for row in rows if row["series"] == 100_000]  # noqa: PLR2004 - the size above
    exponents = {
        "series": {name: exponent(by_series, "series", name) for name in FIGURES},
        "rules": {name: exponent(by_rules, "rules", name) for name in FIGURES},
    }
    show(rows, exponents)
    if not asked.no_keep:
        result = {"machine": described(), "rows": rows, "exponents": exponents}
        print(f"kept in {keep('growth', result).name}")


def measure(series: int, rules: int) -> dict[str, Any]:
    """Return what so many series cost with so many rules, each series in one of them."""
    give_back_large_blocks()
    empty = memory()
    catalogue, table, pipeline, intake = _engine(rules)
    payloads = [
        _payload(start, min(BATCH, series - start), rules) for start in range(0, series, BATCH)
    ]
    began = time.process_time()
    _round(payloads, intake, pipeline, 0)
    intern = time.process_time() - began
    rounds, began = max(1, 200_000 // series), time.process_time()
    for number in range(1, rounds + 1):
        _round(payloads, intake, pipeline, number)
    sampling = time.process_time() - began
    del payloads
    held = memory() - empty
    ticks = [_timed(lambda: pipeline.tick(_instant(rounds + 1))) for _ in range(5)]
    sequences = SequenceTracker()
    packed = pack(copy_state(pipeline, sequences, catalogue), _instant(rounds).monotonic_ms)
    catalogue, _, pipeline, _ = _engine(rules)
    began = time.perf_counter()
    restore(packed, _instant(rounds).at, pipeline, sequences, catalogue, _instant(rounds + 1))
    start_s = time.perf_counter() - began
    return {
        "series": series,
        "rules": rules,
        "intern_us": round(intern / series * 1e6, 3),
        "sample_us": round(sampling / rounds / series * 1e6, 4),
        "tick_ms": round(min(ticks) * 1000, 3),
        "memory_bytes": round(held / series),
        "memory_mb": round(memory() / 1e6),
        "start_s": round(start_s, 3),
        "known": len(table),
    }


def memory() -> int:
    """Return the bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def exponent(rows: list[dict[str, Any]], by: str, name: str) -> float:
    """Return the slope of the logarithms of a total: per-series figures times the series."""
    sizes = [math.log(row[by]) for row in rows]
    per_series = {"intern_us", "sample_us", "memory_bytes"}
    totals = [max(row[name], 1e-6) * (row["series"] if name in per_series else 1) for row in rows]
    return round(float(np.polyfit(sizes, np.log(totals), 1)[0]), 2)


def show(rows: list[dict[str, Any]], exponents: dict[str, dict[str, float]]) -> None:
    """Print the result as a table."""
    table = Table("series", "rules", *FIGURES, "memory_mb")
    for row in rows:
        cells = [f"{row[name]:,}" for name in (*FIGURES, "memory_mb")]
        table.add_row(f"{row['series']:,}", f"{row['rules']:,}", *cells)
    for by, found in exponents.items():
        table.add_row(f"exponent by {by}", "", *(str(found[name]) for name in FIGURES), "")
    Console().print(table)


def _engine(rules: int) -> tuple[Catalogue, SeriesTable, Pipeline, Intake]:
    catalogue, table = Catalogue(), SeriesTable(2_000_000)
    made = [
        Rule(f"rule-{n}", METRIC, CONDITION, (Matcher("property", (f"p{n}",)),), ("title",))
        for n in range(rules)
    ]
    pipeline = Pipeline(catalogue, table, made, (), "here")
    intake = Intake(catalogue, table, SequenceTracker(), max_bytes=64 << 20)
    return catalogue, table, pipeline, intake


def _payload(start: int, count: int, rules: int) -> bytes:
    keys = [
        (METRIC, {"property": f"p{n % rules}", "title": f"title number {n}", "country": "DE"})
        for n in range(start, start + count)
    ]
    return encode(keys, np.full(count, 1.0), views=100)


def _round(payloads: list[bytes], intake: Intake, pipeline: Pipeline, number: int) -> None:
    for payload in payloads:
        intake.begin(_instant(number))
        intake.message("bench", "packed")
        CODECS["packed"](payload, intake)
        pipeline.take(intake.finish().batch, _instant(number))


def _instant(number: int) -> Instant:
    return Instant(START + number * 1000, number * 1000)


def _timed(work: Any) -> float:  # noqa: ANN401 - a call
    began = time.process_time()
    work()
    return time.process_time() - began


def _apart(series: int, rules: int) -> dict[str, Any]:
    """Return the figures of one size, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", str(series), str(rules)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
