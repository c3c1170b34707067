"""`playwatch incident`: what is open, what was, and who was told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from playwatch.cli.desk import AuthorOption, TokenOption, UrlOption
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.core.decisions import Remark, RemarkKind
    from playwatch.core.incidents import Incident
    from playwatch.core.listings import IncidentQuery
    from playwatch.ports import IncidentStory

app = typer.Typer(
    help="Look at incidents and say something about them, engine up or down.",
    no_args_is_help=True,
)


@app.command("list")
def list_(
    config: ConfigOption = Path("playwatch.yaml"),
    status: Annotated[
        Literal["open", "ended", "closed", "expired", "all"],
        typer.Option(help="Which to list; ended are closed or expired."),
    ] = "all",
    rule: Annotated[str | None, typer.Option(help="Only those of one rule.")] = None,
    search: Annotated[
        str, typer.Option(help="Only those with all these words in id, rule, metric, title, group.")
    ] = "",
    dimension: Annotated[
        list[str] | None,
        typer.Option("--dimension", "-d", help="Only groups with NAME=VALUE; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="How many to pass over.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """List incidents, newest first."""
    from playwatch.core.incidents import Status
    from playwatch.core.listings import IncidentQuery

    query = IncidentQuery(
        status=None if status in {"all", "ended"} else Status(status),
        is_ended=status == "ended",
        rule=rule,
        text=search,
        dimensions=_dimensions(dimension or []),
        limit=limit,
        offset=offset,
    )
    incidents = asyncio.run(_incidents(config, query))
    if as_json:
        from playwatch.cli.documents import incident_document, print_json

        print_json([incident_document(incident) for incident in incidents])
        return
    from playwatch.cli.tables import incident_table

    incident_table(incidents)


@app.command()
def show(
    incident_id: Annotated[str, typer.Argument(help="Its id, as `incident list` prints it.")],
    config: ConfigOption = Path("playwatch.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Show one incident: numbers, times, decisions, remarks, deliveries with their attempts."""
    story = asyncio.run(_story(config, incident_id))
    if story is None:
        raise _unknown(incident_id)
    if as_json:
        from playwatch.cli.documents import print_json, story_document

        print_json(story_document(story))
        return
    from playwatch.cli.tables import story_tables

    story_tables(story)


IdArgument = Annotated[str, typer.Argument(help="Its id, as `incident list` prints it.")]


@app.command()
def ack(
    author: AuthorOption,
    incident_id: IdArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    comment: Annotated[str, typer.Option(help="What you are about to do.")] = "",
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Say that somebody looks after an incident; kept here, not sent to any channel."""
    from playwatch.core.decisions import RemarkKind

    remark = (incident_id, RemarkKind.ACKNOWLEDGED, author, comment)
    if asyncio.run(_remark(config, url, token_file, remark)) is None:
        raise _unknown(incident_id)


@app.command()
def note(
    author: AuthorOption,
    incident_id: IdArgument,
    text: Annotated[str, typer.Argument(help="What the next shift should know.")],
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Add a note to an incident."""
    from playwatch.core.decisions import RemarkKind

    if not text.strip():
        message = "an empty note"
        raise typer.BadParameter(message)
    remark = (incident_id, RemarkKind.NOTE, author, text)
    if asyncio.run(_remark(config, url, token_file, remark)) is None:
        raise _unknown(incident_id)


@app.command()
def resolve(
    author: AuthorOption,
    incident_id: IdArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Close an open incident by hand; whoever was told of it is told of its end."""
    standing = asyncio.run(_resolve(config, url, token_file, incident_id, author))
    if standing is None:
        raise _unknown(incident_id)
    typer.echo(standing)


def _dimensions(written: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = [one.partition("=") for one in written]
    for name, sign, _ in pairs:
        if not name or not sign:
            message = "a dimension is written NAME=VALUE, such as country=DE"
            raise typer.BadParameter(message)
    return tuple({(name, value): None for name, _, value in pairs})


def _unknown(incident_id: str) -> typer.Exit:
    typer.echo(f"playwatch: no incident {incident_id} in this store", err=True)
    return typer.Exit(1)


async def _remark(
    config: Path,
    url: str | None,
    token_file: Path | None,
    remark: tuple[str, RemarkKind, str, str],
) -> Remark | None:
    from playwatch.cli.desk import desk_of

    async with desk_of(config, url, token_file) as desk:
        return await desk.remark(*remark)


async def _resolve(
    config: Path, url: str | None, token_file: Path | None, incident_id: str, author: str
) -> str | None:
    from playwatch.cli.desk import desk_of

    async with desk_of(config, url, token_file) as desk:
        return await desk.resolve(incident_id, author)


async def _incidents(config: Path, query: IncidentQuery) -> list[Incident]:
    from playwatch.cli.settings import load
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        return await store.incidents(query)
    finally:
        await store.close()


async def _story(config: Path, incident_id: str) -> IncidentStory | None:
    from playwatch.cli.settings import load
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        return await store.incident(incident_id)
    finally:
        await store.close()
