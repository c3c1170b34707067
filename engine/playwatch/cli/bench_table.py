"""What people read of a bench in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from playwatch.bench.figures import Measured, Throughput


def bench_tables(measured: Measured) -> None:
    """Print latency, throughput and storm."""
    console = Console()
    plan, storm = measured.plan, measured.storm
    console.print(
        f"{plan.series:,} series, one threshold rule, {escape(measured.broker)},"
        f" {measured.processors} processors shared by publisher, broker, engine and receiver"
    )
    table = _table("publish to page", "count", "median ms", "p99 ms", "largest ms")
    for name, spread in (("trigger", measured.trigger), ("resolve", measured.resolve)):
        figures = (spread.median_ms, spread.p99_ms, spread.largest_ms)
        table.add_row(name, f"{len(spread.values_ms):,}", *(f"{ms:,.1f}" for ms in figures))
    console.print(table)
    table = _table(
        *("throughput", "samples/s", "CPU µs/message", "CPU µs/sample", "engine CPU", "lost")
    )
    for one in measured.throughput:
        table.add_row(*_row(one))
    console.print(table)
    table = _table("storm", "last trigger ms", "lost", "doubled")
    last = "" if storm.last_ms is None else f"{storm.last_ms:,.0f}"
    table.add_row(f"{storm.breaches:,} at once", last, f"{storm.lost:,}", f"{storm.doubled:,}")
    console.print(table)
    if measured.caveat:
        console.print(escape(measured.caveat))


def _row(one: Throughput) -> tuple[str, ...]:
    share = "" if one.share is None else f"{100 * one.share:.0f} %"
    return (
        one.what,
        f"{one.per_second:,.0f}",
        _figure(one.cpu_us_per_message, 0),
        _figure(one.cpu_us_per_sample, 2),
        share,
        f"{one.lost:,}",
    )


def _figure(value: float | None, digits: int) -> str:
    """Return a number, or nothing where the system does not tell."""
    return "" if value is None else f"{value:,.{digits}f}"


def _table(first: str, *names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    return table
