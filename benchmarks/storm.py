"""Measures how fast a storm leaves: many breaches at once, each an incident with a page.

The evaluator, the store on disk, the outbox and the PagerDuty channel run in this
process as in the engine, with ``rate_limit: none``; the receiver is a process of
its own. One read brings all the breaches; the clock starts when it is handed
over and stops when the receiver has the last trigger. Processor time is this
process's alone, until every answer is recorded, divided by the incidents; the
part of evaluation and commit is measured apart.

    .venv/bin/python benchmarks/storm.py --breaches 1 100 1000 10000

`results/storm.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from machine import described, keep
from rich.console import Console
from rich.table import Table

from playwatch.channels import fingerprint, open_channel
from playwatch.config.channels import PagerDutySettings
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.routing import Route
from playwatch.core.rules import Bound, Comparison, Rule, Severity, Threshold, Tier
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.ports import Arrivals, Message
from playwatch.runtime.clock import SystemClock
from playwatch.runtime.evaluate import Evaluator
from playwatch.runtime.heap import spare_what_stays
from playwatch.runtime.outbox import Outbox
from playwatch.runtime.refused import RefusalLog
from playwatch.store.sqlite import SqliteStore
from playwatch.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

METRIC = "playback_failure_percentage"
KEY = "benchmarkbenchmarkbenchmark00000"
RULE = Rule(
    name="failures",
    metric=METRIC,
    condition=Threshold(
        Comparison.ABOVE, (Tier(Severity.CRITICAL, 5.0),), Bound(Comparison.BELOW, 5.0)
    ),
    by=("video_title",),
    window_s=60.0,
)


async def main() -> None:
    """Measure each size of storm a few times, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--breaches", type=int, nargs="+", default=[1, 100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-keep", action="store_true", help="only print")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.receive:
        await receive()
        return
    rows = []
    for breaches in asked.breaches:
        rounds = [await measure(breaches) for _ in range(asked.rounds)]
        middle = {
            name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]
        }
        worst = {name: max(one[name] for one in rounds) for name in ("lost", "doubled")}
        rows.append({**middle, **worst, "rounds": asked.rounds})
    show(rows)
    if not asked.no_keep:
        kept = keep("storm", {"machine": described(), "rows": rows})
        print(f"kept in {kept.relative_to(Path.cwd())}")


async def measure(breaches: int) -> dict[str, float]:
    """Return the figures of one storm."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            receiver() as (url, process),
            engine(Path(folder), {"oncall": url}) as (evaluator, outbox),
        ):
            await asyncio.sleep(0.05)
            figures = await storm(evaluator, outbox, breaches, process)
    return {"breaches": breaches, **figures}


@asynccontextmanager
async def engine(
    folder: Path, urls: Mapping[str, str], grace_s: float = 10.0
) -> AsyncIterator[tuple[Evaluator, Outbox]]:
    """Run what decides and what delivers, with a PagerDuty channel for each URL."""
    clock, telemetry = SystemClock(), Telemetry()
    catalogue, series, sequences = Catalogue(), SeriesTable(), SequenceTracker()
    store = await SqliteStore.open(folder / "playwatch.db", clock=clock)
    channels = []
    for name, url in urls.items():
        settings = PagerDutySettings.model_validate(
            {"name": name, "service": "pagerduty", "integration_key": KEY, "url": url}
        )
        channels.append(open_channel(settings, clock=clock, key_of=lambda _: None))
    outbox = Outbox(channels, store, clock, telemetry, random.Random(1))  # noqa: S311 - jitter
    routes = [Route(name, fingerprint(KEY)) for name in urls]
    evaluator = Evaluator(
        Pipeline(catalogue, series, [RULE], routes, "bench"),
        Intake(catalogue, series, sequences, max_bytes=1 << 24),
        sequences,
        catalogue,
        store,
        clock,
        telemetry,
        RefusalLog(),
        outbox.wake,
    )
    await evaluator.recover()
    async with asyncio.TaskGroup() as tasks:
        outbox.start(tasks)
        spare_what_stays()
        yield evaluator, outbox
        await outbox.stop(grace_s)
    for channel in channels:
        await channel.close()
    await store.close()


def breaching(titles: Sequence[str]) -> Arrivals:
    """Return one read in which each of some titles breaches."""
    payload = json.dumps(
        {
            "metric": METRIC,
            "value": [50.0] * len(titles),
            "views": [100] * len(titles),
            "dimensions": [{"video_title": title} for title in titles],
        }
    ).encode()
    return Arrivals([Message("samples", payload, "native")], lambda: None)


async def storm(
    evaluator: Evaluator, outbox: Outbox, breaches: int, process: asyncio.subprocess.Process
) -> dict[str, float]:
    """Hand all breaches over in one read and wait for the receiver to have them."""
    read = breaching([f"title-{number}" for number in range(breaches)])
    await said(process, f"expect {breaches}")
    cpu, began = time.process_time(), time.time()
    evaluator._take(read)  # noqa: SLF001 - what `follow` does with one read
    async with evaluator.paused():  # all that was decided is stored
        pass
    decided, decided_cpu = time.time(), time.process_time()
    got = json.loads(await said(process))
    await outbox.settled()
    end_cpu = time.process_time()
    return {
        "last_trigger_s": got["last_at"] - began,
        "first_trigger_ms": (got["first_at"] - began) * 1000,
        "committed_ms": (decided - began) * 1000,
        "cpu_ms_per_incident": (end_cpu - cpu) * 1000 / breaches,
        "of_it_evaluation_and_commit_ms": (decided_cpu - cpu) * 1000 / breaches,
        "lost": breaches - got["opened"],
        "doubled": got["requests"] - got["opened"],
    }


async def said(process: asyncio.subprocess.Process, line: str = "") -> bytes:
    """Say a line to the receiver, if any; return its next line."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError
    if line:
        process.stdin.write(line.encode() + b"\n")
    async with asyncio.timeout(120):
        return await process.stdout.readline()


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Yield the URL of a receiver in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--receive",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield (await said(process)).decode().strip(), process
    finally:
        process.terminate()
        await process.wait()


async def receive() -> None:
    """Take events; say when the last of those expected has come."""
    expected = 0
    moments: list[float] = []
    opened: set[str] = set()

    async def handle(request: web.Request) -> web.Response:
        event = await request.json()
        moments.append(time.time())
        opened.add(event["dedup_key"])
        if len(opened) == expected:
            told = {"last_at": moments[-1], "first_at": moments[0]}
            print(json.dumps({**told, "opened": len(opened), "requests": len(moments)}), flush=True)
        answer = {"status": "success", "message": "Event processed"}
        return web.json_response({**answer, "dedup_key": event["dedup_key"]}, status=202)

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"http://127.0.0.1:{port}/", flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        expected = int(line.split()[1])
        print("ready", flush=True)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the figures."""
    table = Table(
        "breaches", "last out s", "first ms", "CPU ms each", "deciding", "lost", "doubled"
    )
    for row in rows:
        names = ("last_trigger_s", "first_trigger_ms", "cpu_ms_per_incident")
        table.add_row(
            f"{row['breaches']:,.0f}",
            *(f"{row[name]:.3f}" for name in names),
            f"{row['of_it_evaluation_and_commit_ms']:.3f}",
            *(f"{row[name]:.0f}" for name in ("lost", "doubled")),
        )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
