"""`playwatch delivery`: what was not delivered, and what to do about it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playwatch.cli.desk import AuthorOption, TokenOption, UrlOption
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption, counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwatch.runtime.letter_desk import LetterDesk

app = typer.Typer(help="Look at deliveries that wait or were given up.", no_args_is_help=True)

IdsArgument = Annotated[list[str], typer.Argument(help="Ids, as `delivery list` prints them.")]


@app.command("list")
def list_(
    config: ConfigOption = Path("playwatch.yaml"),
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List what is pending and what was given up, oldest first; engine up or down."""
    found = asyncio.run(_letters(config, limit))
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(found)
        return
    from playwatch.cli.tables import delivery_table

    delivery_table(found)


@app.command()
def replay(
    author: AuthorOption,
    ids: IdsArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Queue given-up deliveries again, with what came after each."""
    count = _count(config, url, token_file, lambda letters: letters.replay(ids, author))
    _tell(count, "queued again", "none of these was given up")


@app.command()
def purge(
    author: AuthorOption,
    ids: IdsArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Forget given-up deliveries; the trigger of an open incident stays."""
    count = _count(config, url, token_file, lambda letters: letters.purge(ids, author))
    _tell(count, "forgotten", "none of these was given up, or its incident is still open")


def _tell(count: int, what: str, why_none: str) -> None:
    """Say how many there were; exit 1 where there was none."""
    typer.echo(f"{counted(count, 'delivery', 'deliveries')} {what}")
    if not count:
        hint = "`playwatch delivery list` shows what waits and what was given up"
        typer.echo(f"{why_none}: {hint}", err=True)
        raise typer.Exit(1)


def _count(
    config: Path,
    url: str | None,
    token_file: Path | None,
    work: Callable[[LetterDesk], Awaitable[int]],
) -> int:
    async def do() -> int:
        from playwatch.cli.hands import hands_of

        async with hands_of(config, url, token_file) as hands:
            return await work(hands.letters)

    return asyncio.run(do())


async def _letters(config: Path, limit: int) -> list[dict[str, Any]]:
    from playwatch.cli.settings import load
    from playwatch.core.deliveries import DeliveryStatus
    from playwatch.runtime.clock import SystemClock
    from playwatch.runtime.letter_desk import StoreLetters
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        letters = StoreLetters(store, SystemClock())
        return await letters.letters({DeliveryStatus.PENDING, DeliveryStatus.DEAD}, limit)
    finally:
        await store.close()
