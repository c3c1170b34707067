"""What looking costs: ``python benchmarks/web.py``.

An engine in its own process with a hundred thousand series in ten rules and
five thousand incidents in its store. A client in this process asks each path
in turn over one connection; what is measured is the time until the whole
answer is here, and the processor time that the engine spent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from detection_latency import good
from machine import described, keep, quantiles
from surroundings import METRIC, Publisher, broker

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.core.deliveries import Action, Changes, Delivery
from playwatch.core.incidents import Incident, Status
from playwatch.core.rules import AlertType, Severity
from playwatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

RULES = 10
PATHS = {
    "mux list": "/data/v1/incidents",
    "mux list of 100": "/data/v1/incidents?limit=100",
    "mux list by impact": "/data/v1/incidents?order_by=negative_impact",
    "mux list, last page": "/data/v1/incidents?page=200",
    "mux related": "/data/v1/incidents/{id}/related",
    "mux one": "/data/v1/incidents/{id}",
    "incidents": "/api/v1/incidents",
    "incidents of a country": "/api/v1/incidents?dimension=country:C7",
    "incidents in a time": "/api/v1/incidents?from=2026-01-01T00:00:00Z&status=closed&limit=25",
    "incident": "/api/v1/incidents/{id}",
    "rules": "/api/v1/rules",
    "groups of a rule": "/api/v1/rules/rule-1/groups",
    "series": f"/api/v1/series?metric={METRIC}",
    "series with a text": f"/api/v1/series?metric={METRIC}&q=title-9999",
    "metrics of the API": "/api/v1/metrics",
    "status": "/api/v1/status",
    "metrics": "/metrics",
    "page incidents": "/incidents",
    "page incident": "/incidents/{id}",
    "page metrics": "/series",
    "page metric": f"/series/{METRIC}",
    "page rules": "/rules",
    "page rule": "/rules/rule-1",
    "page channels": "/channels",
    "page silences": "/silences",
    "page model": "/model",
    "page status": "/status",
}
CONFIG = """
mqtt:
  url: mqtt://127.0.0.1:{port}
  subscriptions: [{{topic: "playwatch/samples/#"}}]
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:0"}}
anomalies: []
rules:
"""
RULE = """
  - name: rule-{number}
    metric: {metric}
    where: {{video_title: "title-*{number}"}}
    by: [video_title]
    trigger: "> 90"
"""


def incident(number: int, begin: int) -> Incident:
    """Return one of many incidents that are over."""
    at = begin + number * 60_000
    return Incident(
        id=f"{number:012x}",
        incident_key=f"{number % 500:064x}",
        rule=f"rule-{number % RULES}",
        scope="",
        alert_type=AlertType.THRESHOLD,
        status=Status.CLOSED,
        severity=Severity.CRITICAL,
        measurement=METRIC,
        unit="%",
        breakdowns=(("country", f"C{number % 100}"), ("cdn", f"cdn-{number % 5}")),
        measured_value=91.0 + number % 9,
        peak_value=99.0,
        threshold=90.0,
        bound="> 90",
        sample_size=1000,
        affected_viewers=910 + number % 90,
        started_at=at - 60_000,
        opened_at=at,
        window_s=60.0,
        summary=f"Failures 91 % in country C{number % 100}",
        resolved_at=at + 300_000,
        ended_at=at + 300_000,
        measured_value_on_close=1.0,
        reason="failures are at 1 %",
    )


async def store_incidents(path: Path, count: int) -> None:
    """Put incidents with their deliveries into a store that no engine holds."""
    begin = round(time.time() * 1000) - count * 60_000 - 600_000
    store = await SqliteStore.open(path)
    try:
        for start in range(0, count, 1000):
            made = [incident(n, begin) for n in range(start, min(start + 1000, count))]
            sent = [
                Delivery(
                    id=f"{one.id}/{action.value}",
                    incident=one,
                    channel="gone",
                    key_fingerprint="f00d",
                    action=action,
                    dedup_key=one.dedup_key,
                    created_at=one.opened_at,
                )
                for one in made
                for action in Action
            ]
            await store.commit(Changes(made, sent))
        await store.purge([])
    finally:
        await store.close()


def engine(config: Path, pipe: Connection) -> None:
    """Run an engine until told to stop."""

    async def run() -> None:
        async with running(load_config(config, environ={})) as found:
            pipe.send(found.web_url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


async def measured(url: str, times: int) -> dict[str, Any]:
    """Ask every path some times; return milliseconds and engine CPU of each."""
    found: dict[str, Any] = {}
    async with aiohttp.ClientSession(url) as session:
        for name, path in PATHS.items():
            place = path.format(id=f"{7:012x}")
            latencies: list[float] = []
            size = 0
            before = await cpu_s(session)
            for _ in range(times):
                began = time.perf_counter()
                async with session.get(place) as answer:
                    size = len(await answer.read())
                    answer.raise_for_status()
                latencies.append((time.perf_counter() - began) * 1000)
            spent = (await cpu_s(session) - before) / times * 1000
            found[name] = {"ms": quantiles(latencies), "cpu_ms": round(spent, 2), "bytes": size}
            print(f"{name:24}{_line(found[name])}", flush=True)
    return found


def _line(one: dict[str, Any]) -> str:
    ms = one["ms"]
    return (
        f"  median {ms['median']:7.1f}  p99 {ms['p99']:7.1f} ms  CPU {one['cpu_ms']:6.1f} ms"
        f"  {one['bytes']:8,} B"
    )


async def ready(url: str) -> None:
    """Return once the engine is subscribed."""
    async with aiohttp.ClientSession(url) as session, asyncio.timeout(30):
        while True:
            async with session.get("/-/ready") as answer:
                if answer.ok:
                    return
            await asyncio.sleep(0.05)


async def counted(url: str, series: int) -> None:
    """Wait until the engine knows every series."""
    async with aiohttp.ClientSession(url) as session, asyncio.timeout(60):
        text = ""
        while f"\nplaywatch_series {float(series)}" not in text:
            async with session.get("/metrics") as answer:
                text = await answer.text()


async def cpu_s(session: aiohttp.ClientSession) -> float:
    """Return the processor time that the engine has spent."""
    async with session.get("/metrics") as answer:
        text = await answer.text()
    spent = re.search(r"^process_cpu_seconds_total (\S+)$", text, re.MULTILINE)
    if spent is None:
        message = "the engine does not tell its processor time"
        raise LookupError(message)
    return float(spent[1])


async def main(series: int, incidents: int, times: int) -> None:
    """Measure, print and keep the result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with broker(folder) as port:
            config = folder / "playwatch.yaml"
            rules = "".join(RULE.format(number=n, metric=METRIC) for n in range(RULES))
            config.write_text(CONFIG.format(port=port) + rules)
            await store_incidents(folder / "playwatch.db", incidents)
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(
                target=engine, args=(config, theirs)
            )
            process.start()
            try:
                url = await asyncio.to_thread(ours.recv)
                await ready(url)
                with Publisher(port, 1) as publisher:
                    await asyncio.to_thread(publisher.publish, good(series))
                await counted(url, series)
                # By now every group has been read once for the pages.
                await asyncio.sleep(series / 4096 + 2)
                paths = await measured(url, times)
            finally:
                ours.send("stop")
                process.join()
    result = {**described(), "series": series, "incidents": incidents, "paths": paths}
    print(json.dumps(str(keep("web", result))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--incidents", type=int, default=5_000)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    asyncio.run(main(given.series, given.incidents, given.times))
