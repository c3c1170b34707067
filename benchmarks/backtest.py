"""Measures how fast a backtest runs over a generated recording.

A week of 1,000 series at one-minute samples, as an engine would have recorded
it: one columnar message a minute and a tick each second. One rule, by country,
is evaluated by the console script's own code; once more with the model, which
then watches the failures overall, by country and by title.

    .venv/bin/python benchmarks/backtest.py --series 1000 --days 7

`results/backtest.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from machine import described, keep

from playwatch.config.load import load_config
from playwatch.core.samples import Instant
from playwatch.ingest.recordings_writer import RecordingWriter
from playwatch.ports import Message
from playwatch.runtime.backtest import backtest
from playwatch.runtime.backtest_traces import Traces
from playwatch.runtime.replay_inputs import Inputs

if TYPE_CHECKING:
    from playwatch.config.schema import Settings

START = 1_800_000_000_000
METRIC = "playback_failure_percentage"
MINUTE_MS = 60_000
BAD_HOUR = 20
CONFIG = """\
mqtt: {url: "mqtt://127.0.0.1"}
anomalies: []
rules:
  - {name: failures, metric: playback_failure_percentage, by: [country], window: 5m,
     trigger: "> 5", for: 5m, min_views: 100}
channels:
  - {name: terminal, service: console}
"""


def main() -> None:
    """Generate a recording, evaluate it a few times, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    machine = described()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "playwatch.yaml"
        config.write_text(CONFIG)
        settings = load_config(config, environ={})
        recording = Path(folder) / "week.rec"
        began = time.perf_counter()
        generate(recording, asked.series, round(asked.days * 1440))
        print(f"recorded {recording.stat().st_size:,} bytes in {time.perf_counter() - began:.1f} s")
        runs = [measure(recording, settings, with_traces=False) for _ in range(asked.runs)]
        traced = measure(recording, settings, with_traces=True)
        config.write_text(CONFIG.replace("anomalies: []\n", ""))
        learned = measure(recording, load_config(config, environ={}), with_traces=False)
        size = recording.stat().st_size
    others = (("charts", traced), ("with the model", learned))
    for name, run in (*((f"run {i}", run) for i, run in enumerate(runs, 1)), *others):
        print(
            f"{name}: {run['seconds']:.1f} s ({run['cpu_seconds']:.1f} s CPU),"
            f" {run['samples']:,} samples,"
            f" {run['us_per_sample']:.3f} us each, {run['incidents']} incidents"
        )
    if not asked.no_keep:
        result = {
            "machine": machine,
            "series": asked.series,
            "days": asked.days,
            "bytes": size,
            "runs": runs,
            "with_charts": traced,
            "with_the_model": learned,
        }
        print(f"kept in {keep('backtest', result).relative_to(Path.cwd())}")


def generate(path: Path, series: int, minutes: int) -> None:
    """Write a recording: noise around 1 %, with a bad hour in one country each day."""
    rng = np.random.default_rng(1)
    countries = [f"C{number % 50:02}" for number in range(series)]
    dimensions = [
        {"country": country, "video_title": f"title-{number}"}
        for number, country in enumerate(countries)
    ]
    is_hit = np.array([country == "C07" for country in countries])
    head = json.dumps({"metric": METRIC, "dimensions": dimensions})[:-1]
    writer = RecordingWriter.open(path, Instant(START, 0))
    for minute in range(minutes):
        value = rng.gamma(4, 0.25, series)
        if minute % 1440 // 60 == BAD_HOUR:
            value[is_hit] += 10
        views = rng.poisson(40, series)
        body = {"value": value.round(2).tolist(), "views": views.tolist()}
        at = START + minute * MINUTE_MS
        payload = f'{head}, "at": {at}, {json.dumps(body)[1:]}'.encode()
        elapsed_ms = minute * MINUTE_MS + 200
        message = Message("playwatch/samples/bench", payload, "native")
        writer.read([message], Instant(START + elapsed_ms, elapsed_ms))
        for second in range(60):
            tick_ms = minute * MINUTE_MS + second * 1000 + 700
            writer.tick(Instant(START + tick_ms, tick_ms))
    writer.close()


def measure(recording: Path, settings: Settings, *, with_traces: bool) -> dict[str, Any]:
    """Return how long one backtest took."""
    traces = Traces() if with_traces else None
    began, began_cpu = time.perf_counter(), time.process_time()
    found = backtest(Inputs([recording]), settings, traces=traces)
    seconds = time.perf_counter() - began
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - began_cpu, 2),
        "samples": found.samples,
        "us_per_sample": round(1e6 * seconds / found.samples, 4),
        "incidents": len(found.outcomes),
    }


if __name__ == "__main__":
    main()
