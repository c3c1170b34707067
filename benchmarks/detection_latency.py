"""Measures the time from a publish to the PagerDuty request.

A real mosquitto, the engine as its users run it (a process of its own, with its
store on disk), and a receiver that stamps each request as it arrives. An
independent client (aiomqtt) fills the engine with series, then breaches one of
them at a time and lets it recover, and measures publish to request for trigger
and resolve, at QoS 0 and at QoS 1.

    .venv/bin/python benchmarks/detection_latency.py --series 1000 10000

Publisher, broker, engine and receiver share the machine, so the figures are
those of a busy host. `results/detection_latency.json` keeps them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
from aiohttp import web
from machine import described, keep, quantiles
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOPIC = "playwatch/samples/bench"
METRIC = "playback_failure_percentage"
KEY = "benchmarkbenchmarkbenchmark00000"
CONFIG = """\
mqtt:
  url: mqtt://127.0.0.1:{broker}
  subscriptions: [{{topic: "playwatch/samples/#", qos: 1}}]
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:{web}"}}
rules:
  - {{name: failures, metric: {metric}, by: [video_title], window: 1s, trigger: "> 5"}}
channels:
  - {{name: oncall, service: pagerduty, integration_key: {key}, url: "{events}", rate_limit: none}}
"""


class Receiver:
    """Takes events, answers 202, and stamps when each request arrived."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.Response:
        """Stamp one event."""
        at = time.perf_counter()
        event = await request.json()
        await self._arrived.put((event["event_action"], at))
        answer = {"status": "success", "message": "Event processed"}
        return web.json_response({**answer, "dedup_key": event["dedup_key"]}, status=202)

    async def next(self, action: str) -> float:
        """Return when the next event of an action arrived."""
        async with asyncio.timeout(30):
            while True:
                found, at = await self._arrived.get()
                if found == action:
                    return at


async def main() -> None:
    """Measure each number of series and each QoS, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--breaches", type=int, default=100, help="per series count and QoS")
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    machine = described()
    rows = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for series in asked.series:
            for qos in (0, 1):
                task = progress.add_task(f"{series:,} series, QoS {qos}", total=asked.breaches)
                rows.append(await measure(series, qos, asked.breaches, progress, task))
    show(rows)
    if not asked.no_keep:
        result = {"machine": machine, "breaches": asked.breaches, "rows": rows}
        print(f"kept in {keep('detection_latency', result).relative_to(Path.cwd())}")


async def measure(
    series: int,
    qos: int,
    breaches: int,
    progress: Progress,
    task: Any,  # noqa: ANN401 - rich's id
) -> dict[str, Any]:
    """Return the latencies of many breaches, one at a time, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            broker(Path(folder)) as port,
            receiver() as (receiving, events),
            engine(Path(folder), port, events) as (process, health),
            aiomqtt.Client("127.0.0.1", port) as client,
        ):
            await fill(client, series)
            await asyncio.to_thread(wait_for_samples, health, series)
            cpu_before = cpu_seconds(process.pid)
            latencies: dict[str, list[float]] = {"trigger": [], "resolve": []}
            for number in range(breaches):
                title = f"title-{number * 7919 % series}"
                for action, value in (("trigger", 50.0), ("resolve", 0.0)):
                    latency = await breach(client, receiving, title, value, qos, action)
                    latencies[action].append(latency)
                progress.advance(task)
            cpu = cpu_seconds(process.pid) - cpu_before
    return {
        "series": series,
        "qos": qos,
        "trigger_ms": quantiles(latencies["trigger"]),
        "resolve_ms": quantiles(latencies["resolve"]),
        "engine_cpu_ms_per_incident": round(cpu / breaches * 1000, 2),
    }


async def breach(
    client: aiomqtt.Client, receiving: Receiver, title: str, value: float, qos: int, action: str
) -> float:
    """Publish one sample and return the milliseconds until its event arrived.

    A recovery has to outweigh the breach that is still in the window, so it
    comes with many more views.
    """
    views = 100 if action == "trigger" else 1_000_000
    sample = {"metric": METRIC, "value": value, "views": views}
    sample["dimensions"] = {"video_title": title}
    payload = json.dumps(sample)
    began = time.perf_counter()
    publishing = asyncio.ensure_future(client.publish(TOPIC, payload, qos=qos))
    arrived = await receiving.next(action)
    await publishing
    return (arrived - began) * 1000


async def fill(client: aiomqtt.Client, series: int) -> None:
    """Publish one good sample for every series, in columns of a thousand."""
    for start in range(0, series, 1000):
        titles = range(start, min(start + 1000, series))
        columns = {
            "metric": METRIC,
            "value": [1.0] * len(titles),
            "views": 100,
            "dimensions": [{"video_title": f"title-{number}"} for number in titles],
        }
        await client.publish(TOPIC, json.dumps(columns), qos=1)


def wait_for_samples(health: str, series: int) -> None:
    """Return once the engine has counted every series."""
    import urllib.request  # noqa: PLC0415 - only here

    until = time.monotonic() + 60
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{health}/metrics", timeout=5) as answer:  # noqa: S310 - ours
            if f"\nplaywatch_series {float(series)}" in answer.read().decode():
                return
        time.sleep(0.05)
    message = f"the engine did not take {series} series within a minute"
    raise TimeoutError(message)


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[int]:
    """Run a mosquitto with its store in a folder; yield its port."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n"
        "max_queued_messages 100000\nset_tcp_nodelay true\n"
    )
    process = await asyncio.create_subprocess_exec(
        "mosquitto", "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.to_thread(wait_for_port, port)
        yield port
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    """Serve a receiver; yield it with its URL."""
    receiving = Receiver()
    app = web.Application()
    app.router.add_post("/v2/enqueue", receiving.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield receiving, f"http://127.0.0.1:{runner.addresses[0][1]}/v2/enqueue"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def engine(
    folder: Path, broker_port: int, events: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the engine as a process of its own; yield it with the address of its metrics."""
    web_port = free_port()
    config = folder / "playwatch.yaml"
    config.write_text(
        CONFIG.format(broker=broker_port, web=web_port, metric=METRIC, key=KEY, events=events)
    )
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("playwatch")),
        "run",
        "-c",
        str(config),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for
    async for line in process.stderr:
        if b"subscribed" in line:
            break
    reading = asyncio.create_task(process.stderr.read())
    try:
        yield process, f"http://127.0.0.1:{web_port}"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        await reading


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Return once somebody listens on a port."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    message = f"nobody listens on port {port}"
    raise TimeoutError(message)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the result as a table."""
    table = Table("series", "QoS", "what", "median ms", "p99 ms", "largest ms", "engine CPU ms")
    for row in rows:
        for what in ("trigger", "resolve"):
            figures = row[f"{what}_ms"]
            table.add_row(
                f"{row['series']:,}",
                str(row["qos"]),
                what,
                f"{figures['median']:.1f}",
                f"{figures['p99']:.1f}",
                f"{figures['largest']:.1f}",
                f"{row['engine_cpu_ms_per_incident']:.1f}",
            )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
