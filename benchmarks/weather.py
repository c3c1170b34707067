"""Measures what bad weather costs those who have nothing to do with it.

The engine as its users run it, with ordinary traffic: 2,000 samples a second, and
twenty breaches a second, each of another title, from publish to PagerDuty's
request. Then the same

* beside a publisher that floods: 30,000 single samples a second at QoS 0;
* through a broker that stands still for two seconds (SIGSTOP), counted from when it goes on;
* on a disk that takes 200 ms to make anything durable (every `fsync` is held up by strace);
* on such a disk for the history alone, of which a minute is written during the breaches, each
  write held up for 20 ms as well;
* beside a channel whose receiver takes every request and never answers.

Lag is how long the oldest unread message had waited, as ``/metrics`` says it, asked
some twenty times a second; beside it, the share of all reads that were judged within
100 ms of the arrival of their first message.

    .venv/bin/python benchmarks/weather.py

`results/weather.json` keeps the figures. Without Debian's `strace` the disk is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detection_latency import breach, good, loaded
from machine import described, keep, quantiles
from rich.console import Console
from rich.progress import track
from rich.table import Table
from surroundings import KEY, Engine, Publisher, broker_process, engine, receiver

from playwatch.runtime.history import AFTER_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SERIES: Final = 10_000
TRAFFIC: Final = 2_000
FLOOD: Final = 30_000
EVERY_S: Final = 0.05
STALL_S: Final = 2.0
DISK_MS: Final = 200
HANGS: Final = "a receiver that hangs"
DISK: Final = "a slow disk"
HELD_UP: Final = "held up"
HISTORY: Final = "a slow disk of the history"
WEATHERS: Final = ("calm", "a flood", "a broker that stalls", DISK, HISTORY, HANGS)
HANGING: Final = """\
  - {{name: hanging, service: pagerduty, integration_key: {key}, url: "{url}", rate_limit: none,
     self_alerts: false}}
