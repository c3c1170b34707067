"""`playwatch run`: the engine, until it is told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from playwatch.config.schema import Settings

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", metavar="FILE")
]


def run(
    config: ConfigOption = Path("playwatch.yaml"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Evaluate, but only log what would be sent.")
    ] = False,
) -> None:
    """Run the engine: subscribe, evaluate, page. SIGTERM or Ctrl-C stops it in order."""
    from playwatch.cli.logs import to_stderr
    from playwatch.cli.settings import load

    to_stderr()
    asyncio.run(_serve(load(config), is_dry_run=dry_run))


async def _serve(settings: Settings, *, is_dry_run: bool) -> None:
    import logging

    from playwatch.app import running
    from playwatch.cli.settings import counted
    from playwatch.cli.signals import stop_requested

    log = logging.getLogger("playwatch")
    with stop_requested() as stop:
        async with running(settings, is_dry_run=is_dry_run) as engine:
            rules, channels = len(settings.rules), len(settings.channels)
            log.info("%s, %s", counted(rules, "rule"), counted(channels, "channel"))
            if engine.web_url:
                log.info("health and metrics at %s", engine.web_url)
            await stop.wait()
            log.info("stopping")
    log.info("stopped")
