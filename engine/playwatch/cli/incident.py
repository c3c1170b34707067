"""`playwatch incident`: what is open, what was, and who was told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident
    from playwatch.ports import IncidentQuery, IncidentStory

app = typer.Typer(help="Look at incidents, engine up or down.", no_args_is_help=True)


@app.command("list")
def list_(
    config: ConfigOption = Path("playwatch.yaml"),
    status: Annotated[
        Literal["open", "closed", "expired", "all"], typer.Option(help="Which to list.")
    ] = "all",
    rule: Annotated[str | None, typer.Option(help="Only those of one rule.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List incidents, newest first."""
    from playwatch.core.incidents import Status
    from playwatch.ports import IncidentQuery

    query = IncidentQuery(None if status == "all" else Status(status), rule, limit)
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
    """Show one incident: numbers, times, and every delivery with its attempts."""
    story = asyncio.run(_story(config, incident_id))
    if story is None:
        typer.echo(f"playwatch: no incident {incident_id} in this store", err=True)
        raise typer.Exit(1)
    if as_json:
        from playwatch.cli.documents import print_json, story_document

        print_json(story_document(story))
        return
    from playwatch.cli.tables import story_tables

    story_tables(story)


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
