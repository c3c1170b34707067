"""Measures what a slow channel costs a quick one: milliseconds from a breach to its page.

The evaluator, the store on disk, the outbox and two PagerDuty channels run in
this process as in the engine, with ``rate_limit: none``. Every incident is
routed to both. One receiver answers at once, the other in one of three ways:
at once too, after a second, or never. A thousand deliveries wait for it before
the first breach is timed. The three take turns, so that what else the machine
does meets them alike. Half of the processor time is the two receivers', which
share the process.

    .venv/bin/python benchmarks/isolation.py

`results/isolation.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from machine import described, keep
from rich.console import Console
from rich.progress import track
from rich.table import Table
from storm import breaching, engine

from playwatch.demo.listener import Listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.runtime.evaluate import Evaluator

ANSWERS: Final = {"at once": 0.0, "after a second": 1.0, "never": 3_600.0}
"""How the other receiver answers, and after how many seconds."""
WAITING: Final = 1_000


async def main() -> None:
    """Time breaches beside each kind of neighbour in turn, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--breaches", type=int, default=100, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    took_ms: dict[str, list[float]] = {name: [] for name in ANSWERS}
    turns = [name for _ in range(asked.rounds) for name in ANSWERS]
    for name in track(turns, "measuring", transient=True):
        took_ms[name] += await beside(ANSWERS[name], asked.breaches)
    rows: list[dict[str, Any]] = [
        {"neighbour_answers": name, **summary(took_ms[name])} for name in ANSWERS
    ]
    for row in rows:
        for figure in ("median_ms", "p99_ms"):
            row[f"more_{figure}"] = round(row[figure] - rows[0][figure], 3)
    show(rows)
    if not asked.no_keep:
        kept = keep("isolation", {"machine": described(), "rounds": asked.rounds, "rows": rows})
        print(f"kept in {kept.relative_to(Path.cwd())}")


def summary(took_ms: list[float]) -> dict[str, float]:
    """Return the figures of one kind of neighbour."""
    return {
        "pages": len(took_ms),
        "median_ms": round(statistics.median(took_ms), 3),
        "p99_ms": round(statistics.quantiles(took_ms, n=100)[98], 3),
        "largest_ms": round(max(took_ms), 3),
    }


async def beside(answers_after_s: float, breaches: int) -> list[float]:
    """Return how long the quick channel's page took after each breach, in milliseconds."""
    arrived: dict[str, asyncio.Future[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            receiver(arrived, 0.0) as quick,
            receiver({}, answers_after_s) as slow,
            engine(Path(folder), {"quick": quick, "slow": slow}, grace_s=0.0) as (evaluator, _),
        ):
            await paged(evaluator, [f"before-{number}" for number in range(WAITING)], arrived)
            timed = [f"timed-{number}" for number in range(breaches)]
            return [await paged(evaluator, [title], arrived) for title in timed]


async def paged(
    evaluator: Evaluator, titles: list[str], arrived: dict[str, asyncio.Future[float]]
) -> float:
    """Let some titles breach at once; return when the last was paged, in milliseconds after."""
    loop = asyncio.get_running_loop()
    arrived.update({f"video_title={title}": loop.create_future() for title in titles})
    read = breaching(titles)
    began = time.perf_counter()
    evaluator._take(read)  # noqa: SLF001 - what `follow` does with one read
    async with asyncio.timeout(120):
        ended = max([await one for one in arrived.values()])
    arrived.clear()
    return (ended - began) * 1000


@asynccontextmanager
async def receiver(
    arrived: dict[str, asyncio.Future[float]], answers_after_s: float
) -> AsyncIterator[str]:
    """Yield the URL of a receiver that notes when the page of a group has come."""

    async def handle(request: web.Request) -> web.Response:
        event = await request.json()
        noted = arrived.get(event["payload"]["source"])
        if noted is not None and not noted.done():
            noted.set_result(time.perf_counter())
        await asyncio.sleep(answers_after_s)
        answer = {"status": "success", "message": "Event processed"}
        return web.json_response({**answer, "dedup_key": event["dedup_key"]}, status=202)

    app = web.Application()
    app.router.add_post("/", handle)
    listener = Listener("a receiver", app, connection_limit=1_000)
    port = await listener.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        await listener.close()


def show(rows: list[dict[str, Any]]) -> None:
    """Print the figures."""
    table = Table("the other answers", "pages", "median ms", "p99 ms", "largest ms", "median, more")
    for row in rows:
        figures = (f"{row[name]:.1f}" for name in ("median_ms", "p99_ms", "largest_ms"))
        more = f"{row['more_median_ms']:+.2f}"
        table.add_row(row["neighbour_answers"], f"{row['pages']:,}", *figures, more)
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
