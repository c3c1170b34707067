"""`playwatch store`: back a store up while it is in use, and check one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.store.backup import StoreCheck
    from playwatch.store.history_check import HistoryCheck

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
        Path | None, typer.Argument(help="A store, a backup or a history.", metavar="[FILE]")
    ] = None,
    config: ConfigOption = Path("playwatch.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Read every page of the store and its history, or of one file; exit 1 when one is damaged."""
    from playwatch.cli.settings import load
    from playwatch.store.backup import check_store
    from playwatch.store.history_check import check_history, is_history

    past = None
    if file is None:
        store = load(config, need_secrets=False).store
        found = check_store(store.path)
        if store.history_path.exists():
            past = check_history(store.history_path)
    elif is_history(file):
        past = check_history(file)
        _tell_past(past, as_json=as_json)
        raise typer.Exit(1 if past.problems else 0)
    else:
        found = check_store(file)
    _tell(found, "checked", past, as_json=as_json)
    if found.problems or (past and past.problems):
        raise typer.Exit(1)


def _tell(found: StoreCheck, verb: str, past: HistoryCheck | None = None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from playwatch.cli.documents import print_json

    if as_json:
        history = {} if past is None else {"history": _document(past)}
        print_json({**asdict(found), "path": str(found.path), **history})
        return
    typer.echo(
        f"{verb} {found.path}: {found.size / 1e6:,.1f} MB, schema {found.schema},"
        f" {found.incidents:,} incident{'' if found.incidents == 1 else 's'}"
        f" ({found.open_incidents} open),"
        f" {found.pending} to be sent"
    )
    for problem in found.problems:
        typer.echo(f"  {problem}")
    if past is not None:
        _tell_past(past, as_json=False)


def _tell_past(past: HistoryCheck, *, as_json: bool) -> None:
    from playwatch.cli.documents import print_json
    from playwatch.cli.settings import counted

    document = _document(past)
    if as_json:
        print_json(document)
        return
    span = f", from {document['first']} to {document['last']}" if past.blocks else ""
    typer.echo(
        f"checked {past.path}: {past.size / 1e6:,.1f} MB,"
        f" {past.series:,} series in {counted(past.blocks, 'block')}{span}"
    )
    for problem in past.problems:
        typer.echo(f"  {problem}")


def _document(past: HistoryCheck) -> dict[str, object]:
    from playwatch.runtime.moments import moment

    first, last = (
        None if minute is None else moment(60_000 * minute)
        for minute in (past.first_minute, past.last_minute)
    )
    return {
        "path": str(past.path),
        "size": past.size,
        "series": past.series,
        "blocks": past.blocks,
        "first": first,
        "last": last,
        "problems": past.problems,
    }
