"""`playwatch run`: the engine, until it is told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.logs import LogFormatOption, to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.config.schema import Settings
    from playwatch.runtime.reload import Reloader

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", metavar="FILE")
]


def run(
    config: ConfigOption = Path("playwatch.yaml"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Evaluate, but only log what would be sent.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(help="Write down what is read, for replay and backtest.", metavar="FILE"),
    ] = None,
    log_format: LogFormatOption = "text",
) -> None:
    """Run the engine: subscribe, evaluate, page.

    SIGTERM or Ctrl-C stops it in order; SIGHUP reads the configuration again.
    """
    from playwatch.cli.settings import load

    to_stderr(style=log_format)
    asyncio.run(_serve(lambda: load(config), is_dry_run=dry_run, record=record))


async def _serve(load: Callable[[], Settings], *, is_dry_run: bool, record: Path | None) -> None:
    import logging

    from playwatch.app import running
    from playwatch.cli.settings import at_work, counted
    from playwatch.cli.signals import hang_ups, stop_requested
    from playwatch.cli.supervisor import Supervisor
    from playwatch.runtime.heap import give_back_large_blocks, spare_what_stays
    from playwatch_models.registry import model_fault

    give_back_large_blocks()
    log = logging.getLogger("playwatch")
    settings, supervisor = load(), Supervisor()
    with stop_requested() as stop, hang_ups() as asked:
        async with (
            running(settings, is_dry_run=is_dry_run, load=load, record=record) as engine,
            asyncio.TaskGroup() as tasks,
        ):
            spare_what_stays()
            log.info("%s", at_work(settings))
            if fault := model_fault():
                log.warning("the model judges without its learned stage: %s", fault)
            if engine.web_url:
                log.info("pages, health and metrics at %s", engine.web_url)
            reloading = tasks.create_task(_reload_when(asked, engine.reloader))
            living = tasks.create_task(supervisor.keep_alive())
            supervisor.say("READY=1", f"STATUS={counted(len(settings.rules), 'rule')} at work")
            await stop.wait()
            log.info("stopping")
            supervisor.say("STOPPING=1")
            reloading.cancel()
            living.cancel()
    log.info("stopped")


async def _reload_when(asked: asyncio.Event, reloader: Reloader) -> None:
    """Reload at each hang-up; what is wrong is in the log, and nothing has changed."""
    from contextlib import suppress

    from playwatch.errors import PlaywatchError

    while True:
        await asked.wait()
        asked.clear()
        with suppress(PlaywatchError):
            await reloader.reload("SIGHUP")
