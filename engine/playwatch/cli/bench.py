"""`playwatch bench`: how fast it is on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwatch.bench.brokers import BrokerChoice
    from playwatch.bench.figures import Measured, Plan

_INTERRUPTED = 130


def bench(
    series: Annotated[
        int, typer.Option(min=1, max=100_000, help="Series that the engine knows.")
    ] = 1000,
    breaches: Annotated[int, typer.Option(min=1, help="Breaches that are timed.")] = 40,
    storm: Annotated[
        int, typer.Option(min=1, max=5000, help="Series that breach in one message.")
    ] = 100,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long to publish each kind of message.")
    ] = 7.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few seconds in all: 10 breaches, 1 s of each kind.")
    ] = False,
    broker: Annotated[
        Literal["auto", "mosquitto", "embedded"],
        typer.Option(help="auto is mosquitto, or ours where it is not installed."),
    ] = "auto",
    html: Annotated[Path | None, typer.Option(help="Write a page with charts.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure on this machine: latency to the page, throughput, a storm; within a minute.

    A broker, an engine and a PagerDuty stand-in are started on loopback, in a
    temporary folder. Exits 1 when a sample or a page was lost or doubled.
    """
    import asyncio

    from playwatch.bench.figures import Plan

    if quick:
        breaches, seconds = min(breaches, 10), min(seconds, 1.0)
    if breaches > series:
        message = f"{breaches} are more than there are series ({series})"
        raise typer.BadParameter(message, param_hint="--breaches")
    if html is not None and not html.absolute().parent.is_dir():
        message = f"there is no folder {html.absolute().parent}"
        raise typer.BadParameter(message, param_hint="--html")
    plan = Plan(series=series, breaches=breaches, storm=storm, seconds=seconds)
    measured = asyncio.run(_measured(plan, broker))
    if measured is None:
        typer.echo("playwatch: stopped, nothing was measured and nothing is left behind", err=True)
        raise typer.Exit(_INTERRUPTED)
    _tell(measured, html, as_json=as_json)
    raise typer.Exit(0 if measured.is_whole else 1)


async def _measured(plan: Plan, broker: BrokerChoice) -> Measured | None:
    """Return what was measured, or None when a signal came first."""
    import asyncio

    from playwatch.cli.signals import interrupted

    with interrupted() as stop, _progress() as told:
        from playwatch.bench.bench import bench as measure

        measuring = asyncio.create_task(measure(plan, broker, told))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({measuring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not stop.is_set():
            return await measuring
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
        return None


def _tell(measured: Measured, html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        from playwatch.bench.page import write_page

        write_page(html, measured)
        typer.echo(f"picture: {html}", err=True)
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(measured.document())
    else:
        from playwatch.cli.bench_table import bench_tables

        bench_tables(measured)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Show on stderr, where somebody watches, what is being measured: a bar for each."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        bars: dict[str, TaskID] = {}

        def told(what: str, share: float) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=1.0)
            progress.update(bars[what], completed=share)

        yield told
