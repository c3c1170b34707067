"""One bench: everything is started, measured, and taken away again."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from playwatch.bench import samples
from playwatch.bench.brokers import broker
from playwatch.bench.engine import engine
from playwatch.bench.figures import Measured
from playwatch.bench.measure import Kind, Site, latency, storm, throughput
from playwatch.bench.wire import PACKED_TOPIC, Wire
from playwatch.demo.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwatch.bench.brokers import BrokerChoice
    from playwatch.bench.figures import Plan

    Told = Callable[[str, float], None]
    """Called with what is being measured, and how much of it is done, 0 to 1."""

_MANY: Final = f"{samples.COLUMNS:,}"


async def bench(plan: Plan, choice: BrokerChoice, told: Told) -> Measured:
    """Measure what a plan asks for; nothing is left behind, cancelled or not.

    Raises
    ------
    BenchError
        If something that is needed is missing or does not work.
    BrokerError
        If the broker is lost.
    ListenError
        If a port cannot be bound.
    """
    told("start", 0.0)
    with TemporaryDirectory(prefix="playwatch-bench-") as name:
        folder = Path(name)
        async with (
            broker(choice, folder) as found,
            StandIn(rate_limit=None) as stand_in,
            engine(folder, found.settings, stand_in.url) as running,
            Wire(found.port) as wire,
        ):
            site = Site(running, stand_in, wire)
            await site.fill(plan.series)
            told("start", 1.0)
            trigger, resolve = await latency(
                site, plan.breaches, lambda share: told("latency", share)
            )
            stormed = await storm(site, plan.storm, lambda share: told("storm", share))
            rows = [
                await throughput(site, kind, plan.seconds, told) for kind in _kinds(plan.series)
            ]
    return Measured(
        plan=plan,
        broker=found.name,
        caveat=found.caveat,
        processors=os.cpu_count() or 1,
        trigger=trigger,
        resolve=resolve,
        throughput=rows,
        storm=stormed,
    )


def _kinds(series: int) -> Iterator[Kind]:
    """Iterate over the kinds of messages, each of whose payloads are made when it is its turn."""
    size = samples.COLUMNS
    yield Kind("one sample", list(samples.one_by_one(series)), 1)
    yield Kind(f"columns of {_MANY}", list(samples.whole_columns(series)), size)
    yield Kind(f"packed, {_MANY}", list(samples.packed(series)), size, PACKED_TOPIC)
    tables = list(samples.key_tables(series))
    numbered = list(samples.numbered(series))
    yield Kind(f"key table, {_MANY}", numbered, size, PACKED_TOPIC, tables)
