"""`playwatch silence`: quiet for a while, without stopping to watch."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.desk import AuthorOption, TokenOption, UrlOption
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.core.rules import Matcher
    from playwatch.core.silences import Silence
    from playwatch.runtime.desk import SilenceRequest

app = typer.Typer(help="Keep triggers back for a while; resolves go out.", no_args_is_help=True)


@app.command()
def add(
    author: AuthorOption,
    matchers: Annotated[
        list[str],
        typer.Argument(
            help="What to silence: rule=..., metric=..., severity=..., alert_type=..., or a"
            " dimension; `*` and `?` are wild, `!` excludes, a name again is one more way,"
            " nothing after = is a missing dimension.",
            metavar="NAME=VALUE...",
        ),
    ],
    config: ConfigOption = Path("playwatch.yaml"),
    lasts: Annotated[
        str | None, typer.Option("--for", help="How long: 30m, 2h, 1d.", metavar="DURATION")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Its end, such as 2027-01-31T18:00:00+01:00.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="Its start; now by default.")] = None,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a silence; prints its id."""
    request = _request(_matchers(matchers), (lasts, until, start), author, comment)
    silence = asyncio.run(_add(config, url, token_file, request))
    if as_json:
        _print_json([silence], one=True)
    else:
        typer.echo(silence.id)


@app.command("list")
def list_(
    config: ConfigOption = Path("playwatch.yaml"),
    with_ended: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List silences in force and to come, engine up or down."""
    silences = asyncio.run(_list(config, with_ended=with_ended))
    if as_json:
        _print_json(silences)
        return
    from playwatch.cli.silence_table import silence_table
    from playwatch.runtime.clock import SystemClock

    silence_table(silences, SystemClock().wall_ms())


@app.command()
def expire(
    author: AuthorOption,
    silence_id: Annotated[str, typer.Argument(help="Its id, as `silence list` prints it.")],
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """End a silence now; what it kept back and is still open is told."""
    if asyncio.run(_expire(config, url, token_file, silence_id, author)) is None:
        typer.echo(f"playwatch: no silence {silence_id} in this store", err=True)
        raise typer.Exit(1)


def _matchers(written: list[str]) -> tuple[Matcher, ...]:
    from playwatch.config.mute import matchers_of

    values: dict[str, list[str]] = {}
    for one in written:
        name, has_value, value = one.partition("=")
        if not name or not has_value:
            message = f"'{one}' is not NAME=VALUE"
            raise typer.BadParameter(message)
        values.setdefault(name, []).append(value)
    try:
        return matchers_of(
            {name: None if texts == [""] else texts for name, texts in values.items()}
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _request(
    matchers: tuple[Matcher, ...],
    times: tuple[str | None, str | None, str | None],
    author: str,
    comment: str,
) -> SilenceRequest:
    from playwatch.runtime.clock import SystemClock
    from playwatch.web.documents import matcher_document, silence_request
    from playwatch.web.problems import ProblemError

    given = zip(("for", "ends_at", "starts_at"), times, strict=True)
    body: dict[str, object] = {name: value for name, value in given if value is not None}
    body |= {"matchers": matcher_document(matchers), "author": author, "comment": comment}
    if ("for" in body) == ("ends_at" in body):
        message = "give one of --for and --until"
        raise typer.BadParameter(message)
    try:
        return silence_request(body, SystemClock().wall_ms())
    except ProblemError as error:
        raise typer.BadParameter(error.detail) from None


async def _add(
    config: Path, url: str | None, token_file: Path | None, request: SilenceRequest
) -> Silence:
    from playwatch.cli.desk import desk_of

    async with desk_of(config, url, token_file) as desk:
        return await desk.silence(request)


async def _expire(
    config: Path, url: str | None, token_file: Path | None, silence_id: str, author: str
) -> Silence | None:
    from playwatch.cli.desk import desk_of

    async with desk_of(config, url, token_file) as desk:
        return await desk.expire(silence_id, author)


async def _list(config: Path, *, with_ended: bool) -> list[Silence]:
    from playwatch.cli.settings import load
    from playwatch.runtime.clock import SystemClock
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        return await store.silences(0 if with_ended else SystemClock().wall_ms())
    finally:
        await store.close()


def _print_json(silences: list[Silence], *, one: bool = False) -> None:
    from playwatch.cli.documents import print_json
    from playwatch.web.documents import silence_document

    documents = [silence_document(silence) for silence in silences]
    print_json(documents[0] if one else documents)
