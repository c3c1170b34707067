"""Detection latency beside Prometheus with Alertmanager: ``python benchmarks/against_peers.py``.

The same breach goes to both on one machine, one after the other: as a sample over
mosquitto to Playwatch, and as a gauge on a scraped page to Prometheus at its
quickest (scrape and evaluation each second, ``group_wait: 0s``). Each pages the same
kind of receiver through its PagerDuty integration. The clock runs from the
moment the value is published, or is on the page, to the request.

Needs Debian's ``prometheus`` and ``prometheus-alertmanager``; says so and ends where
they are not installed. `results/against_peers.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from machine import described, keep, quantiles
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from surroundings import (
    METRIC,
    Publisher,
    broker,
    cpu_s_of,
    engine,
    free_port,
    receiver,
    wait_for_port,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from surroundings import Receiver

PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]
scrape_configs:
  - {{job_name: bench, static_configs: [{{targets: ["127.0.0.1:{page}"]}}]}}
"""
RULES = """\
groups:
  - name: bench
    rules: [{alert: Failures, expr: bench_failures > 5}]
"""
ALERTMANAGER = """\
global: {{resolve_timeout: 1m}}
route: {{receiver: pagerduty, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: pagerduty
    pagerduty_configs:
      - {{routing_key: benchmarkbenchmarkbenchmark00000, url: "{events}", send_resolved: true}}
"""
ACTIONS = (("trigger", 50.0), ("resolve", 0.0))


class Page:
    """The page that Prometheus scrapes."""

    def __init__(self) -> None:
        self.value = 0.0

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the gauge as it stands."""
        del request
        return web.Response(text=f"# TYPE bench_failures gauge\nbench_failures {self.value}\n")


async def main() -> None:
    """Measure both in turns, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--breaches", type=int, default=20)
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    missing = [one for one in ("prometheus", "prometheus-alertmanager") if not shutil.which(one)]
    if missing:
        print(f"skipped: {' and '.join(missing)} not installed (Debian has packages of that name)")
        return
    machine = described()
    with tempfile.TemporaryDirectory() as folder:
        found, cpu_s = await measure(Path(folder), asked.breaches)
    rows = {name: {what: quantiles(found[name][what]) for what, _ in ACTIONS} for name in found}
    show(rows, cpu_s)
    if not asked.no_keep:
        result = {"machine": machine, "breaches": asked.breaches, "rows": rows, "cpu_s": cpu_s}
        print(f"kept in {keep('against_peers', result).name}")


async def measure(
    folder: Path, breaches: int
) -> tuple[dict[str, dict[str, list[float]]], dict[str, float]]:
    """Return the milliseconds of every breach and recovery, and the processor time of each."""
    found: dict[str, dict[str, list[float]]] = {
        name: {"trigger": [], "resolve": []} for name in ("playwatch", "prometheus")
    }
    dice, page = random.Random(1), Page()  # noqa: S311 - no secret
    async with (
        broker(folder) as port,
        receiver() as (ours, our_events),
        receiver() as (theirs, their_events),
        engine(folder, port, our_events) as running,
        prometheus(folder, page, their_events) as processes,
    ):
        with Publisher(port, 0) as publisher:
            cpu = running.cpu_s(), sum(cpu_s_of(one.pid) for one in processes)
            with Progress(console=Console(stderr=True), transient=True) as progress:
                for number in progress.track(range(breaches), description="breaches"):
                    for action, value in ACTIONS:
                        # Neither is to know when in its cycle the breach comes.
                        await asyncio.sleep(dice.uniform(1.0, 2.0))
                        took_ms = await _published(publisher, ours, number, action, value)
                        found["playwatch"][action].append(took_ms)
                        page.value, began = value, time.perf_counter()
                        arrived = await theirs.next(action)
                        found["prometheus"][action].append((arrived - began) * 1000)
            spent = {
                "playwatch": round(running.cpu_s() - cpu[0], 2),
                "prometheus": round(sum(cpu_s_of(one.pid) for one in processes) - cpu[1], 2),
            }
    return found, spent


async def _published(
    publisher: Publisher, ours: Receiver, number: int, action: str, value: float
) -> float:
    """Publish one sample; return the milliseconds until its event arrived."""
    sample = {
        "metric": METRIC,
        "value": value,
        "views": 100 if action == "trigger" else 1_000_000,
        "dimensions": {"video_title": f"title-{number}"},
    }
    payload, began = json.dumps(sample).encode(), time.perf_counter()
    publisher.publish([payload])
    return (await ours.next(action) - began) * 1000


@asynccontextmanager
async def prometheus(
    folder: Path, page: Page, events: str
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Run Prometheus and Alertmanager over a page; yield their processes."""
    app = web.Application()
    app.router.add_get("/metrics", page.show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shown, alerting, asking = runner.addresses[0][1], free_port(), free_port()
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(alertmanager=alerting, page=shown))
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(events=events))
    commands = (
        (
            "prometheus-alertmanager",
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            f"--web.listen-address=127.0.0.1:{alerting}",
            "--cluster.listen-address=",
        ),
        (
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus",
            f"--web.listen-address=127.0.0.1:{asking}",
        ),
    )
    quiet = asyncio.subprocess.DEVNULL
    processes = [
        await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
        for command in commands
    ]
    try:
        for port in (alerting, asking):
            await asyncio.to_thread(wait_for_port, port)
        await asyncio.sleep(3)  # the first scrapes
        yield processes
    finally:
        for process in processes:
            process.terminate()
            await process.wait()
        await runner.cleanup()


def show(rows: dict[str, dict[str, dict[str, float]]], cpu_s: dict[str, float]) -> None:
    """Print the result as a table."""
    table = Table("engine", "what", "median ms", "p99 ms", "largest ms", "CPU s")
    for name, found in rows.items():
        for what, figures in found.items():
            cells: list[Any] = [figures["median"], figures["p99"], figures["largest"]]
            table.add_row(name, what, *(f"{one:,.1f}" for one in cells), f"{cpu_s[name]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
