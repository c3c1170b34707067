"""How long the server takes over each page, and what fifty watching browsers cost.

One engine in this process with 100,000 series, a rule with a group for each, one
with a group for each of 1,000 titles, and 5,000 incidents in its store. It has
been up for so long that every small picture on a page is full. Pages are asked
for one at a time. Then a process of its own plays fifty browsers, ten on each of
five pages: each listens to the stream and loads its page with each event, as the
pages' script does, while an incident opens and another ends every two seconds.

    python benchmarks/pages.py [--series 100000] [--incidents 5000] [--clients 50]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
from machine import described, keep, quantiles

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.core.deliveries import Changes
from playwatch.core.incidents import Incident, Status
from playwatch.core.rules import AlertType, Severity
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import canonical_dimensions
from playwatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.app import Engine
    from playwatch.core.pipeline import Pipeline, Step

CONFIG = """
mqtt: {embedded: true, listen: "127.0.0.1:0"}
store: {path: playwatch.db}
web: {listen: "127.0.0.1:0"}
anomalies: []
rules:
  - name: failures
    metric: playback_failure_percentage
    by: [country, title]
    trigger: "> 5"
  - {name: rebuffering, metric: rebuffer_percentage, by: [title], trigger: "> 4"}
"""
METRIC, OTHER_METRIC = "playback_failure_percentage", "rebuffer_percentage"
TITLES = 1_000
UP_S = 130
WATCHED = ("incidents", "incidents?status=open", "rules", "rules/failures", "status")
NOW_MS = int(time.time() * 1000)
WATCHED_S = 20.0


async def fill(folder: Path, incidents: int) -> None:
    """Store incidents of the last days, most of them ended."""
    store = await SqliteStore.open(folder / "playwatch.db")
    made = []
    for number in range(incidents):
        at = NOW_MS - number * 60_000
        one = Incident(
            id=format(number, "012x"),
            incident_key=format(number, "064x"),
            rule="failures",
            scope="",
            alert_type=AlertType.THRESHOLD,
            status=Status.OPEN,
            severity=Severity.CRITICAL,
            measurement=METRIC,
            unit="%",
            breakdowns=(("country", f"c{number % 50}"), ("title", f"title-{number}")),
            measured_value=9.0,
            peak_value=12.0,
            threshold=5.0,
            bound="> 5",
            sample_size=1_000,
            affected_viewers=90,
            started_at=at - 5_000,
            opened_at=at,
            window_s=60.0,
            summary=f"9 % of views fail in c{number % 50} on title-{number}",
        )
        made.append(one.ended(Status.CLOSED, reason="over", resolved_at=at, ended_at=at, value=1.0))
    await store.commit(Changes(made))
    await store.close()


async def feed(engine: Engine, series: int) -> None:
    """Let the engine know so many series, each a group of its rule, and some of another."""
    groups = ({"country": f"c{one % 50}", "title": f"t{one}"} for one in range(series))
    await _take(engine, METRIC, groups, [1.0] * series)
    titles = ({"title": f"t{one}"} for one in range(TITLES))
    await _take(engine, OTHER_METRIC, titles, [one * 4 / TITLES for one in range(TITLES)])


async def _take(
    engine: Engine,
    metric: str,
    groups: Iterable[dict[str, str]],
    values: list[float],
    views: int = 100,
) -> None:
    """Have samples evaluated as if they had arrived now."""
    names = [canonical_dimensions(one) for one in groups]

    def take(pipeline: Pipeline, now: Instant) -> Step:
        number = engine.reloader._evaluator.catalogue.id_of(metric) or 0  # noqa: SLF001 - no way in
        rows = [pipeline.series.intern(number, name) for name in names]
        count = len(rows)
        columns = (np.full(count, now.at), np.array(values), np.full(count, views))
        return pipeline.take(SampleBatch.of(rows, *columns), now)

    await engine.reloader._evaluator.change(take)  # noqa: SLF001 - no way in from outside


async def pages(url: str, runs: int) -> dict[str, Any]:
    """Return how many milliseconds each page takes: on the clock, and of a processor.

    The processor's time holds the client's part too, which is in this process;
    on a machine with other work it says more than the clock.
    """
    addresses = [
        "incidents", "incidents?status=open", "incidents?q=title-77", "incidents?page=80",
        "incidents/" + format(77, "012x"), "api/v1/incidents", "api/v1/incidents?q=title-77",
        "rules", "rules/rebuffering", "rules/failures", "rules/failures?q=t777",
        "series", "series?q=t777", f"series/{METRIC}", f"series/{METRIC}?q=t777",
        "channels", "silences", "model", "status",
    ]  # fmt: skip
    found = {}
    async with aiohttp.ClientSession() as session:
        for address in addresses:
            times, spent = [], []
            for _ in range(runs + 1):
                began, cpu = time.perf_counter(), time.process_time()
                async with session.get(f"{url}/{address}") as answer:
                    await answer.read()
                    answer.raise_for_status()
                times.append(1000 * (time.perf_counter() - began))
                spent.append(1000 * (time.process_time() - cpu))
            found[address] = {"clock": quantiles(times[1:]), "cpu": quantiles(spent[1:])}
    return found


async def watch(url: str, clients: int) -> None:
    """Play so many browsers until killed."""

    async def one(session: aiohttp.ClientSession, page: str) -> None:
        async with session.get(f"{url}/events") as stream:
            async for line in stream.content:
                if line.startswith(b"event:"):
                    live = {"X-Live": "1"}
                    async with session.get(f"{url}/{page}", headers=live) as answer:
                        await answer.read()

    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(None)
        ) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(clients):
            tasks.create_task(one(session, WATCHED[number % len(WATCHED)]))


async def watched(engine: Engine, clients: int) -> dict[str, float]:
    """Return the cores that the engine takes without and with clients, and what they heard."""
    idle, _ = await _cores(engine, 0)
    arguments = ["--watch", engine.web_url, "--clients", str(clients)]
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, *arguments)
    await asyncio.sleep(5)
    busy, events = await _cores(engine, 1_000)
    process.kill()
    await process.wait()
    return {
        "idle": round(idle, 3),
        "watched": round(busy, 3),
        "by_clients": round(busy - idle, 3),
        "events_a_second": round(events, 2),
    }


async def _cores(engine: Engine, first: int) -> tuple[float, float]:
    """Return the cores that are used, and the events there are a second."""
    began, cpu = time.perf_counter(), time.process_time()
    heard: list[bytes] = []
    listening = asyncio.create_task(_listen(engine.web_url, heard))
    step = first
    while time.perf_counter() - began < WATCHED_S:
        groups = [{"country": f"c{one % 50}", "title": f"t{one}"} for one in (step + 1, step)]
        await _take(engine, METRIC, groups, [9.0, 0.0], 10**6)
        step += 1
        await asyncio.sleep(2)
    passed_s = time.perf_counter() - began
    spent = (time.process_time() - cpu) / passed_s
    listening.cancel()
    return spent, len(heard) / passed_s


async def _listen(url: str, heard: list[bytes]) -> None:
    """Note every event until cancelled."""
    timeout = aiohttp.ClientTimeout(None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{url}/events") as stream,
    ):
        while line := await stream.content.readline():
            if line.startswith(b"event:"):
                heard.append(line)


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run everything once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await fill(folder, arguments.incidents)
        (folder / "playwatch.yaml").write_text(CONFIG)
        async with running(load_config(folder / "playwatch.yaml", environ={})) as engine:
            await feed(engine, arguments.series)
            await asyncio.sleep(arguments.up)  # the values of all groups are read in turn
            return {
                **described(),
                "series": arguments.series,
                "incidents": arguments.incidents,
                "clients": arguments.clients,
                "up_s": arguments.up,
                "page_ms": await pages(engine.web_url, arguments.runs),
                "cores": await watched(engine, arguments.clients),
            }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--incidents", type=int, default=5_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--up", type=float, default=UP_S, help="seconds before the first page")
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        asyncio.run(watch(arguments.watch, arguments.clients))
        return
    result = asyncio.run(measure(arguments))
    for page, times in result["page_ms"].items():
        clock, cpu = times["clock"], times["cpu"]
        print(
            f"{page:44} {clock['median']:7.1f} ms (p99 {clock['p99']:.1f}), CPU {cpu['median']:.1f}"
        )
    print(f"cores: {result['cores']}")
    print(keep("pages", result))


if __name__ == "__main__":
    main()
