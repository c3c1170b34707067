"""`playwatch delivery`: what was not delivered, and what to do about it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption, counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwatch.core.deliveries import Delivery
    from playwatch.store.sqlite import SqliteStore

_Result = TypeVar("_Result")

app = typer.Typer(help="Look at deliveries that wait or were given up.", no_args_is_help=True)

IdsArgument = Annotated[list[str], typer.Argument(help="Ids, as `delivery list` prints them.")]


@app.command("list")
def list_(
    config: ConfigOption = Path("playwatch.yaml"),
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List what is pending and what was given up, oldest first."""
    from playwatch.cli.documents import moment, print_json
    from playwatch.core.deliveries import DeliveryStatus

    async def letters(store: SqliteStore) -> list[Delivery]:
        return await store.letters({DeliveryStatus.PENDING, DeliveryStatus.DEAD}, limit)

    found = asyncio.run(_with_store(config, letters, read_only=True))
    if as_json:
        print_json(
            [
                {
                    "id": delivery.id,
                    "channel": delivery.channel,
                    "incident": delivery.incident_id,
                    "action": delivery.action.value,
                    "status": delivery.status.value,
                    "attempts": delivery.attempts,
                    "created_at": moment(delivery.created_at),
                    "next_try_at": moment(delivery.not_before_at or None),
                    "reason": delivery.reason,
                }
                for delivery in found
            ]
        )
        return
    from playwatch.cli.tables import delivery_table

    delivery_table(found)


@app.command()
def replay(ids: IdsArgument, config: ConfigOption = Path("playwatch.yaml")) -> None:
    """Queue given-up deliveries again; the engine must not be running."""
    from playwatch.runtime.clock import SystemClock

    async def queue(store: SqliteStore) -> int:
        return await store.replay(ids, SystemClock().wall_ms())

    count = asyncio.run(_with_store(config, queue))
    typer.echo(f"{counted(count, 'delivery', 'deliveries')} queued again")


@app.command()
def purge(ids: IdsArgument, config: ConfigOption = Path("playwatch.yaml")) -> None:
    """Forget given-up deliveries; the engine must not be running."""

    async def forget(store: SqliteStore) -> int:
        return await store.purge(ids)

    count = asyncio.run(_with_store(config, forget))
    typer.echo(f"{counted(count, 'delivery', 'deliveries')} forgotten")


async def _with_store(
    config: Path,
    work: Callable[[SqliteStore], Awaitable[_Result]],
    *,
    read_only: bool = False,
) -> _Result:
    from playwatch.cli.settings import load
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    store = await SqliteStore.open(settings.store.path, read_only=read_only)
    try:
        return await work(store)
    finally:
        await store.close()
