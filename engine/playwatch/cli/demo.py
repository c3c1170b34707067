"""`playwatch demo`: the whole path in a minute, without any set-up."""

from __future__ import annotations

from typing import Annotated

import typer

from playwatch.cli.settings import JsonOption


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after an incident has opened and resolved.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another audience.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Show it all: a broker, a simulated audience, the engine, and a PagerDuty stand-in."""
    import asyncio

    raise typer.Exit(asyncio.run(_show(once=once, seed=seed, as_json=as_json)))


async def _show(*, once: bool, seed: int, as_json: bool) -> int:
    from playwatch.cli.signals import stop_requested
    from playwatch.demo.show import show

    with stop_requested() as stop:
        return await show(stop, once=once, seed=seed, as_json=as_json)
