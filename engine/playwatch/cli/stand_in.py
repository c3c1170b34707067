"""`playwatch stand-in`: a PagerDuty to practise with."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def stand_in(
    listen: Annotated[str, typer.Option(help="Address and port; port 0 takes a free one.")] = (
        "127.0.0.1:8090"
    ),
    rate_limit: Annotated[
        int, typer.Option(min=0, help="Events a minute and key; 0 is without limit.")
    ] = 120,
) -> None:
    """Serve a stateful stand-in for PagerDuty's Events API v2, for dry runs and tests."""
    asyncio.run(_serve(listen, rate_limit or None))


async def _serve(listen: str, rate_limit: int | None) -> None:
    from playwatch.cli.signals import stop_requested
    from playwatch.demo.stand_in import StandIn

    host, _, port = listen.rpartition(":")
    if not port.isdigit():
        message = f"{listen!r} is not ADDRESS:PORT"
        raise typer.BadParameter(message)
    with stop_requested() as stop:
        async with StandIn(host=host or "127.0.0.1", port=int(port), rate_limit=rate_limit) as it:
            typer.echo(f"events: {it.url}")
            typer.echo(f"look:   {it.url.removesuffix('/v2/enqueue')}/")
            await stop.wait()
