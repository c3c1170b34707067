"""What a minute of history costs, and how quickly one series is read back.

python benchmarks/history.py [--series 100000] [--minutes 70]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import described, keep, quantiles

from playwatch.core.metrics import Catalogue, Merge
from playwatch.core.replacement import Settled
from playwatch.core.samples import SampleBatch
from playwatch.core.series import SeriesTable
from playwatch.runtime.minutes import Minutes
from playwatch.store.history import History
from playwatch.store.history_blocks import Rows, joined

START = 30_000_000


def measure(series: int, minutes: int) -> dict[str, Any]:
    """Write minutes of every series twice each, compact, read some back."""
    rng = np.random.default_rng(1)
    level = rng.gamma(2.0, 0.5, series)
    gathered, catalogue, table = Minutes(), Catalogue(), SeriesTable(series)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        history = History.open(path)
        names = [f"country\x1fc{one % 50}\x1etitle\x1ft{one}".encode() for one in range(series)]
        mean = catalogue.id_of("playback_failure_percentage") or 0
        rows = [table.intern(mean, name) for name in names]
        ids = np.array(history.ids("playback_failure_percentage", Merge.MEAN, names))
        spent: dict[str, float] = {"fold": 0.0, "write": 0.0}
        for minute in range(START, START + minutes):
            values = np.round(level * rng.gamma(20.0, 0.05, series), 2)
            views = rng.poisson(200, series)
            batch = SampleBatch.of(rows, np.full(series, minute * 60_000), values, views)
            began = time.process_time()
            for _ in range(2):
                gathered.count(Settled(batch, SampleBatch.of()), table, catalogue)
            gathered.pour(table, catalogue)
            found = joined(list(gathered.take()))
            spent["fold"] += time.process_time() - began
            began = time.process_time()
            history.write(Rows(ids[found.series], found.minute, found.value, found.views))
            spent["write"] += time.process_time() - began
        history.compact(START + minutes)
        began = time.process_time()
        history.close()
        size = path.stat().st_size
        history = History.open(path)
        reads = []
        for one in ids[:: max(series // 20, 1)].tolist():
            began = time.perf_counter()
            history.read([one], Merge.MEAN, START, START + minutes)
            reads.append(1000 * (time.perf_counter() - began))
        history.close()
    kept = series * minutes
    return {
        **described(),
        "series": series,
        "minutes": minutes,
        "fold_ns_a_sample": round(1e9 * spent["fold"] / (2 * kept), 1),
        "write_ns_a_row": round(1e9 * spent["write"] / kept, 1),
        "bytes_a_row": round(size / kept, 2),
        "read_ms": quantiles(reads),
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--minutes", type=int, default=70)
    arguments = parser.parse_args()
    result = measure(arguments.series, arguments.minutes)
    for name in ("fold_ns_a_sample", "write_ns_a_row", "bytes_a_row", "read_ms"):
        print(f"{name:20} {result[name]}")
    print(keep("history", result))


if __name__ == "__main__":
    main()