"""


@dataclass
class Stall:
    """When nothing could get through: nor what was on its way when it began."""

    began: float = 0.0
    ended: float = 0.0

    def since(self, at: float) -> float:
        """Return when something that was published could first get through."""
        return self.ended if self.began - EVERY_S <= at < self.ended else at


Storm = AbstractAsyncContextManager[Stall]


@dataclass
class Seen:
    """What was seen of the engine while a weather lasted."""

    lag_ms: list[float] = field(default_factory=list)
    memory_mb: float = 0.0


async def main() -> None:
    """Measure each weather, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--breaches", type=int, default=200, help="in each weather")
    parser.add_argument("--only", nargs="+", default=WEATHERS, choices=WEATHERS)
    parser.add_argument("--no-keep", action="store_true", help="only print")
    parser.add_argument("--flood", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.flood:
        flood(asked.flood)
    machine, rows = described(), []
    for name in track(asked.only, "measuring", transient=True):
        if name in {DISK, HISTORY} and shutil.which("strace") is None:
            print(f"{name} is left out: Debian's strace is not installed")
            continue
        rows.append({"weather": name, **await measure(name, asked.breaches)})
    show(rows)
    if not asked.no_keep:
        print(f"kept in {keep('weather', {'machine': machine, 'rows': rows}).name}")


async def measure(weather: str, breaches: int) -> dict[str, Any]:
    """Return the figures of one weather."""
    with tempfile.TemporaryDirectory() as folder:
        under = _strace(weather, Path(folder)) if weather in {DISK, HISTORY} else ()
        async with (
            hanging() as url,
            broker_process(Path(folder)) as (port, mosquitto),
            receiver() as (receiving, events),
        ):
            more = HANGING.format(key=KEY, url=url) if weather == HANGS else ""
            async with engine(Path(folder), port, events, under=under, more_channels=more) as one:
                with Publisher(port, 1, "fill") as publisher:
                    first = breach(SERIES - 1, 50.0)
                    await asyncio.to_thread(publisher.publish, [*good(SERIES), first])
                await _all_paged(receiving.first_at, 1)
                receiving.first_at.clear()
                seen, before = Seen(), await _judged(one)
                with Publisher(port, 1, "breaches") as publisher, loaded(port, SERIES, TRAFFIC):
                    watching = asyncio.create_task(_watch(one, seen))
                    if weather == HISTORY:
                        await asyncio.sleep(_until_history_s(breaches))
                    storms: dict[str, Callable[[], Storm]] = {
                        "a flood": lambda: _flood(port),
                        "a broker that stalls": lambda: _stall(mosquitto),
                    }
                    async with storms.get(weather, _nothing)() as stall:
                        sent = await _breach(publisher, breaches)
                    await _all_paged(receiving.first_at, breaches)
                    watching.cancel()
                after = await _judged(one)
                dropped = await one.metric("playwatch_messages_dropped_total")
                begun = {title: stall.since(at) for title, at in sent.items()}
                took = [(receiving.first_at[title] - at) * 1000 for title, at in begun.items()]
                return {
                    "publish_to_page_ms": quantiles(took),
                    "lag_ms": quantiles(seen.lag_ms),
                    "judged_within_100_ms": round(
                        (after[0] - before[0]) / max(after[1] - before[1], 1), 5
                    ),
                    "memory_mb": round(seen.memory_mb, 1),
                    "dropped_and_counted": dropped,
                    "log_mb": round(await one.metric("playwatch_store_log_bytes") / 1e6, 2),
                    "calls_held_up": _calls(Path(folder)),
                    "lost": breaches - len(receiving.first_at),
                    "doubled": len(receiving.triggers) - len(set(receiving.triggers)),
                }


async def _judged(running: Engine) -> tuple[float, float]:
    """Return how many reads were judged within 100 ms of their arrival, and how many in all."""
    name = "playwatch_evaluation_lag_seconds"
    within = await running.metric(f'{name}_bucket{{le="0.1"}}')
    return within, await running.metric(f"{name}_count")


async def _breach(publisher: Publisher, breaches: int) -> dict[str, float]:
    """Publish breaches at their rate; return when each title's was."""
    sent, due = {}, time.perf_counter()
    for title in range(breaches):
        sent[f"video_title=title-{title}"] = time.perf_counter()
        await asyncio.to_thread(publisher.publish, [breach(title, 50.0)])
        due += EVERY_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return sent


async def _all_paged(first_at: dict[str, float], breaches: int) -> None:
    async with asyncio.timeout(60):
        while len(first_at) < breaches:  # noqa: ASYNC110 - another process pages
            await asyncio.sleep(0.05)


async def _watch(running: Engine, seen: Seen) -> None:
    """Note lag and memory until cancelled."""
    while True:
        seen.lag_ms.append(1000 * await running.metric("playwatch_queue_wait_seconds"))
        seen.memory_mb = max(seen.memory_mb, running.memory_bytes() / 1e6)
        await asyncio.sleep(EVERY_S)


@asynccontextmanager
async def _nothing() -> AsyncIterator[Stall]:
    yield Stall()


@asynccontextmanager
async def _flood(port: int) -> AsyncIterator[Stall]:
    """Flood from a process of its own while the context lasts."""
    flooding = await asyncio.create_subprocess_exec(sys.executable, __file__, "--flood", str(port))
    try:
        yield Stall()
    finally:
        flooding.kill()
        await flooding.wait()


def flood(port: int) -> None:
    """Publish single samples at their rate until killed."""
    payloads, due = [breach(SERIES - 1, 0.0)] * (FLOOD // 100), time.perf_counter()
    with Publisher(port, 0, "flood") as publisher:
        while True:
            publisher.publish(payloads)
            due += 0.01
            time.sleep(max(0.0, due - time.perf_counter()))


@asynccontextmanager
async def _stall(mosquitto: asyncio.subprocess.Process) -> AsyncIterator[Stall]:
    """Let the broker stand still once, soon after the begin."""
    stall = Stall()

    async def stand_still() -> None:
        await asyncio.sleep(1.0)
        mosquitto.send_signal(signal.SIGSTOP)
        stall.began = time.perf_counter()
        await asyncio.sleep(STALL_S)
        mosquitto.send_signal(signal.SIGCONT)
        stall.ended = time.perf_counter()

    standing = asyncio.create_task(stand_still())
    yield stall
    await standing


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """Yield the URL of a receiver that takes every request and never answers."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def _calls(folder: Path) -> int:
    """Return how often something was written, or made durable, on a slow disk since the start."""
    trace = folder / HELD_UP
    return trace.read_text().count("(DELAYED)") if trace.exists() else 0


def _until_history_s(breaches: int) -> float:
    """Return the seconds until breaches should begin, so that the history is written meanwhile."""
    return (AFTER_S - breaches * EVERY_S / 2 - time.time()) % 60


def _strace(weather: str, folder: Path) -> tuple[str, ...]:
    """Return what runs a command on a disk that takes its time, for the history or for all."""
    held_up = f"inject=fsync,fdatasync:delay_exit={DISK_MS * 1000}"
    watched: tuple[str, ...] = ("-e", "trace=fsync,fdatasync", "-e", held_up)
    if weather == HISTORY:
        path = folder.resolve() / "playwatch-history.db"
        slowly = ("-e", "inject=pwrite64:delay_exit=20000", "-P", str(path), "-P", f"{path}-wal")
        watched = ("-e", "trace=fsync,fdatasync,pwrite64", "-e", held_up, *slowly)
    return ("strace", "-f", "--seccomp-bpf", "--quiet=all", "-o", str(folder / HELD_UP), *watched)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the figures."""
    names = ("weather", "median ms", "p99", "largest", "lag p99", "largest", "in 100 ms")
    table = Table(*names, "MB", "dropped", "lost", "doubled")
    for row in rows:
        pages, lag = row["publish_to_page_ms"], row["lag_ms"]
        figures = (pages["median"], pages["p99"], pages["largest"], lag["p99"], lag["largest"])
        table.add_row(
            row["weather"],
            *(f"{figure:.1f}" for figure in figures),
            f"{row['judged_within_100_ms']:.2%}",
            f"{row['memory_mb']:.0f}",
            *(f"{row[name]:,.0f}" for name in ("dropped_and_counted", "lost", "doubled")),
        )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
