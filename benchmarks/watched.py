"""What those who watch cost those who are paged: ``python benchmarks/watched.py``.

The engine of `detection_latency.py` with 100,000 series. Series breach and recover,
one at a time; in every other round fifty browsers watch the pages meanwhile, as in
`pages.py`: each incident that opens or ends has all of them load their page again.
The rounds alternate, so that what else the machine does falls on both alike. The
browsers yield to the engine (nice 19): they stand for fifty other machines.

`results/watched.json` keeps both latencies and what the engine used of a processor.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detection_latency import ACTIONS, breach, good
from machine import described, keep, quantiles
from surroundings import Publisher, broker, engine, receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from surroundings import Engine, Receiver

APART_S = 0.25
"""Between two incidents: eight events a second for each who watches."""


async def main() -> None:
    """Measure round after round, print both lines, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=6, help="of each kind")
    parser.add_argument("--breaches", type=int, default=25, help="in each round")
    asked = parser.parse_args()
    machine = described()
    found: dict[bool, dict[str, list[float]]] = {
        is_watched: {"trigger": [], "resolve": [], "cores": []} for is_watched in (False, True)
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            broker(folder) as port,
            receiver() as (receiving, events),
            engine(folder, port, events) as running,
        ):
            with Publisher(port, 1, "fill") as publisher:
                await asyncio.to_thread(publisher.publish, good(asked.series))
            await running.has("playwatch_samples_received_total", asked.series)
            dice = random.Random(1)  # noqa: S311 - no secret
            titles = iter(dice.sample(range(asked.series), 2 * asked.rounds * asked.breaches))
            for number in range(2 * asked.rounds):
                clients = asked.clients * (number % 2)
                async with watching(running.url, clients):
                    chosen = [next(titles) for _ in range(asked.breaches)]
                    await measure(running, receiving, port, chosen, found[clients > 0])
    rows = {
        "watched" if is_watched else "alone": {
            "trigger_ms": quantiles(one["trigger"]),
            "resolve_ms": quantiles(one["resolve"]),
            "cores": quantiles(one["cores"]),
        }
        for is_watched, one in found.items()
    }
    for what, row in rows.items():
        ms = row["trigger_ms"]
        print(
            f"{what:8} trigger {ms['median']:.1f} ms median, {ms['p99']:.1f} p99,"
            f" {row['cores']['median']:.2f} core"
        )
    asked_for = {"series": asked.series, "clients": asked.clients, "apart_s": APART_S}
    print(f"kept in {keep('watched', {'machine': machine, **asked_for, 'rows': rows}).name}")


async def measure(
    running: Engine,
    receiving: Receiver,
    port: int,
    titles: list[int],
    found: dict[str, list[float]],
) -> None:
    """Note the latencies of some breaches, in milliseconds, and the cores used meanwhile."""
    began, cpu = time.perf_counter(), running.cpu_s()
    with Publisher(port, 1, "breaches") as publisher:
        for title in titles:
            for action, value in ACTIONS:
                sent = time.perf_counter()
                await asyncio.to_thread(publisher.publish, [breach(title, value)])
                found[action].append((await receiving.next(action) - sent) * 1000)
                await asyncio.sleep(APART_S)
    found["cores"].append((running.cpu_s() - cpu) / (time.perf_counter() - began))


@asynccontextmanager
async def watching(url: str, clients: int) -> AsyncIterator[None]:
    """Have browsers watch while the context lasts."""
    if not clients:
        yield
        return
    script = Path(__file__).with_name("pages.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), "--watch", url, "--clients", str(clients)),
        preexec_fn=lambda: os.nice(19),
    )
    try:
        await asyncio.sleep(3)
        yield
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
