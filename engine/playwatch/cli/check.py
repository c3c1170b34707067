"""`playwatch check`: what is wrong, before it matters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check files before they are used.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Check files before they are used."""


@app.command()
def config(
    file: Annotated[Path, typer.Argument(help="The configuration file.")],
    no_secrets: Annotated[
        bool, typer.Option("--no-secrets", help="Pass unset ${VARIABLES} and secret files.")
    ] = False,
) -> None:
    """Check a configuration: every mistake at once, with file:line:column."""
    from playwatch.cli.settings import counted, load
    from playwatch.config.check import findings
    from playwatch.errors import ConfigError

    try:
        settings = load(file, need_secrets=not no_secrets)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        typer.echo(counted(len(error.problems), "mistake"), err=True)
        raise typer.Exit(1) from None
    doubts = findings(settings)
    for doubt in doubts:
        typer.echo(str(doubt), err=True)
    rules = counted(len(settings.rules), "rule")
    typer.echo(f"{file}: {rules}, {counted(len(settings.channels), 'channel')}")
    if doubts:
        raise typer.Exit(1)
