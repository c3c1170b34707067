"""Measures the time from a publish to the PagerDuty request.

A real mosquitto, the engine as its users run it (a process of its own, with its
store on disk), and a receiver that stamps each request as it arrived. The engine is
filled with series; then one of them at a time breaches and recovers, alone or
while others are sampled at a rate, as a message of its own or among a thousand in
columns.

    .venv/bin/python benchmarks/detection_latency.py --series 1000 10000 100000

Publisher, broker, engine and receiver share the machine, so the figures are
those of a busy host. `results/detection_latency.json` keeps them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machine import described, keep, quantiles
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from surroundings import METRIC, Publisher, broker, engine, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from surroundings import Engine, Receiver

ACTIONS = (("trigger", 50.0), ("resolve", 0.0))
COLUMNS = 1000
LOADS = (0, 20_000, 100_000)


async def main() -> None:
    """Measure each number of series, QoS, load and payload; print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--breaches", type=int, default=100, help="per line of the table")
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    machine, rows, dice = described(), [], random.Random(1)  # noqa: S311 - no secret
    lines = [(0, 0, 1), (1, 0, 1), (1, 0, COLUMNS), *((1, load, 1) for load in LOADS[1:])]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for series in asked.series:
            task = progress.add_task(f"{series:,} series", total=asked.breaches * len(lines))
            with tempfile.TemporaryDirectory() as folder:
                async with (
                    broker(Path(folder)) as port,
                    receiver() as (receiving, events),
                    engine(Path(folder), port, events) as running,
                ):
                    with Publisher(port, 1, "fill") as publisher:
                        await asyncio.to_thread(publisher.publish, good(series))
                    await running.has("playwatch_samples_received_total", series)
                    for qos, load, size in lines:

                        def told() -> None:
                            progress.advance(task)  # noqa: B023 - called in this turn only

                        row = await measure(
                            running,
                            receiving,
                            port,
                            series,
                            qos,
                            load,
                            size,
                            asked.breaches,
                            told,
                            dice,
                        )
                        rows.append(row)
    show(rows)
    if not asked.no_keep:
        result = {"machine": machine, "breaches": asked.breaches, "rows": rows}
        print(f"kept in {keep('detection_latency', result).name}")


async def measure(
    running: Engine,
    receiving: Receiver,
    port: int,
    series: int,
    qos: int,
    load: int,
    size: int,
    breaches: int,
    told: Any,  # noqa: ANN401 - a call
    dice: random.Random,
) -> dict[str, Any]:
    """Return the latencies of many breaches, one at a time, in milliseconds."""
    latencies: dict[str, list[float]] = {"trigger": [], "resolve": []}
    cpu = running.cpu_s()
    with Publisher(port, qos, "breaches") as publisher, loaded(port, series, load):
        # A recovery stays in its window for a second: no title comes twice within that.
        first = dice.randrange(series)
        for number in range(first, first + breaches):
            title = number * 7919 % (series // 2)
            for action, value in ACTIONS:
                payload = breach(title, value) if size == 1 else _among(title, value, size, series)
                began = time.perf_counter()
                sending = asyncio.get_running_loop().run_in_executor(
                    None, publisher.publish, [payload]
                )
                arrived = await receiving.next(action)
                await sending
                latencies[action].append((arrived - began) * 1000)
            told()
    return {
        "series": series,
        "qos": qos,
        "load": f"{load:,} samples/s" if load else "",
        "payload": "one sample" if size == 1 else f"columns of {size:,}",
        "trigger_ms": quantiles(latencies["trigger"]),
        "resolve_ms": quantiles(latencies["resolve"]),
        "engine_cpu_ms_per_incident": round((running.cpu_s() - cpu) / breaches * 1000, 2),
    }


@contextmanager
def loaded(port: int, series: int, rate: int) -> Iterator[None]:
    """Sample the other half of the series at a rate, in columns, while the context lasts."""
    if not rate:
        yield
        return
    ended = threading.Event()
    payloads = list(good(series, series // 2))

    def publish() -> None:
        with Publisher(port, 0, "load") as publisher:
            number, due = 0, time.perf_counter()
            while not ended.is_set():
                publisher.publish([payloads[number % len(payloads)]])
                number, due = number + 1, due + min(COLUMNS, series // 2) / rate
                ended.wait(max(0.0, due - time.perf_counter()))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def good(series: int, first: int = 0) -> Iterator[bytes]:
    """Iterate over messages that bring one good sample of each series."""
    for start in range(first, series, COLUMNS):
        yield _columns([1.0] * min(COLUMNS, series - start), start, 1)


def breach(title: int, value: float) -> bytes:
    """Return a message in which one series is bad, or good again.

    A recovery has to outweigh the breach that is still in the window, so it
    comes with many more views.
    """
    names = {"video_title": f"title-{title}"}
    sample = {"metric": METRIC, "value": value, "views": _views(value), "dimensions": names}
    return json.dumps(sample).encode()


def _views(value: float) -> int:
    return 100 if value else 1_000_000


def _among(title: int, value: float, size: int, series: int) -> bytes:
    """Return the same in columns, among others that are as they were."""
    start = min(title, max(0, series - size))
    values, weights = [1.0] * min(size, series), [1] * min(size, series)
    values[title - start], weights[title - start] = value, _views(value)
    return _columns(values, start, weights)


def _columns(value: list[float], start: int, views: int | list[int]) -> bytes:
    titles = range(start, start + len(value))
    columns = {
        "metric": METRIC,
        "value": value,
        "views": views,
        "dimensions": [{"video_title": f"title-{number}"} for number in titles],
    }
    return json.dumps(columns).encode()


def show(rows: list[dict[str, Any]]) -> None:
    """Print the result as a table."""
    names = ("series", "QoS", "load", "payload", "what", "median ms", "p99 ms", "largest ms")
    table = Table(*names, "CPU ms")
    for row in rows:
        for what in ("trigger", "resolve"):
            figures = row[f"{what}_ms"]
            table.add_row(
                f"{row['series']:,}",
                str(row["qos"]),
                row["load"],
                row["payload"],
                what,
                f"{figures['median']:.1f}",
                f"{figures['p99']:.1f}",
                f"{figures['largest']:.1f}",
                f"{row['engine_cpu_ms_per_incident']:.1f}",
            )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
