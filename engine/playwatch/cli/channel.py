"""`playwatch channel`: the places where pages go."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from playwatch.cli.desk import AuthorOption, TokenOption, UrlOption
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption, counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwatch.cli.hands import Hands

Document = dict[str, Any]

app = typer.Typer(
    help="Look at notification channels, add and remove them, try them.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(help="The channel's name.")]
OpenOption = Annotated[
    Literal["resolve", "leave"] | None,
    typer.Option(
        "--open-incidents",
        help="What is open there: resolve it there now, or leave it until it ends.",
        show_default="asks; resolve where nobody can answer",
    ),
]


@app.command("list")
def list_channels(
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every channel, what it takes, and the end of its key; with --url also how it is."""
    channels = asyncio.run(_channels(config, url, token_file))
    if as_json:
        _print_json(channels)
        return
    from playwatch.cli.channel_table import print_channels

    print_channels(channels)


@app.command()
def add(
    author: AuthorOption,
    name: NameArgument,
    service: Annotated[str, typer.Argument(help="pagerduty, webhook, slack or console.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            help="Settings as in a configuration file: min_severity=error where.country=DE"
            " rules=live-*; a secret is read from a file, integration_key=@FILE, or asked for.",
            metavar="OPTION=VALUE...",
        ),
    ] = None,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a channel; it takes incidents at once, and stays over restarts and reloads."""
    from playwatch.cli.channel_options import channel_body

    body = channel_body(name, service, options or ())
    added = _done(config, url, token_file, lambda hands: hands.channels.add(body, author))
    if as_json:
        _print_json(added)
    else:
        key = f" with key {added['key']}" if added["key"] else ""
        typer.echo(f"added {name}{key}; try it: playwatch channel test {name}")


@app.command()
def remove(
    author: AuthorOption,
    name: NameArgument,
    open_incidents: OpenOption = None,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a channel that was added; its key is dropped once its last resolve is in."""

    async def work(hands: Hands) -> Document | None:
        resolves = await _resolves(hands, name, open_incidents)
        return await hands.channels.remove(name, author, resolves=resolves)

    removed = _there(name, _done(config, url, token_file, work))
    if as_json:
        _print_json(removed)
        return
    typer.echo(f"removed {name}")
    for word, said in (("resolved", "resolved there"), ("left", "open there until it ends")):
        if removed[word]:
            typer.echo(f"{counted(len(removed[word]), 'incident')} {said}")


@app.command()
def disable(
    author: AuthorOption,
    name: NameArgument,
    open_incidents: OpenOption = None,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Send nothing new to a channel that was added, until it is enabled again."""

    async def work(hands: Hands) -> Document | None:
        resolves = await _resolves(hands, name, open_incidents)
        return await hands.channels.enable(name, author, is_enabled=False, resolves=resolves)

    _there(name, _done(config, url, token_file, work))
    typer.echo(f"disabled {name}")


@app.command()
def enable(
    author: AuthorOption,
    name: NameArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Let a channel that was added take incidents again."""

    async def work(hands: Hands) -> Document | None:
        return await hands.channels.enable(name, author, is_enabled=True, resolves=False)

    _there(name, _done(config, url, token_file, work))
    typer.echo(f"enabled {name}")


@app.command()
def test(
    name: NameArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a marked trigger and its resolve, and show what the service answers."""
    answers = _there(name, asyncio.run(_test(config, url, token_file, name)))
    if as_json:
        _print_json(answers)
    else:
        for answer in answers:
            typer.echo(f"{answer['action']}: {answer['outcome']}: {answer['detail']}")
    if any(answer["outcome"] != "sent" for answer in answers):
        raise typer.Exit(1)


def _done(
    config: Path,
    url: str | None,
    token_file: Path | None,
    work: Callable[[Hands], Awaitable[Any]],
) -> Any:  # noqa: ANN401 - what the work returns
    async def do() -> Any:  # noqa: ANN401 - as above
        from playwatch.cli.hands import hands_of

        async with hands_of(config, url, token_file) as hands:
            return await work(hands)

    return asyncio.run(do())


async def _channels(config: Path, url: str | None, token_file: Path | None) -> list[Document]:
    from playwatch.cli.hands import channels_to_read

    async with channels_to_read(config, url, token_file) as channels:
        return await channels.channels()


async def _test(
    config: Path, url: str | None, token_file: Path | None, name: str
) -> list[Document] | None:
    from playwatch.cli.hands import channels_to_try

    async with channels_to_try(config, url, token_file) as channels:
        return await channels.test(name)


async def _resolves(hands: Hands, name: str, asked: str | None) -> bool:
    """Return whether what is open at a channel is to be resolved there; ask where one can."""
    if asked is not None:
        return asked == "resolve"
    channel = await hands.channels.channel(name)
    count = len(channel["open_incidents"]) if channel else 0
    if not count or not sys.stdin.isatty():
        return True
    question = f"{counted(count, 'open incident')} told at {name}: resolve there now?"
    return typer.confirm(question, default=True, err=True)


def _there(name: str, answer: Any) -> Any:  # noqa: ANN401 - JSON
    if answer is None:
        typer.echo(f"playwatch: no channel {name!r}; see playwatch channel list", err=True)
        raise typer.Exit(2)
    return answer


def _print_json(document: Any) -> None:  # noqa: ANN401 - JSON
    from playwatch.cli.documents import print_json

    print_json(document)
