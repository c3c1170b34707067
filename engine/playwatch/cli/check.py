"""`playwatch check`: what is wrong, before it matters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.errors import Problem

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
    as_json: JsonOption = False,
) -> None:
    """Check a configuration: every mistake at once, with file:line:column."""
    from playwatch.cli.settings import at_work, counted, load
    from playwatch.config.check import findings
    from playwatch.errors import ConfigError

    settings, mistakes = None, []
    try:
        settings = load(file, need_secrets=not no_secrets)
    except ConfigError as error:
        mistakes = list(error.problems)
    doubts = [] if settings is None else findings(settings)
    if as_json:
        from playwatch.cli.documents import print_json

        print_json({"mistakes": _listed(mistakes), "findings": _listed(doubts)})
    else:
        for problem in (*mistakes, *doubts):
            typer.echo(str(problem), err=True)
        if settings is None:
            typer.echo(counted(len(mistakes), "mistake"), err=True)
        else:
            typer.echo(f"{file}: {at_work(settings)}")
    if mistakes or doubts:
        raise typer.Exit(1)


def _listed(problems: Iterable[Problem]) -> list[dict[str, object]]:
    from dataclasses import asdict

    return [asdict(problem) for problem in problems]
