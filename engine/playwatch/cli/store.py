"""`playwatch store`: back a store up while it is in use, and check one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.store.backup import StoreCheck

app = typer.Typer(help="Back up and check the store.", no_args_is_help=True)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to make.", metavar="FILE")],
    config: ConfigOption = Path("playwatch.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Copy the store, engine up or down, and verify the copy.

    The keys of channels go into FILE.keys beside it: keep both, and keep them
    secret. To restore, stop the engine and put both in the place of the store.
    """
    from playwatch.cli.settings import load
    from playwatch.store.backup import back_up

    settings = load(config, need_secrets=False)
    _tell(back_up(settings.store.path, target), "backed up to", as_json=as_json)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A store or a backup.", metavar="[FILE]")
    ] = None,
    config: ConfigOption = Path("playwatch.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Read every page of the store, or of a backup; exit 1 when something is wrong."""
    from playwatch.cli.settings import load
    from playwatch.store.backup import check_store

    path = file or load(config, need_secrets=False).store.path
    found = check_store(path)
    _tell(found, "checked", as_json=as_json)
    if found.problems:
        raise typer.Exit(1)


def _tell(found: StoreCheck, verb: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    from playwatch.cli.documents import print_json

    if as_json:
        print_json({**asdict(found), "path": str(found.path)})
        return
    typer.echo(
        f"{verb} {found.path}: {found.size / 1e6:,.1f} MB, schema {found.schema},"
        f" {found.incidents:,} incident{'' if found.incidents == 1 else 's'}"
        f" ({found.open_incidents} open),"
        f" {found.pending} to be sent"
    )
    for problem in found.problems:
        typer.echo(f"  {problem}")
