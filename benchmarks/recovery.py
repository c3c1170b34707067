"""How long until all is right again after ``kill -9``: ``python benchmarks/recovery.py``.

An engine with many series and open incidents is killed. While it is away every
incident recovers, and the players go on to say so twice a second. Then it is
started, and the clock runs until the receiver has the last resolve: a recovery
counts once a window of one second has been heard whole. Nothing may be
triggered again, and nothing left open.

`results/recovery.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machine import described, keep, quantiles
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from surroundings import METRIC, Publisher, broker, engine, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from surroundings import Receiver

STEP = 1000


async def main() -> None:
    """Measure some restarts, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--incidents", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    machine = described()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        runs = [
            await measure(asked.series, asked.incidents)
            for _ in progress.track(range(asked.repeat), description="restarts")
        ]
    rows = {name: quantiles([run[name] for run in runs]) for name in runs[0]}
    table = Table("what", "median", "largest")
    for name, figures in rows.items():
        table.add_row(name, f"{figures['median']:.2f}", f"{figures['largest']:.2f}")
    Console().print(table)
    if not asked.no_keep:
        result = {
            "machine": machine,
            "series": asked.series,
            "incidents": asked.incidents,
            "repeat": asked.repeat,
            "rows": rows,
        }
        print(f"kept in {keep('recovery', result).name}")


async def measure(series: int, incidents: int) -> dict[str, float]:
    """Return what one restart took, and what it did wrong."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            broker(Path(folder)) as port,
            receiver() as (receiving, events),
            engine(Path(folder), port, events) as running,
        ):
            with Publisher(port, 1) as publisher:
                await asyncio.to_thread(publisher.publish, _columns(series, 1.0))
                await running.has("playwatch_samples_received_total", series)
                await asyncio.to_thread(publisher.publish, _columns(incidents, 50.0))
                await _until(receiving, "triggers", incidents)
                await running.stop(signal.SIGKILL)
                await asyncio.to_thread(publisher.publish, _columns(incidents, 0.0))
                began = time.perf_counter()
                subscribed_s = await running.start()
                while len(set(receiving.resolves)) < incidents:
                    await asyncio.to_thread(publisher.publish, _columns(incidents, 0.0))
                    await _news(receiving)
                right_s = time.perf_counter() - began
    # What was out at the kill may be sent again, under the key that makes it the same page.
    repeats = len(receiving.triggers) - len(set(receiving.triggers))
    wrong = len(set(receiving.triggers)) - incidents
    left = set(receiving.triggers) - set(receiving.resolves)
    return {
        "subscribed_s": subscribed_s,
        "right_s": right_s,
        "pages_too_many": wrong,
        "triggers_repeated_by_key": repeats,
        "left_open": len(left),
    }


async def _until(receiving: Receiver, what: str, count: int) -> None:
    """Wait until the receiver has been told of so many incidents."""
    async with asyncio.timeout(180):
        while len(set(getattr(receiving, what))) < count:  # noqa: ASYNC110 - it counts requests
            await asyncio.sleep(0.005)


async def _news(receiving: Receiver) -> None:
    """Wait half a second, or less when the last resolve has come."""
    until = time.perf_counter() + 0.5
    while time.perf_counter() < until:
        if len(set(receiving.resolves)) == len(set(receiving.triggers)):
            return
        await asyncio.sleep(0.005)


def _columns(series: int, value: float) -> Iterator[bytes]:
    """Iterate over messages that bring one sample of each series."""
    views = 1_000_000 if value == 0 else 100
    for start in range(0, series, STEP):
        titles = range(start, min(start + STEP, series))
        columns: dict[str, Any] = {
            "metric": METRIC,
            "value": [value] * len(titles),
            "views": views,
            "dimensions": [{"video_title": f"title-{number}"} for number in titles],
        }
        yield json.dumps(columns).encode()


if __name__ == "__main__":
    asyncio.run(main())
